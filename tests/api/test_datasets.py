"""Dataset storages over HTTP: a life, and what is read of their records."""

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


def test_a_life(api: Api, s3: S3Server):
    made = dataset(api, s3, title="All pictures")
    assert "project" not in made
    assert (made["title"], made["status"], made["meta"]) == ("All pictures", "initialized", {})
    assert (made["recursive_scan"], made["image_sizes"], made["glob_filter"]) == (True, False, None)
    path = f"{BASE}/{made['id']}"
    assert api.get(f"{path}/records") == {"records": [], "next": None}
    done = sync(api, path)
    assert (done["status"], done["last_sync_count"]) == ("completed", 12)
    assert {name: done["meta"][name] for name in done["meta"] if name[:4] in {"obje", "reco", "task"}} == {
        "records_updated": 0,
        "objects_listed": 12,
        "objects_imported": 12,
        "objects_excluded": 0,
        "objects_failed": 0,
        "objects_gone": 0,
    }
    assert api.count("tasks") == 0
    s3.put("pictures", "img/00000003.jpg", b"another")
    s3.put("pictures", "new.txt", b"new")
    again = sync(api, path)
    assert (again["last_sync_count"], again["meta"]["records_updated"]) == (1, 1)
    assert api.get("/api/storages/dataset") == api.get(BASE) == [again]
    api.call("DELETE", path, 204)
    api.get(path, 404)
    api.get(f"{path}/records", 404)
