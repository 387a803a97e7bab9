# What somebody is woken for, and why. The functions log one JSON object a line; `action` says what it is about.

locals {
  log_metrics = {
    stale_syncs = {
      description = "Syncs without a sign of life that the sweep, or whoever read the storage, marked failed."
      filter      = "${local.ours} AND jsonPayload.action=\"run.stale\""
    }
    failed_syncs = {
      description = "Syncs that ended as failed, for whatever reason."
      filter      = "${local.ours} AND jsonPayload.action=\"run.end\" AND jsonPayload.outcome=\"failed\""
    }
    ended_syncs = {
      description = "Syncs that ended."
      filter      = "${local.ours} AND jsonPayload.action=\"run.end\""
    }
    given_up = {
      description = "Annotations and webhooks that all attempts could not write or deliver."
      filter      = "${local.ours} AND jsonPayload.action=(\"export.failed\" OR \"webhook.give_up\")"
    }
  }
  services = [for name in values(local.names) : "\"${name}\""]
  revision = "resource.type=\"cloud_run_revision\""
  ours     = "${local.revision} AND resource.labels.service_name=(${join(" OR ", local.services)})"
  requests = "metric.type=\"run.googleapis.com/request_count\" AND ${local.revision}"
  ours_all = "${local.requests} AND resource.labels.service_name=one_of(${join(", ", local.services)})"

  # Each waits for a line in the log, for a number to pass a threshold, or for a good answer that does not come.
  # (Lines rather than metrics of them, since an alert on a metric that was made a moment ago is refused.)
  alerts = {
    stale_syncs = {
      title    = "a sync was found dead"
      severity = "WARNING"
      line     = local.log_metrics.stale_syncs.filter
      todo     = "The storage says failed, with the reason; a new sync goes on from where it was. Again and again: look for instances out of memory (sync_chunk) and for a paused or purged queue."
    }
    failed_syncs = {
      title    = "a sync failed"
      severity = "WARNING"
      line     = local.log_metrics.failed_syncs.filter
      todo     = "The storage's traceback says what is wrong and what to do: mostly a credential, a permission or a bucket that is gone. `sluice storages` shows it."
    }
    given_up = {
      title    = "something was given up"
      severity = "WARNING"
      line     = local.log_metrics.given_up.filter
      todo     = "export.failed: start a sync of the export storage once the cause is mended; it writes what is missing. webhook.give_up: the webhook tells the receiver's last answer."
    }
    dead_letters = {
      title    = "notifications could not be delivered"
      severity = "WARNING"
      todo     = "bucket_event refused them for most of a day: its log says why. Nothing is lost: the next sync finds what they told of. Pull them from the subscription to end the alert."
      above = {
        filter    = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
        threshold = 0
        duration  = "0s"
        aligner   = "ALIGN_MAX"
        reducer   = "REDUCE_MAX"
        by        = []
      }
    }
    errors = {
      title    = "more than 5 % of a function's answers are errors"
      severity = "ERROR"
      todo     = "The function's log has the reason, with the id that the caller was told. Queue and Pub/Sub deliver again what was not answered with 2xx."
      above = {
        filter    = "${local.ours_all} AND metric.labels.response_code_class=\"5xx\""
        of        = local.ours_all
        threshold = 0.05
        duration  = "300s"
        aligner   = "ALIGN_DELTA"
        reducer   = "REDUCE_SUM"
        by        = ["resource.labels.service_name"]
      }
    }
    latency = {
      title    = "the API is slow"
      severity = "WARNING"
      todo     = "Cold starts (`sizes = {api = {min_instances = 1}}` keeps one warm), too few instances, or a slow bucket behind validations and previews."
      above = {
        filter    = "metric.type=\"run.googleapis.com/request_latencies\" AND ${local.revision} AND resource.labels.service_name=\"${local.names.api}\""
        threshold = var.alert_latency_seconds * 1000
        duration  = "600s"
        aligner   = "ALIGN_PERCENTILE_95"
        reducer   = "REDUCE_MAX"
        by        = []
      }
    }
    silence = {
      title    = "the sweep does not run"
      severity = "CRITICAL"
      todo     = "Nothing heals what dies, nothing is judged stale, no schedule starts a sync. Look at the job of Cloud Scheduler, then at the function's log."
      absent   = "${local.requests} AND resource.labels.service_name=\"${local.names.sweep}\" AND metric.labels.response_code_class=\"2xx\""
    }
  }
}

resource "google_logging_metric" "this" {
  for_each = local.log_metrics

  project     = var.project
  name        = "${var.name}/${each.key}"
  description = each.value.description
  filter      = each.value.filter

  label_extractors = {
    storage = "EXTRACT(jsonPayload.storage)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "storage"
      value_type  = "STRING"
      description = "Id of the storage"
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  project      = var.project
  display_name = "Sluice: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = concat(values(google_monitoring_notification_channel.email)[*].id, tolist(var.alert_channels))
  user_labels           = local.labels

  conditions {
    display_name = each.value.title

    dynamic "condition_matched_log" {
      for_each = try([each.value.line], [])
      content {
        filter           = condition_matched_log.value
        label_extractors = { storage = "EXTRACT(jsonPayload.storage)" }
      }
    }

    dynamic "condition_threshold" {
      for_each = try([each.value.above], [])
      content {
        filter             = condition_threshold.value.filter
        denominator_filter = try(condition_threshold.value.of, null)
        comparison         = "COMPARISON_GT"
        threshold_value    = condition_threshold.value.threshold
        duration           = condition_threshold.value.duration

        aggregations {
          alignment_period     = "300s"
          per_series_aligner   = condition_threshold.value.aligner
          cross_series_reducer = condition_threshold.value.reducer
          group_by_fields      = condition_threshold.value.by
        }
        dynamic "denominator_aggregations" {
          for_each = try([condition_threshold.value.of], [])
          content {
            alignment_period     = "300s"
            per_series_aligner   = condition_threshold.value.aligner
            cross_series_reducer = condition_threshold.value.reducer
            group_by_fields      = condition_threshold.value.by
          }
        }
      }
    }

    dynamic "condition_absent" {
      for_each = try([each.value.absent], [])
      content {
        filter   = condition_absent.value
        duration = "600s"

        aggregations {
          alignment_period     = "60s"
          per_series_aligner   = "ALIGN_DELTA"
          cross_series_reducer = "REDUCE_SUM"
        }
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"

    # One message for many syncs that fail for one reason. Only alerts on lines take it.
    dynamic "notification_rate_limit" {
      for_each = try([each.value.line], [])
      content {
        period = "900s"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.todo}\n\n[Logs](https://console.cloud.google.com/logs/query?project=${var.project})"
  }

  depends_on = [google_project_service.this]
}
