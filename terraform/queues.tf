resource "google_cloud_tasks_queue" "this" {
  for_each = local.queues

  project  = var.project
  location = var.region
  name     = each.key

  rate_limits {
    max_dispatches_per_second = each.value.dispatches_per_second
    max_concurrent_dispatches = each.value.concurrent_dispatches
  }

  # Messages are permits: what must not be tried for ever is counted in documents. A message that the queue dropped
  # would only be noticed by the sweep.
  retry_config {
    max_attempts       = -1
    max_retry_duration = "0s"
    min_backoff        = "${each.value.min_backoff_seconds}s"
    max_backoff        = "${each.value.max_backoff_seconds}s"
    max_doublings      = 6
  }

  stackdriver_logging_config {
    sampling_ratio = 0.1
  }

  depends_on = [google_project_service.this]
}

# As whom the queues call. It may call, and nothing else.
resource "google_service_account" "queue" {
  project      = var.project
  account_id   = "${var.name}-queue"
  display_name = "Sluice: as whom the queues call functions"
}

resource "google_cloud_tasks_queue_iam_member" "enqueuer" {
  for_each = { for pair in setproduct(keys(local.queues), local.needing.queue) : "${pair[0]} ${pair[1]}" => pair }

  project  = var.project
  location = var.region
  name     = google_cloud_tasks_queue.this[each.value[0]].name
  role     = "roles/cloudtasks.enqueuer"
  member   = module.function[each.value[1]].member
}

# A run is judged by whether the queue still knows its messages.
resource "google_cloud_tasks_queue_iam_member" "viewer" {
  for_each = { for pair in setproduct(keys(local.queues), local.needing.queue) : "${pair[0]} ${pair[1]}" => pair }

  project  = var.project
  location = var.region
  name     = google_cloud_tasks_queue.this[each.value[0]].name
  role     = "roles/cloudtasks.viewer"
  member   = module.function[each.value[1]].member
}

# Who enqueues hands the queue that account.
resource "google_service_account_iam_member" "acts_as_queue" {
  for_each = local.needing.queue

  service_account_id = google_service_account.queue.name
  role               = "roles/iam.serviceAccountUser"
  member             = module.function[each.value].member
}
