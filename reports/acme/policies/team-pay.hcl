path "secret/data/+/pay/*" {
  capabilities = ["create", "read", "update"]
}

path "secret/metadata/dev/pay/" {
  capabilities = ["list"]
}

path "kv1/pay/legacy" {
  capabilities = ["read"]
}

path "team/kv/data/pay/shared" {
  capabilities = ["read"]
}
