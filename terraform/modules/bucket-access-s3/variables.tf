variable "service_accounts" {
  description = "Google service accounts that may take the role: name => numeric unique id."
  type        = map(string)

  validation {
    condition     = length(var.service_accounts) > 0
    error_message = "service_accounts names one at least: without any, everybody's Google account could be let in."
  }
  validation {
    condition     = alltrue([for id in values(var.service_accounts) : can(regex("^[0-9]+$", id))])
    error_message = "service_accounts are named by their numeric unique ids, not by e-mail addresses."
  }
}

variable "audience" {
  description = "Whom the service accounts' tokens are for: the server's SLUICE_AWS_WEB_IDENTITY_AUDIENCE."
  type        = string
  default     = "sluice"
  nullable    = false

  validation {
    condition     = can(regex("^[^*?$]+$", var.audience))
    error_message = "audience is not empty, and has no *, ? or $ in it."
  }
}

variable "read_buckets" {
  description = "Buckets that are read: import and dataset storages, and media. With prefixes (literal: a folder needs its slash at the end), only what lies below them; the README says what that costs."
  type = list(object({
    bucket   = string
    prefixes = optional(list(string), [])
  }))
  default = []

  validation {
    condition     = alltrue([for one in var.read_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", one.bucket))])
    error_message = "bucket of each of read_buckets is the name alone, without s3:// and without a path."
  }
  validation {
    condition     = alltrue(flatten([for one in var.read_buckets : [for prefix in one.prefixes : can(regex("^[^/*?$][^*?$]*$", prefix))]]))
    error_message = "prefixes of read_buckets are not empty, begin with no slash, and have no *, ? or $ in them."
  }
}

variable "write_buckets" {
  description = "Buckets that are written to, and read: export storages. can_delete: whether an export storage there has can_delete_objects."
  type = list(object({
    bucket     = string
    prefixes   = optional(list(string), [])
    can_delete = optional(bool, false)
  }))
  default = []

  validation {
    condition     = alltrue([for one in var.write_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", one.bucket))])
    error_message = "bucket of each of write_buckets is the name alone, without s3:// and without a path."
  }
  validation {
    condition     = alltrue(flatten([for one in var.write_buckets : [for prefix in one.prefixes : can(regex("^[^/*?$][^*?$]*$", prefix))]]))
    error_message = "prefixes of write_buckets are not empty, begin with no slash, and have no *, ? or $ in them."
  }
  validation {
    condition     = length(var.read_buckets) + length(var.write_buckets) + length(var.assumable_role_arns) > 0
    error_message = "Name one of read_buckets, write_buckets or assumable_role_arns at least."
  }
}

variable "read_kms_key_arns" {
  description = "KMS keys that objects of read_buckets are encrypted with."
  type        = list(string)
  default     = []
}

variable "write_kms_key_arns" {
  description = "KMS keys that objects of write_buckets are, and are to be, encrypted with."
  type        = list(string)
  default     = []
}

variable "assumable_role_arns" {
  description = "Roles that s3s storages without keys assume."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.assumable_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "assumable_role_arns are ARNs of single roles."
  }
}

variable "name" {
  description = "Name of the role."
  type        = string
  default     = "sluice"
  nullable    = false
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
}
