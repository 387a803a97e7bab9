variable "storage_account_id" {
  description = "Resource id of the storage account."
  type        = string

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Storage/storageAccounts/[a-z0-9]+$", var.storage_account_id))
    error_message = "storage_account_id must read /subscriptions/<s>/resourceGroups/<g>/providers/Microsoft.Storage/storageAccounts/<account>."
  }
}

variable "container" {
  description = "Name of the container that is to tell of its blobs."
  type        = string

  validation {
    condition     = can(regex("^(\\$web|\\$root|[a-z0-9][a-z0-9-]{1,61}[a-z0-9])$", var.container))
    error_message = "container is the name alone."
  }
}

variable "prefix" {
  description = "How the names of blobs that are told of begin, taken literally: a folder needs its slash at the end (\"2024/\"). Empty: all blobs."
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
    error_message = "url begins with https:// and has no query: the secret is added by this module."
  }
}

# Looked at where it is used: what a validation refuses, Terraform prints, secret or not.
variable "secret" {
  description = "One of the server's SLUICE_NOTICE_SECRETS, sent as ?secret=. It lies in the state. Empty where entra proves who sends."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true
}

variable "entra" {
  description = "Event Grid brings tokens of this tenant for this application (its id or URI): the server's SLUICE_ENTRA_AUDIENCE. Null where a secret proves who sends."
  type = object({
    tenant_id   = string
    application = string
  })
  default = null
}

variable "dead_letters" {
  description = "Container for events that could not be delivered. Null: they are dropped, which the next sync makes good."
  type = object({
    storage_account_id = string
    container          = string
  })
  default = null

  validation {
    condition     = var.dead_letters == null ? true : lower(var.dead_letters.storage_account_id) != lower(var.storage_account_id) || var.dead_letters.container != var.container
    error_message = "dead_letters must be another container than the one that tells: each dead letter would be news."
  }
}

variable "name" {
  description = "Name of the subscription, of which the storage account has one each. Empty: sluice-<container>."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.name == "" || can(regex("^[A-Za-z0-9-]{3,64}$", var.name))
    error_message = "name has 3 to 64 letters, digits and hyphens."
  }
  validation {
    condition     = var.name != "" || can(regex("^[a-z0-9-]{1,57}$", var.container))
    error_message = "No name can be made of this container's: give one."
  }
}

variable "labels" {
  description = "Labels of the subscription."
  type        = list(string)
  default     = []
}
