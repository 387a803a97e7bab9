locals {
  # A listing is a request about the bucket, so its name says nothing of the prefix: that is an attribute of its own.
  conditions = var.prefix == "" ? [] : [join(" || ", [
    "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/${var.prefix}\")",
    "api.getAttribute(\"storage.googleapis.com/objectListPrefix\", \"\").startsWith(\"${var.prefix}\")",
  ])]
}

# Sluice asks nothing of the bucket itself, so that roles on objects are enough.
resource "google_storage_bucket_iam_member" "reader" {
  for_each = var.readers

  bucket = var.bucket
  role   = "roles/storage.objectViewer"
  member = each.value

  dynamic "condition" {
    for_each = local.conditions

    content {
      title       = "sluice-prefix"
      description = "Objects whose names begin with the prefix of a storage of Sluice"
      expression  = condition.value
    }
  }
}

# To overwrite an object is to delete the old one: there is no role that writes and can't delete.
resource "google_storage_bucket_iam_member" "writer" {
  for_each = var.writers

  bucket = var.bucket
  role   = "roles/storage.objectUser"
  member = each.value

  dynamic "condition" {
    for_each = local.conditions

    content {
      title       = "sluice-prefix"
      description = "Objects whose names begin with the prefix of a storage of Sluice"
      expression  = condition.value
    }
  }
}
