path "pki/issue/data" {
  capabilities = ["create", "update"]
}
