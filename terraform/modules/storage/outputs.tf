output "name" {
  description = "Title of the storage, by which it is found."
  value       = var.name
  depends_on  = [terraform_data.settings]
}

output "path" {
  description = "Path of the API under which it lies: /api/storages/s3."
  value       = local.path
  depends_on  = [terraform_data.settings]
}

output "list_url" {
  description = "Where the API lists it, with its id and the state of its sync."
  value       = "${local.url}${local.path}/${var.project == null ? "" : "?project=${var.project}"}"
  depends_on  = [terraform_data.settings]
}
