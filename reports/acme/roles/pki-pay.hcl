path "pki/issue/pay" {
  capabilities = ["create", "update"]
}
