path "sys/audit" {
  capabilities = ["read", "sudo"]
}

path "sys/mounts" {
  capabilities = ["read"]
}

path "sys/policies/acl/readers" {
  capabilities = ["read"]
}

path "auth/approle/role/" {
  capabilities = ["list"]
}
