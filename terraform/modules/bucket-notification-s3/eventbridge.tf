resource "aws_cloudwatch_event_rule" "this" {
  count = local.eventbridge

  name        = local.name
  description = "Objects of ${var.bucket} come and go"
  tags        = var.tags

  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created", "Object Deleted"]
    detail = merge(
      { bucket = { name = [var.bucket] } },
      var.prefix == "" ? {} : { object = { key = [{ prefix = var.prefix }] } },
    )
  })
}

resource "aws_cloudwatch_event_connection" "this" {
  count = local.eventbridge

  name               = local.name
  description        = "Proves to Sluice who sends"
  authorization_type = "API_KEY"

  auth_parameters {
    api_key {
      key   = "X-Sluice-Secret"
      value = var.secret
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.secret) >= 16
      error_message = "eventbridge needs a secret of 16 characters or more: the server counts no shorter one."
    }
  }
}

resource "aws_cloudwatch_event_api_destination" "this" {
  count = local.eventbridge

  name                             = local.name
  description                      = "bucket_webhook of Sluice"
  invocation_endpoint              = var.url
  http_method                      = "POST"
  invocation_rate_limit_per_second = 300
  connection_arn                   = aws_cloudwatch_event_connection.this[0].arn
}

data "aws_iam_policy_document" "events" {
  count = local.eventbridge

  statement {
    sid     = "EventBridge"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.this[0].arn]
    }
  }
}

data "aws_iam_policy_document" "invoke" {
  count = local.eventbridge

  statement {
    sid       = "InvokeDestination"
    actions   = ["events:InvokeApiDestination"]
    resources = [aws_cloudwatch_event_api_destination.this[0].arn]
  }
}

resource "aws_iam_role" "events" {
  count = local.eventbridge

  name               = local.name
  description        = "As whom EventBridge calls bucket_webhook of Sluice"
  assume_role_policy = data.aws_iam_policy_document.events[0].json
  tags               = var.tags
}

resource "aws_iam_role_policy" "invoke" {
  count = local.eventbridge

  name   = "invoke"
  role   = aws_iam_role.events[0].id
  policy = data.aws_iam_policy_document.invoke[0].json
}

resource "aws_cloudwatch_event_target" "this" {
  count = local.eventbridge

  rule     = aws_cloudwatch_event_rule.this[0].name
  arn      = aws_cloudwatch_event_api_destination.this[0].arn
  role_arn = aws_iam_role.events[0].arn

  # As long as EventBridge can: a day.
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  depends_on = [aws_iam_role_policy.invoke, aws_sqs_queue_policy.dead_letters]
}
