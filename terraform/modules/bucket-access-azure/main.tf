locals {
  readers = { for one in var.read_containers : "${one.account}/${one.container}" => one }
  writers = { for one in var.write_containers : "${one.account}/${one.container}" => one }
}

# It has no secret and no certificate: all that can sign in as it are the service accounts below.
resource "azuread_application" "this" {
  display_name     = var.name
  sign_in_audience = "AzureADMyOrg"
  tags             = var.tags
}

resource "azuread_service_principal" "this" {
  client_id = azuread_application.this.client_id
  tags      = var.tags
}

resource "azuread_application_federated_identity_credential" "this" {
  #checkov:skip=CKV_AZURE_249:the rule is about GitHub's tokens; this trusts single service accounts of Google
  for_each = var.service_accounts

  application_id = azuread_application.this.id
  display_name   = each.key
  description    = "Google service account ${each.key} of Sluice"
  issuer         = "https://accounts.google.com"
  subject        = each.value
  audiences      = ["api://AzureADTokenExchange"]
}

resource "azurerm_role_assignment" "reader" {
  for_each = local.readers

  scope                = "${var.storage_accounts[each.value.account]}/blobServices/default/containers/${each.value.container}"
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = azuread_service_principal.this.object_id

  # Said, since a new service principal is not known everywhere at once, and Azure would look for it.
  principal_type = "ServicePrincipal"
}

resource "azurerm_role_assignment" "writer" {
  for_each = local.writers

  scope                = "${var.storage_accounts[each.value.account]}/blobServices/default/containers/${each.value.container}"
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azuread_service_principal.this.object_id
  principal_type       = "ServicePrincipal"
}

# A key is lent for the account, not for a container; it signs no more than the application may do.
resource "azurerm_role_assignment" "delegator" {
  for_each = var.sign_urls ? var.storage_accounts : {}

  scope                = each.value
  role_definition_name = "Storage Blob Delegator"
  principal_id         = azuread_service_principal.this.object_id
  principal_type       = "ServicePrincipal"
}
