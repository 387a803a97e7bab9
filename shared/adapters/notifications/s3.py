"""Notification configurations of S3: by boto3, as whom its chain of credentials finds."""

from collections.abc import Mapping
from typing import Any

from shared.errors import StoreError

EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*")
_OURS = "sluice-storage-"


def ensure(bucket: str, topic: str, prefix: str, *, storage: int, endpoint: str = "", region: str = "") -> bool:
    """Makes the bucket publish to an SNS topic; False if it does already, True if that is new.

    S3 has one configuration for all who listen: what others have in it is kept. Raises `StoreError`.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = boto3.client("s3", endpoint_url=endpoint or None, region_name=region or None)
        before = client.get_bucket_notification_configuration(Bucket=bucket)
        after = merged(before, topic, prefix, name=f"{_OURS}{storage}")
        if after is None:
            return False
        client.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=after)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise StoreError(f"S3 refuses it: {error}") from None
    return True


def merged(before: Mapping[str, Any], topic: str, prefix: str, *, name: str) -> dict[str, Any] | None:
    """The configuration with ours in it, None if the topic is told already. What is not ours stays as it is."""
    kept = {key: value for key, value in before.items() if key != "ResponseMetadata"}
    topics = list(kept.get("TopicConfigurations") or [])
    if any(_covers(one, topic, prefix) for one in topics):
        return None
    ours: dict[str, Any] = {"Id": name, "TopicArn": topic, "Events": list(EVENTS)}
    if prefix:
        ours["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    return {**kept, "TopicConfigurations": [*(one for one in topics if one.get("Id") != name), ours]}


def _covers(config: Mapping[str, Any], topic: str, prefix: str) -> bool:
    rules = ((config.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
    wanted = {str(rule.get("Name", "")).lower(): rule.get("Value", "") for rule in rules}
    if config.get("TopicArn") != topic or wanted.get("suffix"):
        return False
    return prefix.startswith(wanted.get("prefix", "")) and set(EVENTS) <= set(config.get("Events") or [])
