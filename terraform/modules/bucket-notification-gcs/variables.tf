variable "bucket" {
  description = "Name of the bucket that is to tell of its objects."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.bucket))
    error_message = "bucket is the name alone, without gs:// and without a path."
  }
}

variable "topic" {
  description = "Topic that the bucket publishes to, as projects/<project>/topics/<topic>: the deployment's output bucket_event_topic."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/topics/[^/]+$", var.topic))
    error_message = "topic must read projects/<project>/topics/<topic>."
  }
}

variable "prefix" {
  description = "How the names of objects that are told of begin, taken literally: a folder needs its slash at the end (\"2024/\"). Empty: all objects."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = !startswith(var.prefix, "/") && !endswith(var.prefix, "*")
    error_message = "prefix begins with the first folder's name, not with a slash, and is literal: leave the * away."
  }
}
