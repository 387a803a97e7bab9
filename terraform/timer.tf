resource "google_service_account" "timer" {
  project      = var.project
  account_id   = "${var.name}-timer"
  display_name = "Sluice: as whom the timer calls functions"
}

resource "google_cloud_scheduler_job" "this" {
  for_each = local.triggered.timer

  project          = var.project
  region           = var.region
  name             = local.names[each.key]
  description      = each.value.description
  schedule         = each.value.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.timeout_seconds}s"

  # The next one comes in a minute.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = local.urls[each.key]

    oidc_token {
      service_account_email = google_service_account.timer.email
      audience              = local.urls[each.key]
    }
  }

  depends_on = [module.function]
}
