path "secret/data/+/+/api" {
  capabilities = ["read"]
}

path "auth/token/create" {
  capabilities = ["update"]
}
