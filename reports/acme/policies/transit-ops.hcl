path "transit/encrypt/ops" {
  capabilities = ["create", "update"]
}
