# What the web service may do. It now writes its own session key.
path "secret/data/web/*" {
  capabilities = ["read", "list"]
}

path "secret/data/web/session" {
  capabilities = ["update"]
}
