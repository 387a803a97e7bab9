resource "azurerm_eventgrid_event_subscription" "this" {
  name   = var.name == "" ? "sluice-${var.container}" : var.name
  scope  = var.storage_account_id
  labels = var.labels

  # Of the two handshakes only that of CloudEvents does without proof where tokens prove who sends: Event Grid brings
  # its token with events alone.
  event_delivery_schema = var.entra == null ? "EventGridSchema" : "CloudEventSchemaV1_0"

  included_event_types = [
    "Microsoft.Storage.BlobCreated",
    "Microsoft.Storage.BlobDeleted",
    "Microsoft.Storage.BlobRenamed",
  ]

  subject_filter {
    subject_begins_with = "/blobServices/default/containers/${var.container}/blobs/${var.prefix}"
  }

  webhook_endpoint {
    url = var.entra == null ? "${var.url}?secret=${urlencode(var.secret)}" : var.url

    active_directory_tenant_id     = var.entra == null ? null : var.entra.tenant_id
    active_directory_app_id_or_uri = var.entra == null ? null : var.entra.application
  }

  # As long as Event Grid can: a day.
  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440
  }

  dynamic "storage_blob_dead_letter_destination" {
    for_each = var.dead_letters == null ? [] : [var.dead_letters]

    content {
      storage_account_id          = storage_blob_dead_letter_destination.value.storage_account_id
      storage_blob_container_name = storage_blob_dead_letter_destination.value.container
    }
  }

  lifecycle {
    precondition {
      condition     = (var.secret == "") != (var.entra == null)
      error_message = "Give either secret or entra."
    }
    precondition {
      condition     = var.secret == "" || length(var.secret) >= 16
      error_message = "secret has 16 characters or more: the server counts no shorter one."
    }
  }
}
