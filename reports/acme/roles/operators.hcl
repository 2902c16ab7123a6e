path "secret/*" {
  capabilities = ["read", "list"]
}

path "sys/*" {
  capabilities = ["read", "list"]
}

path "sys/audit" {
  capabilities = ["read", "list", "sudo"]
}

path "auth/*" {
  capabilities = ["list"]
}

path "identity/*" {
  capabilities = ["read", "list"]
}
