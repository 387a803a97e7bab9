"""Notifications as the clouds send them, and a stand-in for SNS: its key, its certificate, its addresses."""

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote_plus

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-west-1:123456789012:bucket-events"
ACCOUNT = "devstoreaccount1"
RESOURCE = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def record(bucket: str, key: str, event: str = "ObjectCreated:Put", **more: Any) -> dict[str, Any]:
    """An event record of S3."""
    about = {"bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}, "object": {"key": quote_plus(key, safe="/")}}
    return {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": event, "s3": about, **more}


def records(*one: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(one)}


def bridged(bucket: str, key: str, detail_type: str = "Object Created") -> dict[str, Any]:
    """What EventBridge sends; the key is as it is."""
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 1}, "reason": "PutObject"}
    return {"version": "0", "id": "x", "detail-type": detail_type, "source": "aws.s3", "detail": detail}


def pushed(bucket: str, key: str, event: str = "OBJECT_FINALIZE") -> dict[str, Any]:
    """What Pub/Sub pushes."""
    attributes = {"eventType": event, "bucketId": bucket, "objectId": key, "payloadFormat": "JSON_API_V1"}
    message = {"attributes": attributes, "data": "e30=", "messageId": uuid.uuid4().hex}
    return {"message": message, "subscription": "projects/p/subscriptions/s"}


def grid(container: str, key: str, event: str = "BlobCreated", *, url: str = "", **data: Any) -> dict[str, Any]:
    """An event in Event Grid's own schema."""
    url = url or f"https://{ACCOUNT}.blob.core.windows.net/{container}/{key}"
    return {
        "topic": RESOURCE,
        "subject": f"/blobServices/default/containers/{container}/blobs/{key}",
        "eventType": f"Microsoft.Storage.{event}",
        "id": uuid.uuid4().hex,
        "data": {"api": "PutBlob", "url": url, **data},
        "dataVersion": "",
        "eventTime": "2026-01-01T00:00:00Z",
    }


def cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    """The same in the schema of CloudEvents."""
    kept = {name: event[name] for name in ("subject", "id", "data")}
    return {"specversion": "1.0", "source": event["topic"], "type": event["eventType"], "time": "x", **kept}


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for what other threads bring about."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        tick.wait(0.02)
    raise AssertionError("it did not happen")


class Sns:
    """Signs messages with a key of its own, whose certificate it serves; remembers who confirmed a subscription."""

    def __init__(self, *, days: int = 1) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        made = (
            made.serial_number(1).not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
        )
        self.pem = made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        self.url = ""
        self.status = 200
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    def message(self, told: Any, *, version: str = "1", age: float = 0.0, **more: Any) -> dict[str, Any]:
        """A signed message; what is in `more` is signed too, None leaves a field out."""
        sent = datetime.now(UTC) - timedelta(seconds=age)
        message = {
            "Type": "Notification",
            "MessageId": uuid.uuid4().hex,
            "TopicArn": TOPIC,
            "Subject": "Amazon S3 Notification",
            "Message": told if isinstance(told, str) else json.dumps(told),
            "Timestamp": sent.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "SignatureVersion": version,
            "SigningCertURL": f"{self.url}/SimpleNotificationService-1.pem",
            **more,
        }
        message = {name: value for name, value in message.items() if value is not None}
        names = [name for name in SIGNED if name in message]
        lines = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
        digest = hashes.SHA1() if version == "1" else hashes.SHA256()
        message["Signature"] = base64.b64encode(self.key.sign(lines, padding.PKCS1v15(), digest)).decode()
        return message

    def confirmation(self, **more: Any) -> dict[str, Any]:
        """The message that asks whether a subscription is wanted."""
        fields = {"SubscribeURL": f"{self.url}/?Action=ConfirmSubscription", "Token": "t", "Subject": None}
        return self.message("You have chosen to subscribe", **{"Type": "SubscriptionConfirmation", **fields, **more})


@contextmanager
def sns_server(**options: Any) -> Iterator[Sns]:
    """An SNS whose certificate can be fetched, on loopback."""
    sns = Sns(**options)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sns.asked.append(self.path)
            body = sns.pem if ".pem" in self.path else b"<ConfirmSubscriptionResponse/>"
            self.send_response(sns.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        sns.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield sns
        finally:
            server.shutdown()
            thread.join()
