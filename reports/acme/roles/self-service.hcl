path "secret/data/home/{{identity.entity.name}}/*" {
  capabilities = ["create", "read", "update"]
}
