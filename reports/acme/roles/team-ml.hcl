path "secret/data/+/ml/*" {
  capabilities = ["read"]
}

path "secret/metadata/dev/ml/" {
  capabilities = ["list"]
}

path "team/kv/data/ml/shared" {
  capabilities = ["read"]
}
