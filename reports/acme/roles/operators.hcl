path "secret/*" {
  capabilities = ["read", "update", "list"]
}

path "sys/*" {
  capabilities = ["read", "update", "delete", "list"]
}

path "sys/audit" {
  capabilities = ["read", "update", "delete", "list", "sudo"]
}

path "auth/*" {
  capabilities = ["read", "list"]
}

path "identity/*" {
  capabilities = ["read", "list"]
}
