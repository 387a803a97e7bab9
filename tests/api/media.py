"""What tests of media have in common."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from tests.api.buckets import Place
from tests.api.client import Api

MEDIA = ["s3", "gcs", pytest.param("azure", marks=pytest.mark.emulator)]
SCHEMES = {"s3": "s3://pictures", "gcs": "gs://pictures"}
KEY = "img/a cat=1 & 'two'.jpg"
BODY = bytes(range(256)) * 40


def connect(api: Api, place: Place, given: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
    """A project with a storage of the folder "img", synced; and its only task."""
    project = api.project()
    body = {"project": project, **given, "prefix": "img", "use_blob_urls": True, **more}
    storage = api.post(f"/api/storages/{place.type}/", body, 201)
    api.post(f"/api/storages/{place.type}/{storage['id']}/sync")
    api.work()
    return project, api.get("/api/tasks/", params={"project": project})["tasks"][0]


def uri(place: Place, key: str = KEY) -> str:
    root = SCHEMES.get(place.type) or f"azure-blob://{place.fields['container']}"
    return f"{root}/{key}"


def change(api: Api, **settings: Any) -> None:
    api.ctx.settings = replace(api.ctx.settings, **settings)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


S3_ONLY = pytest.mark.parametrize("place", ["s3"], indirect=True)
