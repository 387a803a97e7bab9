data "aws_partition" "this" {}

locals {
  name        = var.name == "" ? "sluice-${replace(var.bucket, ".", "-")}" : var.name
  bucket_arn  = "arn:${data.aws_partition.this.partition}:s3:::${var.bucket}"
  sns         = var.via == "sns" ? 1 : 0
  eventbridge = var.via == "eventbridge" ? 1 : 0
}

# S3 has one configuration for all who are told: this resource replaces what is there.
resource "aws_s3_bucket_notification" "this" {
  count = var.manage_bucket_notification ? 1 : 0

  bucket      = var.bucket
  eventbridge = var.via == "eventbridge"

  dynamic "topic" {
    for_each = aws_sns_topic.this

    content {
      id            = local.name
      topic_arn     = topic.value.arn
      events        = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]
      filter_prefix = var.prefix == "" ? null : var.prefix
    }
  }

  # S3 tries to publish before it takes the configuration.
  depends_on = [aws_sns_topic_policy.this]
}

# What could not be delivered is kept to be looked at. Nothing reads it: the next sync finds what a notice would have
# told of.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

data "aws_iam_policy_document" "dead_letters" {
  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]

    principals {
      type        = "Service"
      identifiers = [var.via == "sns" ? "sns.amazonaws.com" : "events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = concat(aws_sns_topic.this[*].arn, aws_cloudwatch_event_rule.this[*].arn)
    }
  }
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy    = data.aws_iam_policy_document.dead_letters.json
}
