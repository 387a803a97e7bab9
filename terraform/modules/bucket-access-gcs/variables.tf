variable "bucket" {
  description = "Name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.bucket))
    error_message = "bucket is the name alone, without gs:// and without a path."
  }
}

variable "prefix" {
  description = "Limits the access to objects whose names begin so, taken literally: a folder needs its slash at the end (\"2024/\"). Empty: the whole bucket. The bucket must have uniform bucket-level access."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # What is between quotes in a condition must not be able to end them.
    condition     = !startswith(var.prefix, "/") && !can(regex("[\"\\\\*]", var.prefix))
    error_message = "prefix begins with the first folder's name, not with a slash, and has no quote, backslash or * in it."
  }
}

variable "readers" {
  description = "Who lists and reads: any name => IAM member (serviceAccount:...). A map, because the names must be known before the service accounts are made."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.readers) : can(regex("^(serviceAccount|principal|principalSet):", member))])
    error_message = "readers are members such as serviceAccount:name@project.iam.gserviceaccount.com, nobody wider."
  }
}

variable "writers" {
  description = "Who lists, reads, writes and deletes: any name => IAM member. Whoever is named here need not be in readers."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.writers) : can(regex("^(serviceAccount|principal|principalSet):", member))])
    error_message = "writers are members such as serviceAccount:name@project.iam.gserviceaccount.com, nobody wider."
  }
}
