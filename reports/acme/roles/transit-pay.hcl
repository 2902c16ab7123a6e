path "transit/encrypt/pay" {
  capabilities = ["create", "update"]
}
