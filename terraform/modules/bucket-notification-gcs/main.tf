# Who may publish to the topic is granted once, where the topic is made: a grant of each bucket's own would be the same
# grant, so that the first bucket to go would take it from the others.
resource "google_storage_notification" "this" {
  bucket = var.bucket
  topic  = var.topic

  # The attributes name bucket and object. A notice is only a hint, so what the object holds is not sent along.
  payload_format = "NONE"

  # New metadata leave an object's content as it is, and are no news.
  event_types = ["OBJECT_FINALIZE", "OBJECT_DELETE", "OBJECT_ARCHIVE"]

  object_name_prefix = var.prefix == "" ? null : var.prefix
}
