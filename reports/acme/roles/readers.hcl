path "secret/data/prod/pay/*" {
  capabilities = ["deny"]
}
