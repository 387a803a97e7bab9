# All of Sluice in one project. `make deploy PROJECT=... REGION=...` applies this folder.

terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # The state lies in this folder. For more than a trial copy the folder and keep the state in a bucket:
  # backend "gcs" {
  #   bucket = "my-terraform-states"
  #   prefix = "sluice"
  # }
}

provider "google" {
  project = var.project
  region  = var.region
}

variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region, such as europe-west1."
  type        = string
}

variable "name" {
  description = "What all that is made begins with: 3 to 11 lower-case letters, digits and hyphens."
  type        = string
  default     = "sluice"
}

variable "source_zip" {
  description = "Path of the functions' source, which `make package` prints."
  type        = string
}

variable "read_buckets" {
  description = "Buckets that storages may import from."
  type        = set(string)
  default     = []
}

variable "alert_emails" {
  description = "Who is told when something is wrong."
  type        = set(string)
  default     = []
}

variable "deletion_protection" {
  description = "Whether documents are safe from `terraform destroy`."
  type        = bool
  default     = true
}

module "sluice" {
  source = "../.."

  project             = var.project
  region              = var.region
  name                = var.name
  source_zip          = var.source_zip
  read_buckets        = var.read_buckets
  notify_buckets      = var.read_buckets
  alert_emails        = var.alert_emails
  deletion_protection = var.deletion_protection
}

output "url" {
  description = "Where the API is."
  value       = module.sluice.url
}

output "token_command" {
  description = "Prints the first user's token."
  value       = module.sluice.token_command
}

output "service_accounts" {
  description = "As whom the functions run: whom to grant access to buckets."
  value       = module.sluice.service_accounts
}

output "notification_commands" {
  description = "What makes a bucket notify this deployment."
  value       = module.sluice.notification_commands
}
