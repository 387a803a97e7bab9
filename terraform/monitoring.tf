# What somebody is woken for, and why. The functions log one JSON object a line; `action` says what it is about.

locals {
  log_metrics = {
    stale_syncs = {
      description = "Syncs without a sign of life that the sweep, or whoever read the storage, marked failed."
      filter      = "jsonPayload.action=\"run.stale\""
    }
    failed_syncs = {
      description = "Syncs that ended as failed, for whatever reason."
      filter      = "jsonPayload.action=\"run.end\" AND jsonPayload.outcome=\"failed\""
    }
    ended_syncs = {
      description = "Syncs that ended."
      filter      = "jsonPayload.action=\"run.end\""
    }
    given_up = {
      description = "Annotations and webhooks that all attempts could not write or deliver."
      filter      = "jsonPayload.action=(\"export.failed\" OR \"webhook.give_up\")"
    }
  }
  services = join(" OR ", [for name in values(local.names) : "\"${name}\""])
  channels = concat(values(google_monitoring_notification_channel.email)[*].id, tolist(var.alert_channels))
  logs     = "https://console.cloud.google.com/logs/query?project=${var.project}"

  ours = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${local.services})"

  # What should never be: a line in a log is enough. (An alert on a metric that was made a moment ago is refused.)
  alarms = {
    stale_syncs = {
      title = "a sync was found dead"
      todo  = "The storage says failed, with the reason; a new sync goes on from where it was. Again and again: look for instances out of memory (sync_chunk) and for a paused or purged queue."
    }
    failed_syncs = {
      title = "a sync failed"
      todo  = "The storage's traceback says what is wrong and what to do: mostly a credential, a permission or a bucket that is gone. `sluice storages` shows it."
    }
    given_up = {
      title = "something was given up"
      todo  = "export.failed: start a sync of the export storage once the cause is mended; it writes what is missing. webhook.give_up: the webhook tells the receiver's last answer."
    }
  }
}

resource "google_logging_metric" "this" {
  for_each = local.log_metrics

  project     = var.project
  name        = "${var.name}/${each.key}"
  description = each.value.description
  filter      = "${local.ours} AND ${each.value.filter}"

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

resource "google_monitoring_alert_policy" "alarm" {
  for_each = local.alarms

  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = each.value.title

    condition_matched_log {
      filter = "${local.ours} AND ${local.log_metrics[each.key].filter}"
      label_extractors = {
        storage = "EXTRACT(jsonPayload.storage)"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"

    # One message for many syncs that fail for one reason.
    notification_rate_limit {
      period = "900s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.todo}\n\n[Logs](${local.logs})"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "dead_letters" {
  project               = var.project
  display_name          = "${var.name}: notifications could not be delivered"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "dead letters"

    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "bucket_event refused them for most of a day: its log says why. Nothing is lost: the next sync finds what they told of. Pull them from the subscription to end the alert.\n\n[Logs](${local.logs})"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "errors" {
  project               = var.project
  display_name          = "${var.name}: a function answers with errors"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "more than 5 % of answers are 5xx"

    condition_threshold {
      filter             = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=one_of(${join(", ", [for name in values(local.names) : "\"${name}\""])}) AND metric.labels.response_code_class=\"5xx\""
      denominator_filter = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=one_of(${join(", ", [for name in values(local.names) : "\"${name}\""])})"
      comparison         = "COMPARISON_GT"
      threshold_value    = 0.05
      duration           = "300s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
      denominator_aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The function's log has the reason, with the id that the caller was told. Queue and Pub/Sub deliver again what was not answered with 2xx.\n\n[Logs](${local.logs})"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "latency" {
  project               = var.project
  display_name          = "${var.name}: the API is slow"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "95th percentile above ${var.alert_latency_seconds} s"

    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/request_latencies\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.names.api}\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.alert_latency_seconds * 1000
      duration        = "600s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_PERCENTILE_95"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Cold starts (`sizes = {api = {min_instances = 1}}` keeps one warm), too few instances, or a slow bucket behind validations and previews.\n\n[Logs](${local.logs})"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "silence" {
  project               = var.project
  display_name          = "${var.name}: the sweep does not run"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "no good answer of the sweep for 10 minutes"

    condition_absent {
      filter   = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.names.sweep}\" AND metric.labels.response_code_class=\"2xx\""
      duration = "600s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Nothing heals what dies, nothing is judged stale, no schedule starts a sync. Look at the job of Cloud Scheduler, then at the function's log.\n\n[Logs](${local.logs})"
  }

  depends_on = [google_project_service.this]
}
