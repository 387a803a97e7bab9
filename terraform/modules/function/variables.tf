variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "name" {
  description = "Name of the function, of its service and of its account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.name))
    error_message = "Take 6 to 30 lower-case letters, digits and hyphens: it names a service account too."
  }
}

variable "target" {
  description = "The function in main.py."
  type        = string
}

variable "description" {
  description = "What it does."
  type        = string
}

variable "labels" {
  description = "Labels of the function."
  type        = map(string)
}

variable "runtime" {
  description = "Such as python311."
  type        = string
}

variable "source_bucket" {
  description = "Bucket of the source."
  type        = string
}

variable "source_object" {
  description = "Zip of the source in that bucket."
  type        = string
}

variable "build_service_account" {
  description = "Id (projects/.../serviceAccounts/...) of the account that builds the image."
  type        = string
}

variable "docker_repository" {
  description = "Id of the repository that images are kept in."
  type        = string
}

variable "memory" {
  description = "Memory of an instance, such as 512Mi."
  type        = string
}

variable "cpu" {
  description = "CPUs of an instance; several requests at once need at least 1."
  type        = string
}

variable "concurrency" {
  description = "Requests at once in an instance."
  type        = number
}

variable "min_instances" {
  description = "Instances that are kept warm, and paid for."
  type        = number
}

variable "max_instances" {
  description = "Instances at most."
  type        = number
}

variable "timeout_seconds" {
  description = "Seconds after which a request is given up."
  type        = number

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 3600
    error_message = "A request may take an hour at most."
  }
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
}

variable "secrets" {
  description = "Environment variables whose values are secrets: name to the secret's id."
  type        = map(string)
}

variable "invokers" {
  description = "Members who may call the function."
  type        = list(string)
}

variable "ingress" {
  description = "From where it is reached: ALLOW_ALL, ALLOW_INTERNAL_ONLY or ALLOW_INTERNAL_AND_GCLB."
  type        = string
}
