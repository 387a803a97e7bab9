"""What is refused is a 4xx that names the field and helps; nothing that a caller sends is a 500."""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.bench.s3_process import S3Server
from tests.api.client import TOKEN, Api, words

MIB = 1024 * 1024
KEYS = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


S3_REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "wrong bucket": ({"bucket": "unexisted"}, "non_field_errors", "Cannot find bucket unexisted in S3"),
    "wrong credentials": (
        {"aws_access_key_id": "WRONG"},
        "non_field_errors",
        "Cannot connect to S3 pictures with specified AWS credentials",
    ),
    "no permission": (
        {"bucket": "locked"},
        "non_field_errors",
        "Cannot connect to S3 locked with specified AWS credentials (AccessDenied",
    ),
    "a key with a blank": ({"aws_access_key_id": "W G"}, "non_field_errors", "It seems access keys are incorrect"),
    "empty prefix": ({"prefix": "nothing/here"}, "non_field_errors", "s3://pictures/nothing/here/ not found."),
    "not a bucket name": ({"bucket": "no/bucket"}, "bucket", 'Invalid bucket name "no/bucket"'),
    "no URL": ({"s3_endpoint": "minio:9000"}, "s3_endpoint", "Not a valid URL"),
    "no host": ({"s3_endpoint": "https://"}, "s3_endpoint", "Not a valid URL"),
    "credentials in it": ({"s3_endpoint": "https://key:secret@a"}, "s3_endpoint", "Not a valid URL"),
    "bad port": ({"s3_endpoint": "https://a:99999"}, "s3_endpoint", "Not a valid URL"),
    "bad regex": ({"regex_filter": "["}, "regex_filter", "Not a valid RE2 pattern: missing ]"),
    "regex look-ahead": ({"regex_filter": "(?=a)"}, "regex_filter", "Look-around and back-references"),
    "unknown project": ({"project": 99999}, "project", 'Invalid pk "99999" - object does not exist.'),
    "negative project": ({"project": -1}, "project", 'Invalid pk "-1" - object does not exist.'),
    "huge project": ({"project": "9" * 25}, "project", "object does not exist."),
    "no number": ({"project": "mine"}, "project", "Incorrect type. Expected pk value"),
    "no project": ({"project": None}, "project", "This field may not be null."),
    "zero minutes": ({"presign_ttl": 0}, "presign_ttl", "greater than or equal to 1"),
    "too many minutes": ({"presign_ttl": 40000}, "presign_ttl", "less than or equal to 32767"),
    "no boolean": ({"presign": "perhaps"}, "presign", "Must be a valid boolean."),
    "long title": ({"title": "a" * 257}, "title", "no more than 256 characters"),
    "no text": ({"prefix": {"a": 1}}, "prefix", "Not a valid string."),
    "NUL": ({"prefix": "a\0b"}, "prefix", "Null characters are not allowed."),
}


@pytest.mark.parametrize("case", S3_REFUSALS)
def test_s3(api: Api, s3: S3Server, case: str):
    fields, named, sentence = S3_REFUSALS[case]
    s3.access("AKIDFORTESTS")
    s3.bucket("locked", forbidden=True)
    project = api.project()
    good = api.s3(project, s3.endpoint)
    endpoint = fields.get("s3_endpoint", s3.endpoint)
    body = {"bucket": "pictures", "prefix": "img", "s3_endpoint": endpoint, "project": project, **KEYS, **fields}
    for method, path in (
        ("POST", "/api/storages/s3/"),
        ("POST", "/api/storages/s3/validate"),
        ("PATCH", f"/api/storages/s3/{good['id']}"),
        ("PUT", f"/api/storages/s3/{good['id']}"),
    ):
        error = api.call(method, path, 400, json=body)
        texts = error["validation_errors"][named]
        if case == "unknown project" and method != "POST":
            sentence = "can't move to another project"
        assert len(texts) == 1
        assert sentence in texts[0], texts
        assert list(error) == ["id", "status_code", "version", "detail", "exc_info", "validation_errors"]
        assert (error["status_code"], error["detail"], error["exc_info"]) == (400, "Validation error", None)
    assert api.get(f"/api/storages/s3/?project={project}") == [good]


def test_all_bad_fields_are_named_at_once(api: Api):
    error = api.post("/api/storages/s3/", {"presign": 7, "bucket": "!", "regex_filter": "("}, 400)
    assert set(error["validation_errors"]) == {"project", "presign", "bucket", "regex_filter"}


def test_unreachable_endpoint(api: Api):
    error = api.s3(api.project(), f"http://127.0.0.1:{closed_port()}", 400)
    assert "Cannot reach S3 at http://127.0.0.1" in error["validation_errors"]["non_field_errors"][0]


