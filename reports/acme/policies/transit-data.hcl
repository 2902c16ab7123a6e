path "transit/encrypt/data" {
  capabilities = ["create", "update"]
}
