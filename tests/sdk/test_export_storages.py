"""`export_storage.*` of the real SDK: every method, for every type, against its real protocol server."""

import json
from typing import Any

import pytest

from tests.sdk.buckets import SECRET, Bucket
from tests.sdk.client import Sdk, SdkError
from tests.sdk.scope import STORAGES
from tests.sdk.test_import_storages import OVER, on_stacks, watched


@pytest.mark.parametrize(("platform", "kind"), on_stacks(*STORAGES), indirect=["platform"])
def test_every_method_of_an_export_storage(sdk: Sdk, bucket_of: Any, kind: str):
    use_export_storage(sdk, kind, bucket_of(kind))


def use_export_storage(sdk: Sdk, kind: str, bucket: Bucket) -> None:
    """All that the SDK can do with a target, and that it is so."""
    storages = sdk.export_storage[kind]
    project = sdk.projects.create(title="A project")["id"]
    task = sdk.tasks.create(project=project, data={"image": "x"})["id"]
    annotation = sdk.annotations.create(id=task, result=[], lead_time=2.5)["id"]
    about = {"project": project, "title": "Results", "description": "Of people", "can_delete_objects": True}
    given = {**about, **bucket.place, **bucket.out, **bucket.secrets}

    with sdk.covering(f"export_storage.{kind}"):
        assert storages.list(project=project) == []
        storages.validate(**given, request_options=bucket.options)
        with pytest.raises(SdkError, match="400") as refused:
            storages.validate(**{**given, **bucket.wrong}, request_options=bucket.options)
        assert refused.value.body["validation_errors"]
        assert storages.list(project=project) == [], "validate has saved something"

        made = storages.create(**given, request_options=bucket.options)
        assert made.items() >= about.items()
        assert made["status"] in {"queued", "in_progress", *OVER}, "a new target is filled at once"
        assert not made.keys() & {*bucket.secrets, "presign", "presign_ttl", "recursive_scan"}
        assert SECRET not in str(made)
        assert [one["id"] for one in storages.list(project=project, ordering="id")] == [made["id"]]
        assert storages.get(made["id"])["title"] == "Results"
        assert sdk.import_storage[kind].list(project=project) == [], "a target is no source"
        with pytest.raises(SdkError, match="404"):
            sdk.import_storage[kind].get(made["id"])
        storages.validate(**about, **bucket.place, **bucket.out, **bucket.stored(made["id"]))

        changed = storages.update(made["id"], title="Answers", can_delete_objects=False)
        assert (changed["title"], changed["can_delete_objects"]) == ("Answers", False)
        assert storages.get(made["id"])["title"] == "Answers"
        assert storages.sync(made["id"])["status"] in {"queued", "in_progress", *OVER}
        synced = watched(storages, made["id"])
        assert (synced["status"], synced["last_sync_count"], synced["traceback"]) == ("completed", 1, None)
        written = [json.loads(body) for key, body in bucket.objects().items() if key.endswith(str(annotation))]
        assert [(one["id"], one["task"]["id"], one["lead_time"]) for one in written] == [(annotation, task, 2.5)]

        assert storages.delete(made["id"]) is None
        with pytest.raises(SdkError, match="404"):
            storages.get(made["id"])


def test_the_types_are_those_that_the_sdk_knows(sdk: Sdk):
    with sdk.covering("export_storage"):
        types = sdk.export_storage.list_types()
    assert {kind["name"] for kind in types} >= {"s3", "gcs", "azure", "redis", "localfiles"}
