output "notification_id" {
  description = "Id of the bucket's notification config."
  value       = google_storage_notification.this.notification_id
}
