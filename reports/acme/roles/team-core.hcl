path "secret/data/+/core/*" {
  capabilities = ["create", "read", "update"]
}

path "secret/metadata/dev/core/" {
  capabilities = ["list"]
}

path "secret/metadata/prod/core/" {
  capabilities = ["list"]
}

path "kv1/core/legacy" {
  capabilities = ["read"]
}

path "team/kv/data/core/shared" {
  capabilities = ["read"]
}
