# What happens in buckets of Google Cloud Storage, pushed to bucket_event.

resource "google_pubsub_topic" "bucket_events" {
  #checkov:skip=CKV_GCP_83:Messages name objects and have no content; Google's own keys encrypt them
  project                    = var.project
  name                       = "${var.name}-bucket-events"
  labels                     = local.labels
  message_retention_duration = "604800s" # 7 days, to be replayed after a mishap

  depends_on = [google_project_service.this]
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "${var.name}-push"
  display_name = "Sluice: as whom Pub/Sub pushes notifications"
}

# Pub/Sub makes the tokens of that account. Younger projects allow it anyway.
resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent

  depends_on = [google_pubsub_topic.bucket_events] # before that the agent may not be there
}

resource "google_pubsub_subscription" "bucket_events" {
  project                    = var.project
  name                       = "${var.name}-bucket-events"
  topic                      = google_pubsub_topic.bucket_events.id
  labels                     = local.labels
  ack_deadline_seconds       = local.functions.bucket_event.timeout_seconds
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = "" # never
  }

  push_config {
    push_endpoint = local.urls.bucket_event

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = local.urls.bucket_event
    }
  }

  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 100
  }

  depends_on = [google_service_account_iam_member.push_tokens]
}

# What could not be delivered in a hundred attempts, which are most of a day: kept and told of. A notification that is
# lost is made up for by the next sync.
resource "google_pubsub_topic" "dead_letters" {
  #checkov:skip=CKV_GCP_83:Messages name objects and have no content; Google's own keys encrypt them
  project = var.project
  name    = "${var.name}-dead-letters"
  labels  = local.labels

  depends_on = [google_project_service.this]
}

resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project
  name                       = "${var.name}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  labels                     = local.labels
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  project = var.project
  topic   = google_pubsub_topic.dead_letters.name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  project      = var.project
  subscription = google_pubsub_subscription.bucket_events.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

data "google_storage_project_service_account" "gcs" {
  project = var.project

  depends_on = [google_project_service.this]
}

# Once for all buckets of the project.
resource "google_pubsub_topic_iam_member" "gcs" {
  project = var.project
  topic   = google_pubsub_topic.bucket_events.name
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.gcs.member
}

module "bucket_notification" {
  source   = "./modules/bucket-notification-gcs"
  for_each = var.notify_buckets

  bucket = each.value
  topic  = google_pubsub_topic.bucket_events.id

  depends_on = [google_pubsub_topic_iam_member.gcs]
}
