"""What people have to do themselves so that a bucket notifies Sluice: the exact commands, and the same as Terraform."""

import json
import shlex
from dataclasses import dataclass

SNS = "arn:aws:sns:REGION:ACCOUNT:sluice-bucket-events"
GOOGLE_EVENTS = "OBJECT_FINALIZE,OBJECT_DELETE,OBJECT_ARCHIVE"
AMAZON_EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]
AZURE_EVENTS = [f"Microsoft.Storage.{event}" for event in ("BlobCreated", "BlobDeleted", "BlobRenamed")]
PUBSUB = "projects/PROJECT/topics/sluice-bucket-events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which bucket should tell whom of what."""

    bucket: str
    prefix: str
    url: str
    """Where the function is that listens."""
    topic: str
    account: str
    """Google: the service account of the push subscription. Azure: the storage account."""
    published: bool
    """Whether the bucket publishes to the topic already: then the topic is there, and all that is left is who listens.
    No Terraform is offered for half of it."""


def google(wish: Wish) -> str:
    """Pub/Sub: a topic, what the bucket publishes, and a subscription that pushes with a token."""
    project, topic = _google_topic(wish.topic)
    account = wish.account or f"sluice-push@{project}.iam.gserviceaccount.com"
    url, prefix = shlex.quote(wish.url), f" --object-prefix={shlex.quote(wish.prefix)}" if wish.prefix else ""
    published = f"""gcloud pubsub topics create {topic} --project={project}
gcloud storage buckets notifications create gs://{shlex.quote(wish.bucket)} --topic={wish.topic} \\
  --event-types={GOOGLE_EVENTS}{prefix} --payload-format=none
"""
    return f"""# Commands
{"" if wish.published else published}gcloud pubsub subscriptions create {topic}-push --project={project} \\
  --topic={topic} --push-endpoint={url} --push-auth-service-account={account} \\
  --push-auth-token-audience={url} --ack-deadline=30 --min-retry-delay=1s --max-retry-delay=600s
{"" if wish.published else _google_terraform(wish, project, topic, account)}
# Settings of the server
SLUICE_BUCKET_EVENT_URL={wish.url}
SLUICE_EVENT_SERVICE_ACCOUNTS={account}
"""


def _google_terraform(wish: Wish, project: str, topic: str, account: str) -> str:
    prefix = f"\n  object_name_prefix = {_text(wish.prefix)}" if wish.prefix else ""
    return f"""
# Terraform
resource "google_pubsub_topic" "sluice" {{
  project = "{project}"
  name    = "{topic}"
}}
data "google_storage_project_service_account" "gcs" {{}}
resource "google_pubsub_topic_iam_member" "sluice" {{
  topic  = google_pubsub_topic.sluice.id
  role   = "roles/pubsub.publisher"
  member = data.google_storage_project_service_account.gcs.member
}}
resource "google_storage_notification" "sluice" {{
  bucket         = {_text(wish.bucket)}
  topic          = google_pubsub_topic.sluice.id
  payload_format = "NONE"
  event_types    = {json.dumps(GOOGLE_EVENTS.split(","))}{prefix}
  depends_on     = [google_pubsub_topic_iam_member.sluice]
}}
resource "google_pubsub_subscription" "sluice" {{
  name                 = "{topic}-push"
  topic                = google_pubsub_topic.sluice.id
  ack_deadline_seconds = 30
  push_config {{
    push_endpoint = {_text(wish.url)}
    oidc_token {{
      service_account_email = "{account}"
      audience              = {_text(wish.url)}
    }}
  }}
  retry_policy {{
    minimum_backoff = "1s"
    maximum_backoff = "600s"
  }}
}}
"""


