"""A small folder of Terraform's files that is right, to be spoilt or applied by tests."""

from pathlib import Path

PROVIDERS = """\
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }
}

provider "google" {
  project = "sample"
  region  = "europe-west1"
}
"""

SAMPLE = """\
variable "name" {
  type    = string
  default = "sample"
  validation {
    condition     = length(var.name) < 20
    error_message = "The name is too long for an account."
  }
}

ephemeral "random_password" "key" {
  length = 40
}

resource "google_service_account" "api" {
  account_id = var.name
}

resource "google_cloud_tasks_queue" "runs" {
  name     = "${var.name}-runs"
  location = "europe-west1"
  rate_limits {
    max_dispatches_per_second = 50
  }
}

resource "google_secret_manager_secret" "key" {
  secret_id = "key"
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "key" {
  secret                 = google_secret_manager_secret.key.id
  secret_data_wo         = ephemeral.random_password.key.result
  secret_data_wo_version = 1
}

resource "google_cloudfunctions2_function" "api" {
  name     = "api"
  location = "europe-west1"
  build_config {
    runtime     = "python311"
    entry_point = "api"
  }
  service_config {
    service_account_email = google_service_account.api.email
    environment_variables = {
      LEVEL = "INFO"
      QUEUE = google_cloud_tasks_queue.runs.id
    }
  }
}

output "queue" {
  value = google_cloud_tasks_queue.runs.id
}

output "uri" {
  value = google_cloudfunctions2_function.api.service_config[0].uri
}
"""


def write(folder: Path, text: str = SAMPLE, **modules: str) -> Path:
    """A folder with one file, and modules in folders below it."""
    folder.mkdir(parents=True)
    (folder / "versions.tf").write_text(PROVIDERS)
    (folder / "main.tf").write_text(text)
    for name, module in modules.items():
        (folder / name).mkdir()
        (folder / name / "main.tf").write_text(module)
    return folder
