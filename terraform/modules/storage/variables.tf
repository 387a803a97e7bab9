variable "url" {
  description = "URL of the API. Another URL must be another way to the same server: what a former server has stays there."
  type        = string

  validation {
    condition     = can(regex("^https?://[^/?#@\\s]+(/[^?#\\s]*)?$", var.url))
    error_message = "Write it like https://sluice.example.org: no user, query or fragment."
  }
}

variable "name" {
  description = "Title of the storage. It is found again by it: one storage for each name, type, direction and project."
  type        = string

  validation {
    condition     = length(trimspace(var.name)) > 0 && var.name == trimspace(var.name)
    error_message = "Give a title without blanks around it."
  }
}

variable "project" {
  description = "Id of the labelling project; null for a dataset, which has none."
  type        = number
  default     = null

  validation {
    condition     = (var.project == null) == (var.direction == "dataset")
    error_message = "Imports and exports need the id of a project; a dataset has none."
  }
}

variable "type" {
  description = "Type of the storage: s3, gcs, azure, ... as in the API's paths."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]*$", var.type))
    error_message = "Write the type as the API's paths do: s3, gcs_sa."
  }
}

variable "direction" {
  description = "import: objects become tasks. export: annotations become objects. dataset: objects become records."
  type        = string
  default     = "import"

  validation {
    condition     = contains(["import", "export", "dataset"], var.direction)
    error_message = "There are import, export and dataset."
  }
}

variable "settings" {
  description = "Fields of the storage as the API takes them, none of them secret. What is not given has its default."
  type        = any

  validation {
    condition     = can(keys(var.settings))
    error_message = "Give an object of fields: { bucket = \"photos\" }."
  }

  validation {
    condition = !can(keys(var.settings)) || length(setintersection(keys(var.settings), [
      "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "external_id",
      "google_application_credentials",
      "account_key", "sas_token", "connection_string", "client_secret",
      "password",
    ])) == 0
    error_message = "Credentials belong into `secrets`: settings are kept in the state, where everybody reads them."
  }

  validation {
    condition     = !can(keys(var.settings)) || length(setintersection(keys(var.settings), ["id", "title", "project", "type"])) == 0
    error_message = "id, title, project and type are no settings: the title is `name`."
  }
}

variable "secrets" {
  description = "Credentials of the storage by the names of their fields. Never kept: neither in plans nor in the state."
  type        = map(string)
  default     = {}
  ephemeral   = true
  sensitive   = true
}

variable "secrets_version" {
  description = "Any text; change it to have other `secrets` sent, since nobody can tell that they changed."
  type        = string
  default     = ""
}

variable "sync" {
  description = "After the storage was made or changed: none, start (a sync), or wait (for its end)."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "start", "wait"], var.sync)
    error_message = "There are none, start and wait."
  }
}

variable "sync_timeout" {
  description = "Seconds to wait for the end of a sync. One that takes longer goes on all the same."
  type        = number
  default     = 3600

  validation {
    condition     = var.sync_timeout > 0
    error_message = "Give a number of seconds."
  }
}

variable "keep_on_destroy" {
  description = "Whether the storage stays on the server when it is destroyed or replaced here. Apply it before that."
  type        = bool
  default     = false
}

variable "python" {
  description = "Python 3.11 or later, on the machine that runs Terraform."
  type        = string
  default     = "python3"
}
