path "secret/*" {
  capabilities = ["create", "read", "update", "list"]
}

path "sys/*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}

path "auth/*" {
  capabilities = ["list"]
}

path "identity/*" {
  capabilities = ["read", "list"]
}
