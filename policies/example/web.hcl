# What the web service may do.
path "secret/data/web/*" {
  capabilities = ["read", "list"]
}
