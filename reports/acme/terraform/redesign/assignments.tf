import {
  to = vault_approle_auth_backend_role.approle_app-core-21
  id = "auth/approle/role/app-core-21"
}

resource "vault_approle_auth_backend_role" "approle_app-core-21" {
  backend        = "approle"
  role_name      = "app-core-21"
  token_policies = ["team-core", "transit-core"]

  lifecycle {
    ignore_changes = [bind_secret_id, secret_id_bound_cidrs, secret_id_num_uses, secret_id_ttl, token_bound_cidrs, token_explicit_max_ttl, token_max_ttl, token_no_default_policy, token_num_uses, token_period, token_ttl, token_type]
  }
}

import {
  to = vault_approle_auth_backend_role.approle_app-ml-10
  id = "auth/approle/role/app-ml-10"
}

resource "vault_approle_auth_backend_role" "approle_app-ml-10" {
  backend        = "approle"
  role_name      = "app-ml-10"
  token_policies = ["team-ml"]

  lifecycle {
    ignore_changes = [bind_secret_id, secret_id_bound_cidrs, secret_id_num_uses, secret_id_ttl, token_bound_cidrs, token_explicit_max_ttl, token_max_ttl, token_no_default_policy, token_num_uses, token_period, token_ttl, token_type]
  }
}

import {
  to = vault_approle_auth_backend_role.approle_app-ops-11
  id = "auth/approle/role/app-ops-11"
}

resource "vault_approle_auth_backend_role" "approle_app-ops-11" {
  backend        = "approle"
  role_name      = "app-ops-11"
  token_policies = ["team-ops", "transit-ops"]

  lifecycle {
    ignore_changes = [bind_secret_id, secret_id_bound_cidrs, secret_id_num_uses, secret_id_ttl, token_bound_cidrs, token_explicit_max_ttl, token_max_ttl, token_no_default_policy, token_num_uses, token_period, token_ttl, token_type]
  }
}

# Group grp-core
data "vault_identity_group" "group_grp-core" {
  group_name = "grp-core"
}

resource "vault_identity_group_policies" "group_grp-core" {
  group_id  = data.vault_identity_group.group_grp-core.id
  exclusive = true
  policies  = ["team-core"]
}

# Group grp-data
data "vault_identity_group" "group_grp-data" {
  group_name = "grp-data"
}

resource "vault_identity_group_policies" "group_grp-data" {
  group_id  = data.vault_identity_group.group_grp-data.id
  exclusive = true
  policies  = ["team-data"]
}

# Group grp-ops
data "vault_identity_group" "group_grp-ops" {
  group_name = "grp-ops"
}

resource "vault_identity_group_policies" "group_grp-ops" {
  group_id  = data.vault_identity_group.group_grp-ops.id
  exclusive = true
  policies  = ["team-ops"]
}

# Group grp-web
data "vault_identity_group" "group_grp-web" {
  group_name = "grp-web"
}

resource "vault_identity_group_policies" "group_grp-web" {
  group_id  = data.vault_identity_group.group_grp-web.id
  exclusive = true
  policies  = ["team-web"]
}

resource "vault_generic_endpoint" "userpass_person0" {
  path                 = "auth/userpass/users/person0"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person11" {
  path                 = "auth/userpass/users/person11"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["operators", "self-service"] })
}

resource "vault_generic_endpoint" "userpass_person12" {
  path                 = "auth/userpass/users/person12"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person14" {
  path                 = "auth/userpass/users/person14"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person15" {
  path                 = "auth/userpass/users/person15"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person17" {
  path                 = "auth/userpass/users/person17"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["operators", "self-service"] })
}

resource "vault_generic_endpoint" "userpass_person18" {
  path                 = "auth/userpass/users/person18"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person21" {
  path                 = "auth/userpass/users/person21"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person23" {
  path                 = "auth/userpass/users/person23"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["operators"] })
}

resource "vault_generic_endpoint" "userpass_person26" {
  path                 = "auth/userpass/users/person26"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person27" {
  path                 = "auth/userpass/users/person27"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person29" {
  path                 = "auth/userpass/users/person29"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person5" {
  path                 = "auth/userpass/users/person5"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = [] })
}

resource "vault_generic_endpoint" "userpass_person6" {
  path                 = "auth/userpass/users/person6"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person8" {
  path                 = "auth/userpass/users/person8"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}

resource "vault_generic_endpoint" "userpass_person9" {
  path                 = "auth/userpass/users/person9"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["self-service"] })
}
