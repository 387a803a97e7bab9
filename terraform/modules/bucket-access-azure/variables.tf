variable "service_accounts" {
  description = "Google service accounts that sign in as the application: name => numeric unique id."
  type        = map(string)

  validation {
    condition     = length(var.service_accounts) >= 1 && length(var.service_accounts) <= 20
    error_message = "service_accounts are one at least, and twenty at most: an application has no more federated credentials."
  }
  validation {
    condition     = alltrue([for id in values(var.service_accounts) : can(regex("^[0-9]+$", id))])
    error_message = "service_accounts are named by their numeric unique ids, not by e-mail addresses."
  }
  validation {
    condition     = alltrue([for name in keys(var.service_accounts) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$", name))])
    error_message = "The names of service_accounts become names of federated credentials: 3 to 120 letters, digits, _ and -."
  }
}

variable "storage_accounts" {
  description = "Storage accounts: any name => resource id. The names stand in read_containers and write_containers."
  type        = map(string)

  validation {
    condition     = alltrue([for id in values(var.storage_accounts) : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Storage/storageAccounts/[a-z0-9]+$", id))])
    error_message = "storage_accounts must read /subscriptions/<s>/resourceGroups/<g>/providers/Microsoft.Storage/storageAccounts/<account>."
  }
}

variable "read_containers" {
  description = "Containers that are read: import and dataset storages, and media."
  type = list(object({
    account   = string
    container = string
  }))
  default = []

  validation {
    condition     = alltrue([for one in var.read_containers : contains(keys(var.storage_accounts), one.account)])
    error_message = "account of each of read_containers is a name in storage_accounts."
  }
}

variable "write_containers" {
  description = "Containers that are written to, and read: export storages. Azure's role for that may delete, too."
  type = list(object({
    account   = string
    container = string
  }))
  default = []

  validation {
    condition     = alltrue([for one in var.write_containers : contains(keys(var.storage_accounts), one.account)])
    error_message = "account of each of write_containers is a name in storage_accounts."
  }
}

variable "sign_urls" {
  description = "Whether browsers load blobs by signed URLs, for which Azure lends the application a key. Without it Sluice streams."
  type        = bool
  default     = true
}

variable "name" {
  description = "Display name of the application."
  type        = string
  default     = "Sluice"
}

variable "tags" {
  description = "Tags of application and service principal, which are words of Entra ID, not pairs."
  type        = set(string)
  default     = []
}
