path "transit/encrypt/ml" {
  capabilities = ["create", "update"]
}
