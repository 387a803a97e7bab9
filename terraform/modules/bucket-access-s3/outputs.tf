output "role_arn" {
  description = "The role: SLUICE_AWS_WEB_IDENTITY_ROLE_ARN of the server."
  value       = aws_iam_role.this.arn
}
