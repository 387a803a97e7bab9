# Sluice in Google Cloud, with a bucket in each of three clouds: read without any stored key, and imported from within
# seconds of an upload. Nothing here makes a bucket, or changes one beyond who may read it and whom it notifies.

module "sluice" {
  source = "../.."

  project    = var.project
  region     = var.region
  source_zip = var.source_zip

  read_buckets   = [var.gcs_bucket]
  notify_buckets = [var.gcs_bucket]

  sns_topics                = [module.s3_notification.topic_arn]
  aws_web_identity_role_arn = module.s3_access.role_arn

  azure_google_identity = true
  settings = {
    SLUICE_AZURE_TENANT_ID = module.azure_access.tenant_id
    SLUICE_AZURE_CLIENT_ID = module.azure_access.client_id
  }
}

# Amazon S3: storages of type s3 without keys.

module "s3_access" {
  source = "../../modules/bucket-access-s3"

  service_accounts = module.sluice.bucket_readers
  read_buckets     = [{ bucket = var.s3_bucket }]
}

module "s3_notification" {
  source = "../../modules/bucket-notification-s3"

  bucket = var.s3_bucket
  prefix = var.s3_prefix
  url    = module.sluice.bucket_webhook_url
}

# Azure Blob: storages of type azure_spi with auth_mode workload_identity.

module "azure_access" {
  source = "../../modules/bucket-access-azure"

  service_accounts = module.sluice.bucket_readers
  storage_accounts = { images = var.azure_storage_account_id }
  read_containers  = [{ account = "images", container = var.azure_container }]
}

module "azure_notification" {
  source = "../../modules/bucket-notification-azure"
  # Whether there is a secret is none itself.
  count = nonsensitive(var.notice_secret != "") ? 1 : 0

  storage_account_id = var.azure_storage_account_id
  container          = var.azure_container
  url                = module.sluice.bucket_webhook_url
  secret             = var.notice_secret
}
