# Values are made at apply and written without being kept: neither plan nor state has them.

ephemeral "random_password" "secret_key" {
  length  = 32
  special = false
}

ephemeral "random_password" "token" {
  length  = 40
  special = false
}

ephemeral "random_password" "notice_secrets" {
  length  = 40
  special = false
}

locals {
  secrets = {
    secret_key = {
      variable = "SLUICE_SECRET_KEY"
      purpose  = "encrypts-credentials"
      readers  = keys(local.functions)
      version  = 1
    }
    token = {
      variable = "SLUICE_TOKEN"
      purpose  = "first-users-token"
      readers  = keys(local.functions)
      version  = var.secret_versions.token
    }
    notice_secrets = {
      variable = "SLUICE_NOTICE_SECRETS"
      purpose  = "senders-of-notifications"
      readers  = ["bucket_webhook"]
      version  = var.secret_versions.notice_secrets
    }
  }
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  project             = var.project
  secret_id           = "${var.name}-${replace(each.key, "_", "-")}"
  labels              = merge(local.labels, { purpose = each.value.purpose })
  deletion_protection = var.deletion_protection
  version_destroy_ttl = "604800s" # 7 days to think better of it

  replication {
    auto {}
  }

  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_version" "secret_key" {
  secret = google_secret_manager_secret.this["secret_key"].id
  # A Fernet key: 32 bytes as URL-safe base64. 32 letters and digits are 190 bits of chance, and none of their base64
  # is a character that the two alphabets write differently.
  secret_data_wo         = base64encode(ephemeral.random_password.secret_key.result)
  secret_data_wo_version = local.secrets.secret_key.version
  deletion_policy        = "DELETE"
}

resource "google_secret_manager_secret_version" "token" {
  secret                 = google_secret_manager_secret.this["token"].id
  secret_data_wo         = ephemeral.random_password.token.result
  secret_data_wo_version = local.secrets.token.version
  deletion_policy        = "DELETE"
}

resource "google_secret_manager_secret_version" "notice_secrets" {
  secret                 = google_secret_manager_secret.this["notice_secrets"].id
  secret_data_wo         = ephemeral.random_password.notice_secrets.result
  secret_data_wo_version = local.secrets.notice_secrets.version
  deletion_policy        = "DELETE"
}
