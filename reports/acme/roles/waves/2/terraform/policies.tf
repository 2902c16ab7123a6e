import {
  to = vault_policy.ci
  id = "ci"
}

resource "vault_policy" "ci" {
  name   = "ci"
  policy = <<POLICY
path "secret/data/+/+/api" {
  capabilities = ["read"]
}

path "auth/token/create" {
  capabilities = ["update"]
}

path "sys/leases/*" {
  capabilities = ["update"]
}
POLICY
}

import {
  to = vault_policy.default
  id = "default"
}

resource "vault_policy" "default" {
  name   = "default"
  policy = <<POLICY

# Allow tokens to look up their own properties
path "auth/token/lookup-self" {
    capabilities = ["read"]
}

# Allow tokens to renew themselves
path "auth/token/renew-self" {
    capabilities = ["update"]
}

# Allow tokens to revoke themselves
path "auth/token/revoke-self" {
    capabilities = ["update"]
}

# Allow a token to look up its own capabilities on a path
path "sys/capabilities-self" {
    capabilities = ["update"]
}

# Allow a token to look up its own entity by id or name
path "identity/entity/id/{{identity.entity.id}}" {
  capabilities = ["read"]
}
path "identity/entity/name/{{identity.entity.name}}" {
  capabilities = ["read"]
}


# Allow a token to look up its resultant ACL from all policies. This is useful
# for UIs. It is an internal path because the format may change at any time
# based on how the internal ACL features and capabilities change.
path "sys/internal/ui/resultant-acl" {
    capabilities = ["read"]
}

# Allow a token to renew a lease via lease_id in the request body; old path for
# old clients, new path for newer
path "sys/renew" {
    capabilities = ["update"]
}
path "sys/leases/renew" {
    capabilities = ["update"]
}

# Allow looking up lease properties. This requires knowing the lease ID ahead
# of time and does not divulge any sensitive information.
path "sys/leases/lookup" {
    capabilities = ["update"]
}

# Allow a token to manage its own cubbyhole
path "cubbyhole/*" {
    capabilities = ["create", "read", "update", "delete", "list"]
}

# Allow a token to wrap arbitrary values in a response-wrapping token
path "sys/wrapping/wrap" {
    capabilities = ["update"]
}

# Allow a token to look up the creation time and TTL of a given
# response-wrapping token
path "sys/wrapping/lookup" {
    capabilities = ["update"]
}

# Allow a token to unwrap a response-wrapping token. This is a convenience to
# avoid client token swapping since this is also part of the response wrapping
# policy.
path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}

# Allow general purpose tools
path "sys/tools/hash" {
    capabilities = ["update"]
}
path "sys/tools/hash/*" {
    capabilities = ["update"]
}

# Allow checking the status of a Control Group request if the user has the
# accessor
path "sys/control-group/request" {
    capabilities = ["update"]
}
POLICY
}

import {
  to = vault_policy.operators
  id = "operators"
}

resource "vault_policy" "operators" {
  name   = "operators"
  policy = <<POLICY
path "secret/*" {
  capabilities = ["list"]
}

path "sys/*" {
  capabilities = ["read", "list", "sudo"]
}

path "auth/*" {
  capabilities = ["list"]
}

path "identity/*" {
  capabilities = ["read", "list"]
}
POLICY
}

import {
  to = vault_policy.pki-core
  id = "pki-core"
}

resource "vault_policy" "pki-core" {
  name   = "pki-core"
  policy = <<POLICY
path "pki/issue/core" {
  capabilities = ["create", "update"]
}

path "pki/*" {
  capabilities = ["read", "list"]
}

path "pki/revoke" {
  capabilities = ["update"]
}
POLICY
}

import {
  to = vault_policy.pki-data
  id = "pki-data"
}

resource "vault_policy" "pki-data" {
  name   = "pki-data"
  policy = <<POLICY
path "pki/issue/data" {
  capabilities = ["create", "update"]
}

path "pki/*" {
  capabilities = ["read", "list"]
}

path "pki/revoke" {
  capabilities = ["update"]
}
POLICY
}

import {
  to = vault_policy.pki-ml
  id = "pki-ml"
}

resource "vault_policy" "pki-ml" {
  name   = "pki-ml"
  policy = <<POLICY
path "pki/issue/ml" {
  capabilities = ["create", "update"]
}

path "pki/*" {
  capabilities = ["read", "list"]
}

path "pki/revoke" {
  capabilities = ["update"]
}
POLICY
}

# Deleted: pki-ops

import {
  to = vault_policy.pki-pay
  id = "pki-pay"
}

resource "vault_policy" "pki-pay" {
  name   = "pki-pay"
  policy = <<POLICY
path "pki/issue/pay" {
  capabilities = ["create", "update"]
}

path "pki/*" {
  capabilities = ["read", "list"]
}

path "pki/revoke" {
  capabilities = ["update"]
}
POLICY
}

# Deleted: pki-web

import {
  to = vault_policy.readers
  id = "readers"
}

resource "vault_policy" "readers" {
  name   = "readers"
  policy = <<POLICY
path "secret/*" {
  capabilities = ["read", "list"]
}

path "kv1/*" {
  capabilities = ["read", "list"]
}

path "secret/data/prod/pay/*" {
  capabilities = ["deny"]
}
POLICY
}

import {
  to = vault_policy.self-service
  id = "self-service"
}

