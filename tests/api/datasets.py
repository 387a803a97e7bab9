"""Datasets of the S3 server, for tests of them."""

from typing import Any

from infra.bench.s3_process import S3Server
from tests.api.client import Api

BASE = "/api/storages/dataset/s3"
KEYS = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}


def dataset(api: Api, s3: S3Server, status: int = 201, **fields: Any) -> Any:
    return api.post(BASE, {"bucket": "pictures", "s3_endpoint": s3.endpoint, **KEYS, **fields}, status)


def synced(api: Api, s3: S3Server, **fields: Any) -> str:
    """The path of a dataset that was synced."""
    path = f"{BASE}/{dataset(api, s3, **fields)['id']}"
    sync(api, path)
    return path


def sync(api: Api, path: str) -> Any:
    assert api.post(f"{path}/sync")["status"] == "queued"
    api.work()
    return api.get(path)


def keys(api: Api, path: str, **filters: Any) -> list[str]:
    return [record["key"] for record in api.get(f"{path}/records", params=filters)["records"]]
