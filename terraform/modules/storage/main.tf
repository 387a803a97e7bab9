locals {
  base = { import = "/api/storages", export = "/api/storages/export", dataset = "/api/storages/dataset" }
  path = "${local.base[var.direction]}/${var.type}"
  url  = trimsuffix(var.url, "/")

  # What makes it this storage and no other; all else can be edited.
  identity = { project = var.project, type = var.type, path = local.path, name = var.name }
}

# That there is such a storage. It does nothing when it is made: so it is never tainted, and its deletion always runs.
resource "terraform_data" "storage" {
  triggers_replace = local.identity
  input            = { url = local.url, keep = var.keep_on_destroy, python = var.python }

  provisioner "local-exec" {
    when        = destroy
    interpreter = [self.input.python, "${path.module}/register.py"]
    command     = "forget"
    environment = { SLUICE_STORAGE = jsonencode(merge(self.triggers_replace, self.input)) }
  }
}

# What is set of it. Replacing this resource edits the storage, as provisioners run for nothing else.
resource "terraform_data" "settings" {
  triggers_replace = {
    storage         = terraform_data.storage.id
    url             = local.url
    settings        = var.settings
    secrets_version = var.secrets_version
  }

  provisioner "local-exec" {
    interpreter = [var.python, "${path.module}/register.py"]
    command     = "ensure"
    environment = {
      SLUICE_STORAGE = jsonencode(merge(local.identity, { url = local.url, settings = var.settings }))
      SLUICE_SECRETS = jsonencode(var.secrets)
    }
  }
}

# A resource of its own, so that a sync that fails is tried again without another edit.
resource "terraform_data" "sync" {
  count = var.sync == "none" ? 0 : 1

  triggers_replace = { settings = terraform_data.settings.id }

  provisioner "local-exec" {
    interpreter = [var.python, "${path.module}/register.py"]
    command     = "sync"
    environment = {
      SLUICE_STORAGE = jsonencode(merge(local.identity, {
        url  = local.url
        wait = var.sync == "wait" ? var.sync_timeout : 0
      }))
    }
  }
}
