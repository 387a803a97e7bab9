"""What may be loaded of tasks that came from a dataset: the record that each was made of, and nothing else."""

from pathlib import Path
from typing import Any

from infra.bench.s3_process import S3Server
from tests.api.client import Api
from tests.api.datasets import synced
from tests.api.media import encoded
from tests.api.test_additions import add, tasks


def added(api: Api, path: str, project: int, key: str) -> Any:
    """The task of a record."""
    assert add(api, path, project, filter={"prefix": key})["created"] == 1
    return next(
        task for task in api.get("/api/tasks/", params={"project": project})["tasks"] if task["storage_filename"] == key
    )


def status(api: Api, task: int, uri: str, way: str = "resolve") -> int:
    return api.http.get(f"/tasks/{task}/{way}/?fileuri={encoded(uri)}").status_code


def test_its_own_record_and_nothing_else(api: Api, s3: S3Server):
    path, project, other = synced(api, s3), api.project(), api.project()
    one = added(api, path, project, "img/00000001.jpg")
    two = added(api, path, project, "img/00000002.jpg")
    elsewhere = added(api, path, other, "img/00000003.jpg")
    member = api.as_user(project)
    link = one["data"]["image"]
    assert link.startswith(f"/tasks/{one['id']}/resolve/?fileuri=")
    answer = member.http.get(link)
    assert (answer.status_code, "00000001.jpg" in answer.headers["location"]) == (303, True)
    s3.reset()
    for way in ("resolve", "presign"):
        for uri in ("s3://pictures/img/00000002.jpg", "s3://pictures/img/0000000", "gs://pictures/img/00000001.jpg"):
            assert status(member, one["id"], uri, way) == 404
        assert status(member, two["id"], "s3://pictures/img/00000001.jpg", way) == 404
        assert status(member, one["id"], "s3://elsewhere/img/00000001.jpg", way) == 404
        assert status(member, elsewhere["id"], "s3://pictures/img/00000003.jpg", way) == 404
        assert status(api.as_user(other), one["id"], "s3://pictures/img/00000001.jpg", way) == 404
    assert s3.stats()["ops"] == {}


def test_data_that_somebody_writes_opens_nothing(api: Api, s3: S3Server):
    """Neither an edit nor a task of a request makes another object loadable."""
    path, project = synced(api, s3), api.project()
    one = added(api, path, project, "img/00000001.jpg")
    secret = "s3://pictures/img/00000002.jpg"
    api.call("PATCH", f"/api/tasks/{one['id']}/", json={"data": {"image": secret}})
    assert api.get(f"/api/tasks/{one['id']}/")["data"]["image"] == secret
    assert status(api, one["id"], secret) == 404
    forged = {"image": secret, "record": 1, "storage": one["record"]["dataset"]}
    given = {"project": project, "data": forged, "record": one["record"], "storage": one["record"]["dataset"]}
    made = api.post("/api/tasks/", given, 201)
    assert "record" not in api.get(f"/api/tasks/{made['id']}/")
    assert status(api, made["id"], secret) == 404


def test_as_long_as_the_dataset_holds_it(api: Api, s3: S3Server):
    """Another prefix, another place with a bucket of the same name, and the dataset's end close it."""
    path, project = synced(api, s3), api.project()
    one = added(api, path, project, "img/00000001.jpg")
    uri = "s3://pictures/img/00000001.jpg"
    assert status(api, one["id"], uri) == 303
    api.call("PATCH", path, json={"prefix": "rows"})
    assert status(api, one["id"], uri) == 404
    assert tasks(api, project)[0]["data"]["image"] == uri
    api.call("PATCH", path, json={"prefix": "img"})
    assert status(api, one["id"], uri) == 303
    endpoint = s3.endpoint.replace("127.0.0.1", "localhost")
    keys = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}
    api.call("PATCH", path, json={"s3_endpoint": endpoint, **keys})
    assert status(api, one["id"], uri) == 404
    api.s3(project, s3.endpoint)  # an import storage that covers it
    assert status(api, one["id"], uri) == 303
    api.call("DELETE", path, 204)
    assert status(api, one["id"], uri) == 303


def test_local_files(api: Api, tmp_path: Path):
    """Who sees a task of it may load a file; admins any."""
    folder = api.folder(files=3)
    base = "/api/storages/dataset/localfiles"
    path = f"{base}/{api.post(base, {'path': folder}, 201)['id']}"
    api.post(f"{path}/sync")
    api.work()
    project = api.project()
    member, stranger = api.as_user(project), api.as_user(api.project())
    link = added(api, path, project, "0001.png")["data"]["image"]
    assert member.http.get(link).content == b"picture 1"
    assert stranger.http.get(link).status_code == 404
    assert member.http.get(link.replace("0001", "0002")).status_code == 404
    assert api.http.get(link.replace("0001", "0002")).status_code == 200
    api.call("DELETE", f"/api/tasks/{tasks(api, project)[0]['id']}/", 204)
    assert member.http.get(link).status_code == 404
