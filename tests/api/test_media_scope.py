"""Who may load what, and by which storage."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest

from infra.bench.s3_process import S3Server
from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api
from tests.api.media import S3_ONLY, connect, encoded
from tests.emulators_buckets import azure_emulator, redis_emulator

__all__ = ["azure_emulator", "gcs_process", "place", "redis_emulator", "settings"]


OUT = {
    "another bucket": "s3://elsewhere/img/1.jpg",
    "another scheme": "gs://pictures/img/1.jpg",
    "another prefix": "s3://pictures/secret/1.jpg",
    "a prefix that only begins alike": "s3://pictures/img2/1.jpg",
    "no key": "s3://pictures/",
    "out by dots": "s3://pictures/img/../secret/1.jpg",
    "out by dots at the end": "s3://pictures/img/..",
    "a dot": "s3://pictures/img/./1.jpg",
    "out by encoded dots": "s3://pictures/img/%2e%2e/secret/1.jpg",
    "out by encoded slashes": "s3://pictures/img/..%2Fsecret%2F1.jpg",
    "an encoded slash in place of the prefix's": "s3://pictures/img%2F1.jpg",
    "backslashes": "s3://pictures/img/..\\secret\\1.jpg",
    "eight kilobytes": "s3://pictures/img/" + "x" * 8192,
    "a scheme that is none": "file:///etc/passwd",
    "an address": "http://169.254.169.254/latest/meta-data",
    "nothing": "x",
    "a NUL": "\0",
}


@S3_ONLY
class TestScope:
    """What no storage of the project covers is 404, whatever is tried, and nobody asks the bucket."""

    @pytest.mark.parametrize("presign", [True, False])
    @pytest.mark.parametrize("case", OUT)
    def test_out_of_scope(self, case: str, presign: bool, api: Api, place: Place, s3_process: S3Server):
        for key in ("img/1.jpg", "secret/1.jpg", "img2/1.jpg", "img/../secret/1.jpg", "img/..%2Fsecret%2F1.jpg"):
            place.put(key, b"body")
        project, task = connect(api, place, place.fields, presign=presign)
        for form in (encoded(OUT[case]), quote(OUT[case], safe="")):
            for path in (f"/tasks/{task['id']}/resolve/", f"/projects/{project}/presign/"):
                s3_process.reset()
                answer = api.http.get(f"{path}?fileuri={form}")
                assert answer.status_code == (404 if form else 400), answer.text
                assert s3_process.stats()["ops"] == {}

    def test_other_projects(self, api: Api, place: Place, s3_process: S3Server):
        place.put("img/1.jpg", b"body")
        project, task = connect(api, place, place.fields)
        other = api.project()
        stranger = api.as_user(other)
        s3_process.reset()
        form = encoded("s3://pictures/img/1.jpg")
        assert api.http.get(f"/projects/{other}/resolve/?fileuri={form}").status_code == 404
        for path in (f"/projects/{project}/resolve/", f"/tasks/{task['id']}/resolve/", "/tasks/9/presign/"):
            assert stranger.http.get(f"{path}?fileuri={form}").status_code == 404
            assert api.nobody.get(f"{path}?fileuri={form}").status_code == 401
        found = stranger.post(f"/api/projects/{other}/resolve/batch", {"uris": ["s3://pictures/img/1.jpg"]})
        assert found["results"][0]["url"] is None
        assert s3_process.stats()["ops"] == {}

    def test_deleted_storages_cover_nothing(self, api: Api, place: Place):
        place.put("img/1.jpg", b"body")
        project, task = connect(api, place, place.fields)
        link = task["data"]["image"]
        assert api.http.get(link).status_code == 303
        api.call("DELETE", f"/api/storages/s3/{api.get('/api/storages/', params={'project': project})[0]['id']}", 204)
        assert api.http.get(link).status_code == 404
        assert api.get(f"/api/tasks/{task['id']}")["data"]["image"] == "s3://pictures/img/1.jpg"

    def test_targets_cover_nothing(self, api: Api, place: Place):
        project = api.project()
        api.post("/api/storages/export/s3", {"project": project, **place.fields, "prefix": "out"}, 201)
        form = encoded("s3://pictures/out/1")
        assert api.http.get(f"/projects/{project}/resolve/?fileuri={form}").status_code == 404

    def test_fileuri_must_be_given(self, api: Api, place: Place):
        project = api.project()
        error = api.get(f"/projects/{project}/resolve/", 400)
        assert "fileuri" in error["validation_errors"]


@S3_ONLY
class TestChoice:
    """Which of several storages an object is read by."""

    def test_the_longest_prefix(self, api: Api, place: Place):
        place.put("img/cats/1.jpg", b"body")
        project, task = connect(api, place, place.fields, recursive_scan=True)
        link = task["data"]["image"]
        assert parse_qs(urlsplit(api.http.get(link).headers["location"]).query)["X-Amz-Expires"] == ["60"]
        more = {"project": project, **place.fields, "prefix": "img/cats", "presign_ttl": 7}
        api.post("/api/storages/s3", more, 201)
        assert parse_qs(urlsplit(api.http.get(link).headers["location"]).query)["X-Amz-Expires"] == ["420"]

    def test_of_equal_ones_the_tasks_own(self, api: Api, place: Place):
        place.put("img/1.jpg", b"body")
        project = api.project()
        ids = []
        for ttl in (2, 3):
            fields = {"project": project, **place.fields, "prefix": "img", "use_blob_urls": True, "presign_ttl": ttl}
            ids.append(api.post("/api/storages/s3", fields, 201)["id"])
            api.post(f"/api/storages/s3/{ids[-1]}/sync")
        api.work()
        tasks = api.get("/api/tasks/", params={"project": project})["tasks"]
        locations = [api.http.get(task["data"]["image"]).headers["location"] for task in tasks]
        assert [parse_qs(urlsplit(url).query)["X-Amz-Expires"] for url in locations] == [["120"], ["180"]]

    def test_a_bucket_of_the_same_name_elsewhere_is_not_meant(self, api: Api, place: Place, s3_process: S3Server):
        """Although its prefix is the longer one."""
        place.put("img/cats/1.jpg", b"body")
        project, task = connect(api, place, place.fields, recursive_scan=True)
        elsewhere = s3_process.endpoint.replace("127.0.0.1", "localhost")
        fields = {**place.fields, "s3_endpoint": elsewhere, "prefix": "img/cats"}
        api.post("/api/storages/s3", {"project": project, **fields}, 201)
        assert api.http.get(task["data"]["image"]).headers["location"].startswith(f"{s3_process.endpoint}/")
