variable "bucket" {
  description = "Name of the bucket that is to tell of its objects. The aws provider's region must be the bucket's."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket is the name alone, without s3:// and without a path."
  }
  validation {
    condition     = var.name != "" || length(var.bucket) <= 57
    error_message = "The name of this bucket is too long to make others of it: give a name."
  }
}

variable "bucket_account_id" {
  description = "AWS account that owns the bucket. Empty: the one that the topic is made in."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9]{12})?$", var.bucket_account_id))
    error_message = "bucket_account_id has twelve digits."
  }
}

variable "prefix" {
  description = "How the keys of objects that are told of begin, taken literally: a folder needs its slash at the end (\"2024/\"). Empty: all objects."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = !startswith(var.prefix, "/") && !endswith(var.prefix, "*")
    error_message = "prefix begins with the first folder's name, not with a slash, and is literal: leave the * away."
  }
}

variable "url" {
  description = "URL of bucket_webhook: the deployment's output bucket_webhook_url."
  type        = string

  validation {
    condition     = can(regex("^https://[^?#]+$", var.url))
    error_message = "url begins with https:// and has no query: no secret belongs in it."
  }
}

variable "via" {
  description = "How the bucket tells: \"sns\", whose messages are signed, or \"eventbridge\", which needs a secret."
  type        = string
  default     = "sns"
  nullable    = false

  validation {
    condition     = contains(["sns", "eventbridge"], var.via)
    error_message = "via is sns or eventbridge."
  }
}

# Looked at where it is used: what a validation refuses, Terraform prints, secret or not.
variable "secret" {
  description = "With eventbridge: one of the server's SLUICE_NOTICE_SECRETS, sent as header X-Sluice-Secret. It lies in the state."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true
}

variable "manage_bucket_notification" {
  description = "Whether this module sets the bucket's notification configuration, all of it. False where others are told by the bucket, too: the README says how to add this one."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_id" {
  description = "With sns: KMS key that encrypts the topic; its policy must let S3 publish (README). Null: not encrypted at rest, which is names of objects for as long as they are under way."
  type        = string
  default     = null

  validation {
    # The key that AWS manages has a policy that nobody can change, and S3 isn't in it: nothing would ever arrive.
    condition     = var.kms_key_id == null ? true : !endswith(var.kms_key_id, "alias/aws/sns")
    error_message = "kms_key_id must be a key of your own: S3 may not use alias/aws/sns."
  }
}

variable "confirmation_minutes" {
  description = "With sns: how long to wait for the server to confirm the subscription."
  type        = number
  default     = 5
  nullable    = false
}

variable "name" {
  description = "Name of all that is made. Empty: sluice-<bucket>."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_-]{1,64})?$", var.name))
    error_message = "name has at most 64 letters, digits, _ and -."
  }
}

variable "tags" {
  description = "Tags of all that can have some."
  type        = map(string)
  default     = {}
}
