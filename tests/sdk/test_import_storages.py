"""`import_storage.*` of the real SDK: every method, for every type, against its real protocol server."""

import threading
from typing import Any

import pytest

from tests.sdk.buckets import SECRET, Bucket
from tests.sdk.client import Sdk, SdkError
from tests.sdk.scope import STORAGES

CONFIG = '<View><Image name="image" value="$image"/></View>'
OVER = {"completed", "completed_with_errors", "failed"}


def on_stacks(*kinds: str) -> list[Any]:
    """All on the embedded stack; GCS on Firestore and Cloud Tasks too."""
    needs = {"azure": [pytest.mark.emulator], "redis": [pytest.mark.emulator]}
    cases = [pytest.param("embedded", kind, marks=needs.get(kind, []), id=kind) for kind in kinds]
    return [*cases, pytest.param("cloud", "gcs", marks=[pytest.mark.emulator], id="gcs-cloud")]


def watched(storages: Any, number: int) -> dict[str, Any]:
    """A storage once its sync is over, watched as a user does."""
    tick = threading.Event()
    for _ in range(600):
        now = storages.get(number)
        if now["status"] in OVER:
            return now
        tick.wait(0.05)
    raise AssertionError(f"still {now['status']}: {now}")


@pytest.mark.parametrize(("platform", "kind"), on_stacks(*STORAGES), indirect=["platform"])
def test_every_method_of_an_import_storage(sdk: Sdk, bucket_of: Any, kind: str):
    use_import_storage(sdk, kind, bucket_of(kind))


def use_import_storage(sdk: Sdk, kind: str, bucket: Bucket) -> None:
    """All that the SDK can do with a source, and that it is so."""
    storages = sdk.import_storage[kind]
    project = sdk.projects.create(title="A project", label_config=CONFIG)["id"]
    flags = {"recursive_scan": True} if bucket.folders else {}
    about = {"project": project, "title": "Pictures", "description": "Of cats", "use_blob_urls": True, **flags}
    given = {**about, **bucket.place, **bucket.below, **bucket.secrets}

    with sdk.covering(f"import_storage.{kind}"):
        assert storages.list(project=project) == []
        storages.validate(**given, request_options=bucket.options)
        with pytest.raises(SdkError, match="400") as refused:
            storages.validate(**{**given, **bucket.wrong}, request_options=bucket.options)
        assert refused.value.name in {"ApiError", "BadRequestError"}
        assert refused.value.body["validation_errors"]
        assert storages.list(project=project) == [], "validate has saved something"

        made = storages.create(**given, request_options=bucket.options)
        assert made.items() >= {**about, "status": "initialized"}.items()
        assert not made.keys() & bucket.secrets.keys()
        assert SECRET not in str(made)
        assert storages.list(project=project) == [made] == storages.list(project=project, ordering="id")
        assert storages.get(made["id"]) == made
        storages.validate(**about, **bucket.place, **bucket.below, **bucket.stored(made["id"]))

        changed = storages.update(made["id"], title="Photographs", synchronizable=True)
        assert {**made, "title": "Photographs"} == changed == storages.get(made["id"])

        started = storages.sync(made["id"])
        assert started["status"] in {"queued", "in_progress", *OVER}
        done = watched(storages, made["id"])
        assert (done["status"], done["last_sync_count"]) == ("completed", 3)
        assert {"attempts", "time_queued", "time_in_progress", "time_completed", "duration"} <= done["meta"].keys()
        tasks = sdk.tasks.list(project=project)
        assert [task["storage_filename"] for task in tasks] == bucket.keys
        storages.sync(made["id"])
        again = watched(storages, made["id"])
        assert (again["status"], again["last_sync_count"], again["meta"]["attempts"]) == ("completed", 0, 2)
        assert len(sdk.tasks.list(project=project)) == 3

        assert storages.delete(made["id"]) is None
        with pytest.raises(SdkError, match="404"):
            storages.get(made["id"])
        assert len(sdk.tasks.list(project=project)) == 3, "the tasks of a deleted storage stay"


def test_the_types_are_those_that_the_sdk_knows(sdk: Sdk):
    with sdk.covering("import_storage"):
        types = sdk.import_storage.list_types()
    assert {kind["name"] for kind in types} >= {"s3", "gcs", "azure", "redis", "localfiles"}
