path "pki/issue/ml" {
  capabilities = ["create", "update"]
}
