import {
  to = vault_approle_auth_backend_role.approle_app-core-21
  id = "auth/approle/role/app-core-21"
}

resource "vault_approle_auth_backend_role" "approle_app-core-21" {
  backend        = "approle"
  role_name      = "app-core-21"
  token_policies = ["default", "team-core", "transit-core"]

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
  token_policies = ["default", "team-ml"]

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
  token_policies = ["default", "team-ops", "transit-ops"]

  lifecycle {
    ignore_changes = [bind_secret_id, secret_id_bound_cidrs, secret_id_num_uses, secret_id_ttl, token_bound_cidrs, token_explicit_max_ttl, token_max_ttl, token_no_default_policy, token_num_uses, token_period, token_ttl, token_type]
  }
}

resource "vault_generic_endpoint" "userpass_person0" {
  path                 = "auth/userpass/users/person0"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "self-service", "team-web"] })
}

resource "vault_generic_endpoint" "userpass_person11" {
  path                 = "auth/userpass/users/person11"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "operators", "self-service", "team-ops"] })
}

resource "vault_generic_endpoint" "userpass_person15" {
  path                 = "auth/userpass/users/person15"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "self-service", "team-core"] })
}

resource "vault_generic_endpoint" "userpass_person2" {
  path                 = "auth/userpass/users/person2"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "team-data"] })
}

resource "vault_generic_endpoint" "userpass_person20" {
  path                 = "auth/userpass/users/person20"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "team-data"] })
}

resource "vault_generic_endpoint" "userpass_person23" {
  path                 = "auth/userpass/users/person23"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "operators", "team-ops"] })
}

resource "vault_generic_endpoint" "userpass_person24" {
  path                 = "auth/userpass/users/person24"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "team-web"] })
}

resource "vault_generic_endpoint" "userpass_person29" {
  path                 = "auth/userpass/users/person29"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "self-service", "team-ops"] })
}

resource "vault_generic_endpoint" "userpass_person3" {
  path                 = "auth/userpass/users/person3"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "team-core"] })
}

resource "vault_generic_endpoint" "userpass_person5" {
  path                 = "auth/userpass/users/person5"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "team-ops"] })
}

resource "vault_generic_endpoint" "userpass_person6" {
  path                 = "auth/userpass/users/person6"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "self-service", "team-web"] })
}

resource "vault_generic_endpoint" "userpass_person8" {
  path                 = "auth/userpass/users/person8"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ token_policies = ["default", "self-service", "team-data"] })
}
