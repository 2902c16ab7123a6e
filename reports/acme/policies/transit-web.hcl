path "transit/encrypt/web" {
  capabilities = ["create", "update"]
}
