output "topic_arn" {
  description = "With sns: the topic, for the server's SLUICE_SNS_TOPICS. It needs the topic alone, so that the server can know it before the subscription is made. Null with eventbridge."
  value       = one(aws_sns_topic.this[*].arn)
}

output "publishable_topic_arn" {
  description = "With sns: the same ARN, once the bucket may publish: for a bucket notification of your own. Null with eventbridge."
  value       = one(aws_sns_topic.this[*].arn)
  depends_on  = [aws_sns_topic_policy.this]
}

output "dead_letter_queue_url" {
  description = "Queue of what could not be delivered."
  value       = aws_sqs_queue.dead_letters.url
}
