data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "GoogleServiceAccounts"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = ["accounts.google.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "accounts.google.com:sub"
      values   = values(var.service_accounts)
    }

    # Whom a token is for stands in its azp where it has one: then AWS calls that aud, and the token's own aud oaud.
    condition {
      test     = "StringEquals"
      variable = "accounts.google.com:aud"
      values   = values(var.service_accounts)
    }

    condition {
      test     = "StringEquals"
      variable = "accounts.google.com:oaud"
      values   = [var.audience]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = "Sluice reads and writes buckets"
  assume_role_policy = data.aws_iam_policy_document.trust.json

  # The server asks for no longer sessions.
  max_session_duration = 3600

  tags = var.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "buckets"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.buckets.json
}
