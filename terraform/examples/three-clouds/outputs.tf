output "url" {
  description = "Where the API is."
  value       = module.sluice.url
}

output "token_command" {
  description = "Prints the first user's token."
  value       = module.sluice.token_command
}

output "notice_secret_command" {
  description = "Prints the secret that Event Grid is to send."
  value       = module.sluice.notification_commands.notice_secret
}
