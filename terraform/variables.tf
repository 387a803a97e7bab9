variable "project" {
  description = "Id of the Google Cloud project that everything is made in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region of the functions, queues and images, such as europe-west1: best that of the buckets."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Name a region such as europe-west1, not a zone or a multi-region."
  }
}

variable "source_zip" {
  description = "Path of the zip of the functions' source, which `make package` builds. Its content decides whether the functions are deployed anew."
  type        = string

  validation {
    condition     = can(filesha256(var.source_zip))
    error_message = "There is no such file: build it with `make package`, which prints its path."
  }
}

variable "name" {
  description = "Name of this deployment: what all that is made begins with. Another name in the same project is another deployment."
  type        = string
  default     = "sluice"

  validation {
    # A service account's id has at most 30 characters, and -export-annotations is the longest of what follows.
    condition     = can(regex("^[a-z][a-z0-9-]{1,9}[a-z0-9]$", var.name))
    error_message = "Take 3 to 11 lower-case letters, digits and hyphens."
  }
}

variable "firestore_location" {
  description = "Location of the documents: a region, or nam5 or eur3. The region of the functions unless given. It can't be changed later."
  type        = string
  default     = null
}

variable "firestore_backup_days" {
  description = "Days for which daily backups of the documents are kept; 0 makes none."
  type        = number
  default     = 7

  validation {
    condition     = var.firestore_backup_days >= 0 && var.firestore_backup_days <= 98
    error_message = "Firestore keeps backups for 14 weeks at most: 0 to 98 days."
  }
}

variable "deletion_protection" {
  description = "Whether the documents and the source's bucket are safe from `terraform destroy`. `make destroy` lifts it."
  type        = bool
  default     = true
}

variable "runtime" {
  description = "Runtime of the functions."
  type        = string
  default     = "python311"

  validation {
    condition     = contains(["python311", "python312", "python313"], var.runtime)
    error_message = "Sluice runs on python311 (which it is tested on), python312 or python313."
  }
}

variable "hostname" {
  description = "URL under which browsers reach the API, if it is not the function's own: https://label.example.org."
  type        = string
  default     = ""

  validation {
    condition     = var.hostname == "" || can(regex("^https://[^/]+$", var.hostname))
    error_message = "Write https:// and the host, without a path."
  }
}

variable "settings" {
  description = "Further settings of the functions, by the names of their environment variables: SLUICE_MAX_LANES, STORAGE_IN_PROGRESS_TIMER. No secrets."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for name in keys(var.settings) :
      can(regex("^(SLUICE_[A-Z0-9_]+|STORAGE_IN_PROGRESS_TIMER|SYNC_ON_TARGET_STORAGE_CREATION|AZURE_AUTHORITY_HOST)$", name))
    ])
    error_message = "Settings are named SLUICE_... (shared/settings.py lists them)."
  }
  validation {
    condition = alltrue([
      for name in keys(var.settings) : !contains(["SLUICE_SECRET_KEY", "SLUICE_TOKEN", "SLUICE_NOTICE_SECRETS"], name)
    ])
    error_message = "Secrets are kept in Secret Manager, never among the settings."
  }
  validation {
    condition     = !contains(keys(var.settings), "SLUICE_TRUST_CALLERS")
    error_message = "SLUICE_TRUST_CALLERS would let everybody call the functions: it is for laptops."
  }
}

variable "sizes" {
  description = "Other sizes of single functions than those of infra/functions.json: {sync_chunk = {memory = \"2Gi\", max_instances = 200}}."
  type = map(object({
    memory        = optional(string)
    cpu           = optional(string)
    concurrency   = optional(number)
    min_instances = optional(number)
    max_instances = optional(number)
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.sizes) : contains(keys(jsondecode(file("${path.module}/../infra/functions.json")).functions), name)])
    error_message = "Name functions of infra/functions.json."
  }
}

variable "queue_pool" {
  description = "Queues per kind of message; more of them share the load of many runs. Change it only while no sync is under way."
  type        = number
  default     = 1

  validation {
    condition     = var.queue_pool >= 1 && var.queue_pool <= 50 && floor(var.queue_pool) == var.queue_pool
    error_message = "Take a whole number from 1 to 50."
  }
}

variable "read_buckets" {
  description = "Buckets of Google Cloud Storage that import and dataset storages may read by the functions' own identity."
  type        = set(string)
  default     = []
}

variable "write_buckets" {
  description = "Buckets of Google Cloud Storage that export storages may read and write by the functions' own identity."
  type        = set(string)
  default     = []
}

variable "notify_buckets" {
  description = "Buckets of Google Cloud Storage of this project that tell of new, changed and deleted objects, so that storages with auto_sync follow within seconds."
  type        = set(string)
  default     = []
}

variable "sns_topics" {
  description = "ARNs of the Amazon SNS topics that bucket_webhook listens to."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for topic in var.sns_topics : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$", topic))])
    error_message = "Write ARNs of topics: arn:aws:sns:eu-west-1:123456789012:name."
  }
}

variable "aws_web_identity_role_arn" {
  description = "The AWS role that the functions take by their Google identity, for S3 storages without keys. The module bucket-access-s3 makes one."
  type        = string
  default     = ""

  validation {
    condition     = var.aws_web_identity_role_arn == "" || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.aws_web_identity_role_arn))
    error_message = "Write the ARN of a role: arn:aws:iam::123456789012:role/name."
  }
}

variable "azure_google_identity" {
  description = "Whether Azure storages with auth_mode workload_identity sign in by the functions' Google identity. The module bucket-access-azure makes the application."
  type        = bool
  default     = false
}

variable "public_invokers" {
  description = "Who may call api and bucket_webhook at all, before their own authentication: everybody. An organisation that forbids allUsers names a load balancer's or gateway's account here."
  type        = list(string)
  default     = ["allUsers"]
}

variable "ingress" {
  description = "From where api and bucket_webhook are reached: ALLOW_ALL, or ALLOW_INTERNAL_AND_GCLB behind a load balancer."
  type        = string
  default     = "ALLOW_ALL"

  validation {
    condition     = contains(["ALLOW_ALL", "ALLOW_INTERNAL_AND_GCLB"], var.ingress)
    error_message = "Write ALLOW_ALL or ALLOW_INTERNAL_AND_GCLB."
  }
}

variable "secret_versions" {
  description = "Increase a number to have the secret made anew: token and notice_secrets. The encryption key is never made anew, since stored credentials would be lost; docs/deploy.md says how it is rotated."
  type = object({
    token          = optional(number, 1)
    notice_secrets = optional(number, 1)
  })
  default = {}
}

variable "alert_emails" {
  description = "Who is told when an alert opens."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "Write addresses of e-mail."
  }
}

variable "alert_channels" {
  description = "Further notification channels, by their full names: projects/<project>/notificationChannels/<id>."
  type        = set(string)
  default     = []
}

variable "alert_latency_seconds" {
  description = "95th percentile of the API's answers beyond which an alert opens."
  type        = number
  default     = 5
}

variable "labels" {
  description = "Labels of all that can have labels."
  type        = map(string)
  default     = {}
}
