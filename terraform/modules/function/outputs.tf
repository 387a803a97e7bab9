output "name" {
  description = "Name of the function and of its Cloud Run service."
  value       = google_cloudfunctions2_function.this.name
}

output "service_account" {
  description = "Full name of the account that it runs as."
  value       = google_service_account.this.name
}

output "email" {
  description = "E-mail of that account."
  value       = google_service_account.this.email
}

output "member" {
  description = "That account as a member of policies."
  value       = google_service_account.this.member
}

output "unique_id" {
  description = "Number by which other clouds know that account."
  value       = google_service_account.this.unique_id
}