@pytest.fixture
def folders(api: Api, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Folders and files around the document root."""
    root = Path(api.ctx.settings.local_files_document_root)
    outside = tmp_path / "files-not-shared"
    outside.mkdir()
    (root / "link").symlink_to(outside)
    (root / "self").symlink_to(root)
    (root / "file").write_text("x")
    locked = root / "locked"
    locked.mkdir(mode=0o000)
    yield {"root": str(root), "outside": str(outside)}
    locked.chmod(0o700)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (None, "Path must be set for Local Files storage"),
        ("", "Path must be set for Local Files storage"),
        ("digits", "must be absolute"),
        ("{root}/missing", 'Absolute local path "{root}/missing" does not exist'),
        ("{root}", 'cannot be the same as LOCAL_FILES_DOCUMENT_ROOT="{root}"'),
        ("{root}/digits/..", "cannot be the same as LOCAL_FILES_DOCUMENT_ROOT"),
        ("{root}/self", "cannot be the same as LOCAL_FILES_DOCUMENT_ROOT"),
        ("{outside}", 'must be a subdirectory of LOCAL_FILES_DOCUMENT_ROOT="{root}"'),
        ("{outside}/missing", "must be a subdirectory of LOCAL_FILES_DOCUMENT_ROOT"),
        ("{root}/link", "must be a subdirectory of LOCAL_FILES_DOCUMENT_ROOT"),
        ("{root}/digits/../../files-not-shared", "must be a subdirectory of LOCAL_FILES_DOCUMENT_ROOT"),
        ("/etc", "must be a subdirectory of LOCAL_FILES_DOCUMENT_ROOT"),
        ("{root}/file", "is not a folder"),
    ],
)
def test_folders(api: Api, folders: dict[str, str], path: str | None, sentence: str):
    error = api.local(api.project(), 400, path=path and path.format(**folders))
    assert sentence.format(**folders) in error["validation_errors"]["non_field_errors"][0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_without_permission(api: Api, folders: dict[str, str]):
    error = api.local(api.project(), 400, path=folders["root"] + "/locked")
    assert "locked" in error["validation_errors"]["non_field_errors"][0]


NO_TYPE = (
    'There is no storage type "gcs2"; there are s3, gcs, azure, redis, localfiles, s3s, gcswif, gcs_sa, azure_spi.'
)
IDS = ("-1", "0", "x", "1.5", "9" * 40, "%00", "%ED%A0%80", "\uff11", " 1", "1%0A", "null", "..%2F1")


@pytest.mark.parametrize("bad", IDS)
def test_ids_that_are_none_are_not_found(api: Api, bad: str):
    for path in (f"/api/projects/{bad}/", f"/api/tasks/{bad}/", f"/api/storages/s3/{bad}"):
        for method in ("GET", "DELETE"):
            error = api.call(method, path, 404)
            assert error["status_code"] == 404
    api.call("PATCH", f"/api/storages/s3/{bad}", 404, json={})
    api.call("PATCH", f"/api/projects/{bad}", 404, json={})
    api.post(f"/api/storages/s3/{bad}/sync", status=404)
    api.get(f"/api/tasks/?project={bad}", 404)
    api.get(f"/api/storages/s3?project={bad}", 404)


BODIES: dict[str, tuple[bytes, str, int, str]] = {
    "invalid JSON": (b'{"title": ', "application/json", 400, "JSON parse error - "),
    "no UTF-8": (b'{"title": "\xff\xfe"}', "application/json", 400, "JSON parse error - "),
    "half a surrogate": (b'{"title": "abc\\ud800"}', "application/json", 400, "JSON parse error - "),
    "NaN": (b'{"maximum_annotations": NaN}', "application/json", 400, "JSON parse error - "),
    "too deep": (b'{"a":' + b"[" * 5000, "application/json", 400, "JSON parse error - "),
    "a list": (b"[]", "application/json", 400, "Expected a JSON object, but got a list"),
    "a number": (b"7", "application/json", 400, "Expected a JSON object, but got a number"),
    "null": (b"null", "application/json", 400, "Expected a JSON object, but got null"),
    "plain text": (b"{}", "text/plain", 415, 'Unsupported media type "text/plain"'),
    "multipart": (b"--x", "multipart/form-data; boundary=x", 415, "send application/json"),
    "form with no UTF-8": (b"title=%ff", "application/x-www-form-urlencoded", 400, "Form parse error"),
    "form with a million fields": (b"a=1&" * 5000, "application/x-www-form-urlencoded", 400, "Form parse error"),
    "NUL": (b'{"title": "abc\\u0000"}', "application/json", 400, "Null characters are not allowed."),
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies(api: Api, case: str):
    body, kind, status, sentence = BODIES[case]
    project = api.project()
    for method, path in (("POST", "/api/projects/"), ("PATCH", f"/api/projects/{project}/")):
        error = api.call(method, path, status, content=body, headers={"Content-Type": kind})
        assert sentence in json.dumps(error, ensure_ascii=False).replace('\\"', '"')


def test_a_body_of_50_mb(api: Api):
    piece = b"x" * MIB

    def chunked() -> Iterator[bytes]:
        yield b'{"title": "'
        for _ in range(50):
            yield piece

    for content in (b'{"title": "' + piece * 50 + b'"}', chunked()):
        error = api.call("POST", "/api/projects/", 413, content=content, headers={"Content-Type": "application/json"})
        assert "SLUICE_MAX_BODY_BYTES" in error["detail"]


def test_an_endless_body_is_refused_before_it_ends(api: Api):
    url = urlsplit(str(api.http.base_url))
    assert url.hostname
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    connection.putrequest("POST", "/api/projects/")
    connection.putheader("Authorization", f"Token {TOKEN}")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for _ in range(33):
        connection.send(b"%x\r\n%b\r\n" % (MIB, b"x" * MIB))
    answer = connection.getresponse()  # the last chunk was never sent
    assert answer.status == 413
    connection.close()


def test_a_lying_length_is_refused_at_once(api: Api):
    url = urlsplit(str(api.http.base_url))
    assert url.hostname
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    headers = {"Authorization": f"Token {TOKEN}", "Content-Length": str(10**12)}
    connection.request("POST", "/api/projects/", headers=headers)
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/", 404, "Not found."),
        ("GET", "/api/", 404, "Not found."),
        ("GET", "/api/nothing/here", 404, "Not found."),
        ("GET", "/api/storages/gcs2/?project=1", 404, NO_TYPE),
        ("POST", "/api/storages/gcs2/1/sync", 404, NO_TYPE),
        ("DELETE", "/api/projects/", 405, 'Method "DELETE" not allowed.'),
        ("POST", "/api/storages/s3/1", 405, 'Method "POST" not allowed.'),
        ("GET", "/api/storages/s3/1/sync", 405, 'Method "GET" not allowed.'),
        ("PUT", "/api/current-user/whoami", 405, 'Method "PUT" not allowed.'),
        ("GET", "/api/tasks/12345/", 404, "No Task matches the given query."),
        ("GET", "/api/storages/s3/7", 404, "No AWS S3 storage has the id 7."),
    ],
)
def test_routes_that_are_not_there_answer_in_json(api: Api, method: str, path: str, status: int, detail: str):
    error = api.call(method, path, status)
    assert (error["detail"], error["status_code"]) == (detail, status)
    assert list(error) == ["id", "status_code", "version", "detail", "exc_info"]


def test_both_slash_forms_are_served_without_a_redirect(api: Api):
    project = api.project()
    storage = api.local(project)["id"]
    for path in (
        "/api/projects",
        f"/api/projects/{project}",
        f"/api/tasks?project={project}",
        "/api/storages/types",
        f"/api/storages?project={project}",
        f"/api/storages/localfiles?project={project}",
        f"/api/storages/localfiles/{storage}",
        "/api/current-user/whoami",
        "/api/version",
        "/health",
    ):
        bare, _, query = path.partition("?")
        assert api.get(path) == api.get(f"{bare}/?{query}")
    api.post(f"/api/storages/localfiles/{storage}/sync/")
    api.post("/api/storages/localfiles/validate/", {"project": project, "path": api.folder()})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = words(
    "id project title description synchronizable prefix regex_filter use_blob_urls aws_access_key_id presign "
    "aws_secret_access_key aws_session_token aws_sse_kms_key_id region_name presign_ttl recursive_scan path"
)
FIELDS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), VALUES, max_size=6)


def test_no_body_makes_a_500(api: Api):
    project = api.project()
    storage = api.local(project)["id"]
    bucketless = api.post("/api/storages/s3/", {"project": project}, 201)["id"]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(FIELDS, st.booleans())
    def check(fields: dict[str, Any], with_project: bool) -> None:
        body = json.dumps({**fields, **({"project": project} if with_project else {})})
        for kind, number in (("s3", bucketless), ("localfiles", storage)):
            for method, path in (
                ("POST", f"/api/storages/{kind}/validate"),
                ("PATCH", f"/api/storages/{kind}/{number}"),
                ("PUT", f"/api/storages/{kind}/{number}"),
                ("POST", f"/api/storages/{kind}/"),
            ):
                answer = api.http.request(method, path, content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code < 500, (method, path, body, answer.text)

    check()


def test_no_settings_of_a_bucket_that_answers_make_a_500(api: Api, s3: S3Server):
    project = api.project()
    names = words("bucket prefix region_name aws_access_key_id aws_secret_access_key aws_session_token")
    texts = st.text(max_size=12) | st.sampled_from(["eu-west-1", "pictures", "..", "a/b", "\x7f", "ü", "a\nb"])

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.sampled_from([*names, "aws_sse_kms_key_id"]), texts, max_size=4))
    def check(fields: dict[str, str]) -> None:
        body = {"project": project, "s3_endpoint": s3.endpoint, "bucket": "pictures", **KEYS, **fields}
        answer = api.http.post("/api/storages/s3/validate", json=body)
        assert answer.status_code in (200, 400), (body, answer.text)

    check()


def test_no_project_body_makes_a_500(api: Api):
    project = api.project()
    names = words("title description label_config expert_instruction show_instruction color maximum_annotations")
    bodies = st.dictionaries(st.sampled_from(names), VALUES | st.just("<View/>"), max_size=5)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies)
    def check(fields: dict[str, Any]) -> None:
        for method, path in (("POST", "/api/projects"), ("PATCH", f"/api/projects/{project}")):
            answer = api.http.request(method, path, json=fields)
            assert answer.status_code < 500, (method, fields, answer.text)

    check()
