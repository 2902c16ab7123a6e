path "secret/*" {
  capabilities = ["list"]
}

path "sys/*" {
  capabilities = ["read", "list", "sudo"]
}

path "auth/*" {
  capabilities = ["list"]
}

path "identity/*" {
  capabilities = ["read", "list"]
}
