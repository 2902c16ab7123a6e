# The rotation job writes one secret of every service.
path "secret/data/+/db" {
  capabilities = ["read", "update"]
}
