path "pki/issue/core" {
  capabilities = ["create", "update"]
}
