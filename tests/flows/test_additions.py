"""Records become tasks on both platforms: webhooks are told, and what can't be stored keeps nothing else waiting."""

import threading

import pytest

from shared.services.datasets import adding
from tests.flows.test_webhooks import webhook

pytestmark = pytest.mark.timeout(120)
RECORDS = 300
UNFIT = "images/00000123.jpg"


@pytest.fixture
def dataset(api, s3):
    """The path of a dataset that was synced."""
    s3.drop("bucket")
    s3.fill("bucket", RECORDS, prefix="images/")
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": s3.endpoint}
    made = api._ok(api.http.post("/api/storages/dataset/s3", json={"bucket": "bucket", **keys}))
    storage = {**made, "type": "dataset/s3"}
    api.sync(storage)
    assert api.wait(storage)["last_sync_count"] == RECORDS
    return api.path(storage)


def ended(api, dataset, **asked):
    """An addition once it is over."""
    made = api._ok(api.http.post(f"{dataset}/records/add-to-project", json=asked))
    tick = threading.Event()
    for _ in range(1000):
        one = api._ok(api.http.get(f"{dataset}/additions/{made['id']}"))
        if one["finished_at"]:
            return one
        tick.wait(0.05)
    raise AssertionError(one)


@pytest.mark.parametrize("stack", [{"batch_writes": 110}], indirect=True)
def test_records_become_tasks(api, stack, dataset, receiver):
    project = api.project()
    webhook(api, receiver, project, send_for_all_actions=False, actions=["TASKS_CREATED"])

    done = ended(api, dataset, project=project, filter={"prefix": "images/0000"})
    again = ended(api, dataset, project=project, filter={"glob": "**/*.jpg"})

    assert ("completed", RECORDS, RECORDS) == (done["state"], done["selected"], done["created"])
    assert ("completed", RECORDS, 0, RECORDS) == tuple(again[it] for it in ("state", "selected", "created", "existed"))
    tasks = api.tasks(project)
    assert RECORDS == len(tasks) == len({task["record"]["id"] for task in tasks})
    told = [task["id"] for _ in range(5) for task in receiver.next().json["tasks"]]
    assert sorted(task["id"] for task in tasks) == sorted(told)
    assert [] == receiver.posts


def test_a_record_that_cannot_be_stored(api, stack, dataset, monkeypatch):
    """It is found, told by its key, and all others become tasks."""
    data = adding.blob_data
    monkeypatch.setattr(adding, "blob_data", lambda uri: data(uri * 40_000 if uri.endswith(UNFIT) else uri))
    project = api.project()

    done = ended(api, dataset, project=project, filter={})

    assert ("completed_with_errors", RECORDS - 1, 1) == (done["state"], done["created"], done["failed"])
    assert done["selected"] == RECORDS
    assert done["errors"][0].startswith(f"{UNFIT}: ")
    assert UNFIT not in {task["storage_filename"] for task in api.tasks(project)}
    assert RECORDS - 1 == api.total(project)
