# The least policy that `vault-advisor snapshot` needs. It reads no secret.
# Auth methods mounted deeper than one segment need stanzas of their own.

path "auth/+/certs/+" {
  capabilities = ["list", "read"]
}

path "auth/+/groups/+" {
  capabilities = ["list", "read"]
}

path "auth/+/map/teams/+" {
  capabilities = ["list", "read"]
}

path "auth/+/map/users/+" {
  capabilities = ["list", "read"]
}

path "auth/+/role/+" {
  capabilities = ["list", "read"]
}

path "auth/+/roles/+" {
  capabilities = ["list", "read"]
}

path "auth/+/users/+" {
  capabilities = ["list", "read"]
}

path "identity/entity/id" {
  capabilities = ["list"]
}

path "identity/entity/id/+" {
  capabilities = ["read"]
}

path "identity/group/id" {
  capabilities = ["list"]
}

path "identity/group/id/+" {
  capabilities = ["read"]
}

path "sys/auth" {
  capabilities = ["read"]
}

path "sys/mounts" {
  capabilities = ["read"]
}

path "sys/namespaces" {
  capabilities = ["list"]
}

path "sys/policies/acl" {
  capabilities = ["list"]
}

path "sys/policies/acl/*" {
  capabilities = ["read"]
}
