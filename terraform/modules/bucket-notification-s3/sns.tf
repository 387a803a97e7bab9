resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:S3 can publish to an encrypted topic only with a key whose policy lets it, so encryption is an option (kms_key_id); messages are names of objects
  count = local.sns

  name              = local.name
  kms_master_key_id = var.kms_key_id
  signature_version = 2 # SHA-256; the server takes SHA-1 as well, for topics that are there already
  tags              = var.tags
}

data "aws_iam_policy_document" "publish" {
  count = local.sns

  statement {
    sid       = "BucketPublishes"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[0].arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.bucket_arn]
    }

    # A bucket's name can be somebody else's tomorrow.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.bucket_account_id == "" ? aws_sns_topic.this[0].owner : var.bucket_account_id]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  count = local.sns

  arn    = aws_sns_topic.this[0].arn
  policy = data.aws_iam_policy_document.publish[0].json
}

resource "aws_sns_topic_subscription" "this" {
  count = local.sns

  topic_arn = aws_sns_topic.this[0].arn
  protocol  = "https"
  endpoint  = var.url

  # The server proves messages by the signature, which raw ones lack.
  raw_message_delivery = false

  # It confirms by itself, if it was told of the topic before: SNS asks once, and takes a refusal for an answer.
  endpoint_auto_confirms          = true
  confirmation_timeout_in_minutes = var.confirmation_minutes

  # Less than an hour in all, which is as long as SNS tries, and as old as a message may be.
  delivery_policy = jsonencode({
    healthyRetryPolicy = {
      backoffFunction    = "exponential"
      minDelayTarget     = 1
      maxDelayTarget     = 60
      numRetries         = 50
      numNoDelayRetries  = 0
      numMinDelayRetries = 3
      numMaxDelayRetries = 37
    }
  })

  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_letters.arn })

  depends_on = [aws_sqs_queue_policy.dead_letters]
}
