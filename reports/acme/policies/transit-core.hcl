path "transit/encrypt/core" {
  capabilities = ["create", "update"]
}
