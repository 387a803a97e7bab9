data "aws_partition" "this" {}

# What the server calls: it lists, reads versions by their ETags (so that no permission on versions is needed), and
# writes in one piece (so that there is no upload to abort). The region of a bucket S3 tells with a refusal as well.
locals {
  s3      = "arn:${data.aws_partition.this.partition}:s3:::"
  targets = [for one in var.write_buckets : { bucket = one.bucket, prefixes = one.prefixes }]
  buckets = distinct(concat(var.read_buckets, local.targets))

  whole  = [for one in local.buckets : "${local.s3}${one.bucket}" if length(one.prefixes) == 0]
  parts  = [for one in local.buckets : one if length(one.prefixes) > 0]
  places = { for kind, buckets in local.kinds : kind => flatten([for one in buckets : [for prefix in concat(one.prefixes, length(one.prefixes) == 0 ? [""] : []) : "${local.s3}${one.bucket}/${prefix}*"]]) }

  keys = distinct(concat(var.read_kms_key_arns, var.write_kms_key_arns))

  kinds = {
    read   = local.buckets
    write  = local.targets
    delete = [for one in var.write_buckets : { bucket = one.bucket, prefixes = one.prefixes } if one.can_delete]
  }
}

data "aws_iam_policy_document" "buckets" {
  dynamic "statement" {
    for_each = length(local.whole) > 0 ? [local.whole] : []

    content {
      sid       = "ListBuckets"
      actions   = ["s3:ListBucket"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = local.parts

    content {
      sid       = "ListPrefixes${statement.key}"
      actions   = ["s3:ListBucket"]
      resources = ["${local.s3}${statement.value.bucket}"]

      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = [for prefix in statement.value.prefixes : "${prefix}*"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(local.places.read) > 0 ? [local.places.read] : []

    content {
      sid       = "ReadObjects"
      actions   = ["s3:GetObject"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(local.places.write) > 0 ? [local.places.write] : []

    content {
      sid       = "WriteObjects"
      actions   = ["s3:PutObject"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(local.places.delete) > 0 ? [local.places.delete] : []

    content {
      sid       = "DeleteObjects"
      actions   = ["s3:DeleteObject"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(local.keys) > 0 ? [local.keys] : []

    content {
      sid       = "Decrypt"
      actions   = ["kms:Decrypt"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(var.write_kms_key_arns) > 0 ? [var.write_kms_key_arns] : []

    content {
      sid       = "Encrypt"
      actions   = ["kms:GenerateDataKey"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(var.assumable_role_arns) > 0 ? [var.assumable_role_arns] : []

    content {
      sid       = "AssumeRoles"
      actions   = ["sts:AssumeRole"]
      resources = statement.value
    }
  }
}