resource "vault_policy" "self-service" {
  name   = "self-service"
  policy = <<POLICY
path "secret/data/home/{{identity.entity.name}}/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "secret/metadata/home/{{identity.entity.name}}/*" {
  capabilities = ["list"]
}
POLICY
}

import {
  to = vault_policy.team-core
  id = "team-core"
}

resource "vault_policy" "team-core" {
  name   = "team-core"
  policy = <<POLICY
path "secret/data/+/core/*" {
  capabilities = ["read", "update", "delete", "list"]
}

path "secret/metadata/+/core/*" {
  capabilities = ["read", "list", "delete"]
}

path "secret/metadata/*" {
  capabilities = ["list"]
}

path "kv1/core/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "team/kv/data/core/*" {
  capabilities = ["read", "update"]
}
POLICY
}

import {
  to = vault_policy.team-data
  id = "team-data"
}

resource "vault_policy" "team-data" {
  name   = "team-data"
  policy = <<POLICY
path "secret/data/+/data/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "secret/metadata/+/data/*" {
  capabilities = ["read", "list", "delete"]
}

path "secret/metadata/*" {
  capabilities = ["list"]
}

path "kv1/data/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "team/kv/data/data/*" {
  capabilities = ["read", "update"]
}
POLICY
}

import {
  to = vault_policy.team-ml
  id = "team-ml"
}

resource "vault_policy" "team-ml" {
  name   = "team-ml"
  policy = <<POLICY
path "secret/data/+/ml/*" {
  capabilities = ["read", "update", "delete", "list"]
}

path "secret/metadata/+/ml/*" {
  capabilities = ["read", "list", "delete"]
}

path "secret/metadata/*" {
  capabilities = ["list"]
}

path "kv1/ml/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "team/kv/data/ml/*" {
  capabilities = ["read", "update"]
}
POLICY
}

import {
  to = vault_policy.team-ops
  id = "team-ops"
}

resource "vault_policy" "team-ops" {
  name   = "team-ops"
  policy = <<POLICY
path "secret/data/+/ops/*" {
  capabilities = ["read", "update", "delete", "list"]
}

path "secret/metadata/+/ops/*" {
  capabilities = ["read", "list", "delete"]
}

path "secret/metadata/*" {
  capabilities = ["list"]
}

path "kv1/ops/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "team/kv/data/ops/*" {
  capabilities = ["read", "update"]
}
POLICY
}

import {
  to = vault_policy.team-pay
  id = "team-pay"
}

resource "vault_policy" "team-pay" {
  name   = "team-pay"
  policy = <<POLICY
path "secret/data/+/pay/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "secret/metadata/+/pay/*" {
  capabilities = ["read", "list", "delete"]
}

path "secret/metadata/*" {
  capabilities = ["list"]
}

path "kv1/pay/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "team/kv/data/pay/*" {
  capabilities = ["read", "update"]
}
POLICY
}

import {
  to = vault_policy.team-web
  id = "team-web"
}

resource "vault_policy" "team-web" {
  name   = "team-web"
  policy = <<POLICY
path "secret/data/+/web/*" {
  capabilities = ["read", "update", "delete", "list"]
}

path "secret/metadata/+/web/*" {
  capabilities = ["read", "list", "delete"]
}

path "secret/metadata/*" {
  capabilities = ["list"]
}

path "kv1/web/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "team/kv/data/web/*" {
  capabilities = ["read", "update"]
}
POLICY
}

import {
  to = vault_policy.transit-core
  id = "transit-core"
}

resource "vault_policy" "transit-core" {
  name   = "transit-core"
  policy = <<POLICY
path "transit/encrypt/core" {
  capabilities = ["create", "update"]
}

path "transit/decrypt/core" {
  capabilities = ["create", "update"]
}

path "transit/keys/*" {
  capabilities = ["read", "list"]
}
POLICY
}

import {
  to = vault_policy.transit-data
  id = "transit-data"
}

resource "vault_policy" "transit-data" {
  name   = "transit-data"
  policy = <<POLICY
path "transit/encrypt/data" {
  capabilities = ["create", "update"]
}

path "transit/decrypt/data" {
  capabilities = ["create", "update"]
}

path "transit/keys/*" {
  capabilities = ["read", "list"]
}
POLICY
}

import {
  to = vault_policy.transit-ml
  id = "transit-ml"
}

resource "vault_policy" "transit-ml" {
  name   = "transit-ml"
  policy = <<POLICY
path "transit/encrypt/ml" {
  capabilities = ["create", "update"]
}

path "transit/decrypt/ml" {
  capabilities = ["create", "update"]
}

path "transit/keys/*" {
  capabilities = ["read", "list"]
}
POLICY
}

import {
  to = vault_policy.transit-ops
  id = "transit-ops"
}

resource "vault_policy" "transit-ops" {
  name   = "transit-ops"
  policy = <<POLICY
path "transit/encrypt/ops" {
  capabilities = ["create", "update"]
}

path "transit/decrypt/ops" {
  capabilities = ["create", "update"]
}

path "transit/keys/*" {
  capabilities = ["read", "list"]
}
POLICY
}

import {
  to = vault_policy.transit-pay
  id = "transit-pay"
}

resource "vault_policy" "transit-pay" {
  name   = "transit-pay"
  policy = <<POLICY
path "transit/encrypt/pay" {
  capabilities = ["create", "update"]
}

path "transit/decrypt/pay" {
  capabilities = ["create", "update"]
}

path "transit/keys/*" {
  capabilities = ["read", "list"]
}
POLICY
}

import {
  to = vault_policy.transit-web
  id = "transit-web"
}

resource "vault_policy" "transit-web" {
  name   = "transit-web"
  policy = <<POLICY
path "transit/encrypt/web" {
  capabilities = ["create", "update"]
}

path "transit/decrypt/web" {
  capabilities = ["create", "update"]
}

path "transit/keys/*" {
  capabilities = ["read", "list"]
}
POLICY
}

# Deleted: unused-legacy
