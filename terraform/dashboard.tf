locals {
  charts = [
    {
      title = "Syncs that ended, failed, were found dead"
      series = [
        for name in ["ended_syncs", "failed_syncs", "stale_syncs"] : {
          legend  = replace(name, "_", " ")
          filter  = "metric.type=\"logging.googleapis.com/user/${var.name}/${name}\" AND resource.type=\"cloud_run_revision\""
          aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = []
        }
      ]
    },
    {
      title = "Requests by function"
      series = [{
        legend  = "$${resource.labels.service_name}"
        filter  = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=starts_with(\"${var.name}-\")"
        aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["resource.labels.service_name"]
      }]
    },
    {
      title = "Answers 5xx by function"
      series = [{
        legend  = "$${resource.labels.service_name}"
        filter  = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=starts_with(\"${var.name}-\") AND metric.labels.response_code_class=\"5xx\""
        aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["resource.labels.service_name"]
      }]
    },
    {
      title = "Latency of the API: 50th and 95th percentile, ms"
      series = [
        for percentile in ["50", "95"] : {
          legend  = "${percentile} %"
          filter  = "metric.type=\"run.googleapis.com/request_latencies\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.names.api}\""
          aligner = "ALIGN_PERCENTILE_${percentile}", reducer = "REDUCE_MAX", by = []
        }
      ]
    },
    {
      title = "Messages in the queues"
      series = [{
        legend  = "$${resource.labels.queue_id}"
        filter  = "metric.type=\"cloudtasks.googleapis.com/queue/depth\" AND resource.type=\"cloud_tasks_queue\" AND resource.labels.queue_id=starts_with(\"${var.name}-\")"
        aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.labels.queue_id"]
      }]
    },
    {
      title = "Instances"
      series = [{
        legend  = "$${resource.labels.service_name}"
        filter  = "metric.type=\"run.googleapis.com/container/instance_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=starts_with(\"${var.name}-\")"
        aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.labels.service_name"]
      }]
    },
    {
      title = "Memory, 99th percentile of instances"
      series = [{
        legend  = "$${resource.labels.service_name}"
        filter  = "metric.type=\"run.googleapis.com/container/memory/utilizations\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=starts_with(\"${var.name}-\")"
        aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = ["resource.labels.service_name"]
      }]
    },
    {
      title = "Notifications that wait, and dead letters"
      series = [{
        legend  = "$${resource.labels.subscription_id}"
        filter  = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=starts_with(\"${var.name}-\")"
        aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.labels.subscription_id"]
      }]
    },
  ]
}

resource "google_monitoring_dashboard" "this" {
  project = var.project
  dashboard_json = jsonencode({
    displayName = "Sluice: ${var.name}"
    mosaicLayout = {
      columns = 48
      tiles = [
        for at, chart in local.charts : {
          xPos   = (at % 2) * 24
          yPos   = floor(at / 2) * 16
          width  = 24
          height = 16
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [
                for series in chart.series : {
                  plotType       = "LINE"
                  legendTemplate = series.legend
                  timeSeriesQuery = {
                    timeSeriesFilter = {
                      filter = series.filter
                      aggregation = {
                        alignmentPeriod    = "60s"
                        perSeriesAligner   = series.aligner
                        crossSeriesReducer = series.reducer
                        groupByFields      = series.by
                      }
                    }
                  }
                }
              ]
            }
          }
        }
      ]
    }
  })

  depends_on = [google_logging_metric.this]
}
