"""A server that is killed with -9 while a dataset's records become tasks: each becomes one, and none is lost."""

import random
import threading

import pytest

from tests.stack import server

RECORDS = 10_000


@pytest.fixture
def sluice(tmp_path):
    """Small commits, so that there is a middle to be killed in."""
    with server(tmp_path / "data", tmp_path, SLUICE_BATCH_WRITES="100") as one:
        yield one


def test_kills_during_an_addition(s3, sluice):
    s3.drop("bucket")
    s3.fill("bucket", RECORDS, prefix="images/")
    s3.fill("bucket", 20, prefix="other/")
    rng = random.Random(20_261_124)
    pause = threading.Event()
    api = sluice.start()
    project = api.project()
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": s3.endpoint}
    dataset = api._ok(api.http.post("/api/storages/dataset/s3", json={"bucket": "bucket", **keys}))
    path = f"/api/storages/dataset/s3/{dataset['id']}"
    api._ok(api.http.post(f"{path}/sync"))
    while api._ok(api.http.get(path))["status"] != "completed":
        pause.wait(0.05)
    asked = {"project": project, "filter": {"prefix": "images/"}}
    made = api._ok(api.http.post(f"{path}/records/add-to-project", json=asked))

    def read():
        return api._ok(api.http.get(f"{path}/additions/{made['id']}"))

    seen = [0]
    for _ in range(5):
        while (now := read())["created"] <= seen[-1] and now["finished_at"] is None:
            pause.wait(0.02)
        pause.wait(rng.uniform(0.0, 0.1))
        seen.append(read()["created"])
        sluice.kill()
        api = sluice.start()
    assert seen[3] < RECORDS, "too fast to be killed in the middle"

    while (ended := read())["finished_at"] is None:
        pause.wait(0.05)

    assert ("completed", RECORDS, RECORDS) == (ended["state"], ended["selected"], ended["created"])
    tasks = api.tasks(project)
    assert RECORDS == len(tasks) == api.total(project)
    assert RECORDS == len({task["record"]["id"] for task in tasks}) == len({task["id"] for task in tasks})
    assert {key for key in s3.keys("bucket") if key.startswith("images/")} == {
        task["storage_filename"] for task in tasks
    }
