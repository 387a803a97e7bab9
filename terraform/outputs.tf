output "url" {
  description = "Where the API is. Its documentation is at /docs."
  value       = var.hostname != "" ? var.hostname : local.urls.api

  depends_on = [module.function]
}

output "token_command" {
  description = "Prints the first user's token."
  value       = "gcloud secrets versions access latest --project=${var.project} --secret=${google_secret_manager_secret.this["token"].secret_id}"
}

output "bucket_webhook_url" {
  description = "Whom Amazon S3 (by SNS or EventBridge) and Azure Blob (by Event Grid) tell of what happens in buckets."
  value       = local.urls.bucket_webhook

  depends_on = [module.function]
}

output "bucket_event_topic" {
  description = "The Pub/Sub topic that buckets of Google Cloud Storage publish to."
  value       = google_pubsub_topic.bucket_events.id
}

output "notification_commands" {
  description = "What makes a bucket notify this deployment: for one bucket of each cloud, to be run by who may change it."
  value = {
    gcs            = "gcloud storage buckets notifications create gs://BUCKET --topic=${google_pubsub_topic.bucket_events.id} --event-types=OBJECT_FINALIZE,OBJECT_DELETE,OBJECT_ARCHIVE --payload-format=none"
    s3             = "aws sns subscribe --topic-arn TOPIC_ARN --protocol https --notification-endpoint ${local.urls.bucket_webhook}"
    azure          = "az eventgrid event-subscription create --name ${var.name} --source-resource-id STORAGE_ACCOUNT_ID --endpoint \"${local.urls.bucket_webhook}?secret=$(${local.notice_secret_command})\" --included-event-types Microsoft.Storage.BlobCreated Microsoft.Storage.BlobDeleted Microsoft.Storage.BlobRenamed --subject-begins-with /blobServices/default/containers/CONTAINER/"
    notice_secret  = local.notice_secret_command
    all_the_others = "sluice notifications enable STORAGE, with SLUICE_URL and SLUICE_TOKEN set"
  }
}

output "service_accounts" {
  description = "As whom the functions run, by target: whom to grant access to buckets. AWS and Azure know them by unique_id."
  value = {
    for target, function in module.function :
    target => { email = function.email, member = function.member, unique_id = function.unique_id }
  }
}

output "bucket_readers" {
  description = "The service accounts that read buckets, by target: name to unique id."
  value       = { for target in local.needing.read_buckets : target => module.function[target].unique_id }
}

output "bucket_writers" {
  description = "The service accounts that write to buckets, by target: name to unique id."
  value       = { for target in local.needing.write_buckets : target => module.function[target].unique_id }
}

output "dashboard" {
  description = "Where to look first."
  value       = "https://console.cloud.google.com/monitoring/dashboards?project=${var.project}"
}

locals {
  notice_secret_command = "gcloud secrets versions access latest --project=${var.project} --secret=${google_secret_manager_secret.this["notice_secrets"].secret_id}"
}
