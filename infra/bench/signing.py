"""How fast URLs are signed on one core; for a key file beside RSA alone, which is nearly all of it."""

import json
import time
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.adapters.objects.azure import AzureObjects
from shared.adapters.objects.gcs import GcsObjects
from shared.adapters.objects.s3 import S3Objects
from shared.ports import ObjectStore

SECONDS = 2.0
TARGET = 5000
"""URLs per second that are aimed at, for S3 and for Google Cloud Storage with a key file."""
AZURE_KEY = "c2VjcmV0LW9mLW5vYm9keS1hdC1hbGw="


class Speed(NamedTuple):
    """URLs per second of CPU time of one thread; and bare signatures, where those are what takes the time."""

    name: str
    urls: float
    bare: float | None = None


def measure() -> list[Speed]:
    """All providers, one after the other, in this process. Nothing is connected to."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def by_rsa() -> None:
        key.sign(b"x" * 64, padding.PKCS1v15(), hashes.SHA256())

    stores: list[tuple[str, ObjectStore, Callable[[], None] | None]] = [
        ("S3", S3Objects("bucket", region="us-east-1", access_key="AKID", secret_key="secret"), None),  # noqa: S106
        ("Google Cloud Storage, key file", GcsObjects("bucket", credentials_json=_account(key)), by_rsa),
        ("Azure, account key", AzureObjects("container", account_name="account", account_key=AZURE_KEY), None),
    ]
    found = []
    for name, store, bare in stores:
        count = iter(range(10**9))

        def sign(store: ObjectStore = store) -> None:
            store.presign(f"folder/{next(count):08d}.jpg", seconds=60, content_type="image/jpeg")  # noqa: B023

        sign()  # connects
        found.append(Speed(name, _rate(sign), _rate(bare) if bare else None))
        store.close()
    return found


def _rate(call: Callable[[], None]) -> float:
    """Calls per second of CPU time."""
    begin, calls = time.process_time(), 0
    while (spent := time.process_time() - begin) < SECONDS:
        for _ in range(50):
            call()
        calls += 50
    return calls / spent


def _account(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    account = {"type": "service_account", "client_email": "a@p.iam.gserviceaccount.com", "private_key": text}
    return json.dumps({**account, "private_key_id": "id", "token_uri": "http://127.0.0.1:9/token"})
