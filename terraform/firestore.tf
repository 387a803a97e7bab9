# Optimistic: nobody waits for the lock of a process that was killed; whoever commits second reads again.
resource "google_firestore_database" "this" {
  #checkov:skip=CKV_GCP_119:deletion protection is on unless the variable says otherwise
  project                           = var.project
  name                              = var.name
  location_id                       = coalesce(var.firestore_location, var.region)
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "OPTIMISTIC"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = "DELETE"

  depends_on = [google_project_service.this]
}

resource "google_firestore_backup_schedule" "daily" {
  count = var.firestore_backup_days > 0 ? 1 : 0

  project   = var.project
  database  = google_firestore_database.this.name
  retention = "${var.firestore_backup_days * 86400}s"

  daily_recurrence {}
}

resource "google_firestore_index" "this" {
  for_each = {
    for index in local.indexes.indexes :
    "${index.collectionGroup}(${join(",", [for field in index.fields : "${field.order == "DESCENDING" ? "-" : ""}${field.fieldPath}"])})" => index
  }

  project     = var.project
  database    = google_firestore_database.this.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.fieldPath
      order      = fields.value.order
    }
  }
}

# Fields that no query asks for are not indexed: each would cost a write and its storage, and texts may be too long. One
# by one, since this provider can't exempt a whole collection ("*").
resource "google_firestore_field" "this" {
  for_each = { for field in local.indexes.fieldOverrides : "${field.collectionGroup}.${field.fieldPath}" => field }

  project    = var.project
  database   = google_firestore_database.this.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        order       = indexes.value.order
        query_scope = indexes.value.queryScope
      }
    }
  }

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [true] : []
    content {}
  }
}
