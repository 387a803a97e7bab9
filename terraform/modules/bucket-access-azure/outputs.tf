output "client_id" {
  description = "The application's id: SLUICE_AZURE_CLIENT_ID of the server, or client_id of an azure_spi storage."
  value       = azuread_application.this.client_id
}

output "tenant_id" {
  description = "The tenant: SLUICE_AZURE_TENANT_ID of the server."
  value       = azuread_service_principal.this.application_tenant_id
}

output "principal_id" {
  description = "Object id of the service principal, for role assignments of your own."
  value       = azuread_service_principal.this.object_id
}
