terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.0"
    }
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.0"
    }
  }

  # The state holds the secret that Event Grid sends: keep it in a bucket that few may read.
  # backend "gcs" {
  #   bucket = "my-terraform-states"
  #   prefix = "sluice"
  # }
}

provider "google" {
  project = var.project
  region  = var.region
}

# A bucket's region: SNS topics must be where the bucket is.
provider "aws" {
  region = var.s3_region
}

provider "azurerm" {
  features {}
  subscription_id = var.azure_subscription_id
}

provider "azuread" {
  tenant_id = var.azure_tenant_id
}
