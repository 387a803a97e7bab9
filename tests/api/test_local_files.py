"""Files of local storages by their address, as tasks name them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.api.client import Api


@pytest.fixture
def root(api: Api) -> Path:
    return Path(api.ctx.settings.local_files_document_root)


def test_a_task_names_what_can_be_loaded(api: Api, root: Path):
    project = api.project()
    (root / "digits" / "a b&c=1.png").write_bytes(b"picture")
    storage = api.local(project)
    api.post(f"/api/storages/localfiles/{storage['id']}/sync")
    api.work()
    link = api.get("/api/tasks/", params={"project": project})["tasks"][0]["data"]["image"]
    assert link == "/data/local-files/?d=digits/a%20b%26c%3D1.png"
    answer = api.http.get(link)
    assert (answer.status_code, answer.content) == (200, b"picture")
    assert answer.headers["content-type"] == "image/png"
    found = os.stat(root / "digits" / "a b&c=1.png")
    assert answer.headers["etag"] == f'W/"{found.st_mtime_ns:x}-{found.st_size:x}"'
    for known in (answer.headers["etag"], f'"x", {answer.headers["etag"]}', "*"):
        again = api.http.get(link, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    part = api.http.get(link, headers={"Range": "bytes=-3"})
    assert (part.status_code, part.content) == (206, b"ure")
    joined = {"Range": "bytes=0-1", "If-Range": answer.headers["etag"]}
    assert api.http.get(link, headers=joined).status_code == 200  # a weak tag is no promise
    assert api.http.head(link).headers["content-length"] == "7"
    assert answer.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize(
    "path",
    [
        "other/secret.txt",
        "secret.txt",
        "digits/../other/secret.txt",
        "digits/../../outside.txt",
        "digits/./1.png",
        "digits//1.png",
        "digits/",
        "digits",
        "digits/sub",
        "/etc/passwd",
        "digits/link-out",
        "digits/folder-out/secret.txt",
        "digits/data/documents.sqlite3",
        "digits/missing.png",
        "digits/\0",
        "digits/" + "x" * 5000,
        "..",
        "%2e%2e/outside.txt",
        "digits2/1.png",
    ],
)
def test_nothing_else_can_be_loaded(path: str, api: Api, root: Path):
    for name in ("digits/sub", "other", "digits2", "digits/data"):
        (root / name).mkdir()
    for name in ("digits/1.png", "other/secret.txt", "secret.txt", "digits2/1.png", "digits/data/documents.sqlite3"):
        (root / name).write_text("secret")
    (root / "digits/data/.sluice-data").touch()
    (root.parent / "outside.txt").write_text("secret")
    (root / "digits/link-out").symlink_to(root / "other/secret.txt")
    (root / "digits/folder-out").symlink_to(root / "other")
    api.local(api.project())
    answer = api.http.get("/data/local-files/", params={"d": path})
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert api.http.get("/data/local-files/", params={"d": "digits/1.png"}).content == b"secret"


def test_only_who_sees_a_project_with_the_folder_loads_from_it(api: Api):
    api.folder(files=1)
    project, other = api.project(), api.project()
    storage = api.local(project)
    path = {"d": "digits/0000.png"}
    assert api.as_user(project).http.get("/data/local-files/", params=path).status_code == 200
    assert api.as_user(other).http.get("/data/local-files/", params=path).status_code == 404
    assert api.nobody.get("/data/local-files/", params=path).status_code == 401
    api.call("DELETE", f"/api/storages/localfiles/{storage['id']}", 204)
    assert api.http.get("/data/local-files/", params=path).status_code == 404


def test_a_target_shows_nothing(api: Api):
    api.folder(files=1)
    body = {"project": api.project(), "path": api.folder()}
    api.post("/api/storages/export/localfiles", body, 201)
    assert api.http.get("/data/local-files/", params={"d": "digits/0000.png"}).status_code == 404


def test_where_serving_is_disabled_or_no_file_is_named(api: Api):
    api.local(api.project())
    answer = api.http.get("/data/local-files/")
    assert (answer.status_code, answer.text) == (403, "d names the file to load, which is missing.")
    api.ctx.settings = replace(api.ctx.settings, local_files_serving_enabled=False)
    answer = api.http.get("/data/local-files/", params={"d": "digits/0000.png"})
    assert answer.status_code == 403
    assert "LOCAL_FILES_SERVING_ENABLED" in answer.text