def amazon(wish: Wish) -> str:
    """SNS: a topic that the bucket may publish to, what it publishes, and a subscription by HTTPS."""
    bucket, url = shlex.quote(wish.bucket), shlex.quote(wish.url)
    ours: dict[str, object] = {"Id": "sluice", "TopicArn": wish.topic, "Events": AMAZON_EVENTS}
    if wish.prefix:
        ours["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": wish.prefix}]}}
    policy = json.dumps(_publishing(wish))
    wanted = shlex.quote(json.dumps({"TopicConfigurations": [ours]}))
    published = f"""# The third replaces all notifications of the bucket: add to it what the first prints. The second
# replaces the policy of the topic.
aws s3api get-bucket-notification-configuration --bucket {bucket}
aws sns set-topic-attributes --topic-arn {wish.topic} --attribute-name Policy --attribute-value {shlex.quote(policy)}
aws s3api put-bucket-notification-configuration --bucket {bucket} --notification-configuration {wanted}
"""
    return f"""# Commands
{"" if wish.published else published}aws sns subscribe --topic-arn {wish.topic} --protocol https \\
  --notification-endpoint {url}
{"" if wish.published else _amazon_terraform(wish, policy)}
# Settings of the server, before the subscription is made, so that it can confirm it
SLUICE_SNS_TOPICS={wish.topic}
"""


def _publishing(wish: Wish) -> dict[str, object]:
    """The policy of a topic that lets the bucket publish."""
    _, partition, _, _, account, _ = wish.topic.split(":", 5)
    condition = {"ArnEquals": {"aws:SourceArn": f"arn:{partition}:s3:::{wish.bucket}"}}
    if account:  # a bucket's name can be somebody else's tomorrow; private clouds have no accounts
        condition["StringEquals"] = {"aws:SourceAccount": account}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": wish.topic,
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _amazon_terraform(wish: Wish, policy: str) -> str:
    prefix = f"\n    filter_prefix = {_text(wish.prefix)}" if wish.prefix else ""
    return f"""
# Terraform
resource "aws_sns_topic" "sluice" {{
  name   = "{wish.topic.rpartition(":")[2]}"
  policy = {_text(policy)}
}}
resource "aws_s3_bucket_notification" "sluice" {{
  bucket = {_text(wish.bucket)}
  topic {{
    topic_arn     = aws_sns_topic.sluice.arn
    events        = {json.dumps(AMAZON_EVENTS)}{prefix}
  }}
}}
resource "aws_sns_topic_subscription" "sluice" {{
  topic_arn = aws_sns_topic.sluice.arn
  protocol  = "https"
  endpoint  = {_text(wish.url)}
}}
"""


def azure(wish: Wish) -> str:
    """Event Grid: a subscription of the storage account to its own events."""
    account = wish.account or "ACCOUNT"
    source = f"/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Storage/storageAccounts/{account}"
    begins = f"/blobServices/default/containers/{wish.bucket}/blobs/{wish.prefix}"
    return f"""# Commands. SECRET is one of the server's SLUICE_NOTICE_SECRETS.
az eventgrid event-subscription create --name sluice --source-resource-id {source} \\
  --endpoint {shlex.quote(wish.url)}"?secret=SECRET" --event-delivery-schema eventgridschema \\
  --included-event-types {" ".join(AZURE_EVENTS)} \\
  --subject-begins-with {shlex.quote(begins)}

# Terraform
resource "azurerm_eventgrid_event_subscription" "sluice" {{
  name                  = "sluice"
  scope                 = "{source}"
  event_delivery_schema = "EventGridSchema"
  included_event_types  = {json.dumps(AZURE_EVENTS)}
  subject_filter {{
    subject_begins_with = {_text(begins)}
  }}
  webhook_endpoint {{
    url = "{wish.url}?secret=${{var.sluice_notice_secret}}"
  }}
}}

# Settings of the server
SLUICE_NOTICE_SECRETS=SECRET
"""


def _google_topic(topic: str) -> tuple[str, str]:
    parts = topic.split("/")
    return parts[1], parts[3]


def _text(value: str) -> str:
    """A string of Terraform."""
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")
