path "secret/data/+/web/*" {
  capabilities = ["read"]
}

path "secret/metadata/dev/web/" {
  capabilities = ["list"]
}

path "secret/metadata/prod/web/" {
  capabilities = ["list"]
}

path "kv1/web/legacy" {
  capabilities = ["read"]
}

path "team/kv/data/web/shared" {
  capabilities = ["read"]
}
