variable "project" {
  description = "Id of the Google Cloud project that Sluice is deployed in."
  type        = string
}

variable "region" {
  description = "Region of the functions, such as europe-west1."
  type        = string
}

variable "source_zip" {
  description = "Path of the functions' source, which `make package` prints."
  type        = string
}

variable "gcs_bucket" {
  description = "Bucket of Google Cloud Storage, of the same project, that is imported from."
  type        = string
}

variable "s3_bucket" {
  description = "Bucket of Amazon S3 that is imported from."
  type        = string
}

variable "s3_region" {
  description = "Region of s3_bucket."
  type        = string
}

variable "s3_prefix" {
  description = "Prefix of s3_bucket that is imported from, such as photos/. Empty: all of it."
  type        = string
  default     = ""
}

variable "azure_subscription_id" {
  description = "Azure subscription of the storage account."
  type        = string
}

variable "azure_tenant_id" {
  description = "Entra tenant of the subscription."
  type        = string
}

variable "azure_storage_account_id" {
  description = "Resource id of the storage account."
  type        = string
}

variable "azure_container" {
  description = "Container that is imported from."
  type        = string
}

variable "notice_secret" {
  description = "What Event Grid sends to prove who it is. The first apply makes it, and the output notice_secret_command prints it: give it to the second one as TF_VAR_notice_secret. Empty: Azure does not notify."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true
}
