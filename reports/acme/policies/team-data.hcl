path "secret/data/dev/data/queue" {
  capabilities = ["create", "read", "update"]
}

path "secret/data/dev/data/s3" {
  capabilities = ["read"]
}

path "secret/data/dev/data/smtp" {
  capabilities = ["read"]
}

path "secret/data/dev/data/tls" {
  capabilities = ["create", "read", "update"]
}

# 3 of 4 known paths used
path "secret/data/prod/data/*" {
  capabilities = ["read"]
}

path "secret/data/stage/data/api" {
  capabilities = ["read"]
}

path "secret/data/stage/data/cache" {
  capabilities = ["read"]
}

path "secret/metadata/dev/data/" {
  capabilities = ["list"]
}

path "secret/metadata/prod/data/" {
  capabilities = ["list"]
}

path "kv1/data/legacy" {
  capabilities = ["read"]
}
