path "secret/*" {
  capabilities = ["read", "update", "delete", "list"]
}

path "sys/*" {
  capabilities = ["read", "update", "delete", "list"]
}

path "sys/audit" {
  capabilities = ["read", "update", "delete", "list", "sudo"]
}

path "auth/*" {
  capabilities = ["list"]
}

path "identity/*" {
  capabilities = ["read", "list"]
}
