output "subscription_id" {
  description = "Id of the event subscription."
  value       = azurerm_eventgrid_event_subscription.this.id
}
