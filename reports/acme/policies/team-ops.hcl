path "secret/data/+/ops/*" {
  capabilities = ["create", "read", "update"]
}

path "secret/metadata/dev/ops/" {
  capabilities = ["list"]
}

path "secret/metadata/prod/ops/" {
  capabilities = ["list"]
}

path "kv1/ops/legacy" {
  capabilities = ["read"]
}

path "team/kv/data/ops/shared" {
  capabilities = ["read"]
}
