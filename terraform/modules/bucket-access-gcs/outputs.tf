output "bucket" {
  description = "Name of the bucket, once all may use it."
  value       = var.bucket
  depends_on  = [google_storage_bucket_iam_member.reader, google_storage_bucket_iam_member.writer]
}
