"""Objects as a browser loads them: links in tasks, and redirects to signed URLs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.bench.s3_process import GcsServer
from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api
from tests.api.media import BODY, KEY, MEDIA, S3_ONLY, change, connect, encoded, uri
from tests.conformance.objects_signing import fetch
from tests.emulators_buckets import azure_emulator, redis_emulator
from tests.identities import own_key, public, service_account

__all__ = ["azure_emulator", "gcs_process", "own_key", "place", "redis_emulator", "settings"]


@pytest.fixture
def fields(place: Place, gcs_process: GcsServer, own_key: str) -> dict[str, Any]:
    """Of a storage whose URLs are signed, and checked by the server."""
    if place.type != "gcs":
        return place.fields
    gcs_process.signers(public_key=public(own_key))
    return {**place.fields, "google_application_credentials": service_account(own_key, f"{gcs_process.endpoint}/token")}


@pytest.mark.parametrize("place", MEDIA, indirect=True)
class TestEveryStore:
    def test_a_task_leads_to_the_object_by_a_signed_url(self, api: Api, place: Place, fields: dict[str, Any]):
        place.put(KEY, BODY)
        _, task = connect(api, place, fields)
        link = task["data"]["image"]
        assert link == f"/tasks/{task['id']}/resolve/?fileuri={encoded(uri(place))}"
        assert api.get(f"/api/tasks/{task['id']}/")["data"]["image"] == link
        answer = api.http.get(link)
        assert (answer.status_code, answer.content) == (303, b"")
        assert answer.headers["cache-control"] in {"private, max-age=45", "private, max-age=44"}
        status, headers, body = fetch(answer.headers["location"])
        assert (status, body, headers["content-type"]) == (200, BODY, "image/jpeg")
        assert api.http.get(link.replace("resolve", "presign")).headers["location"] == answer.headers["location"]

    def test_the_object_itself_where_the_storage_says_so(self, api: Api, place: Place, fields: dict[str, Any]):
        place.put(KEY, BODY)
        project, task = connect(api, place, fields, presign=False)
        for link in (task["data"]["image"], f"/projects/{project}/resolve/?fileuri={encoded(uri(place))}"):
            answer = api.http.get(link)
            assert (answer.status_code, answer.content) == (200, BODY)
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.headers["accept-ranges"] == "bytes"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
            part = api.http.get(link, headers={"Range": "bytes=10-19"})
            assert (part.status_code, part.content) == (206, BODY[10:20])
            again = api.http.get(link, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")

    def test_a_look_alone(self, api: Api, place: Place, fields: dict[str, Any]):
        place.put(KEY, BODY)
        _, task = connect(api, place, fields)
        answer = api.http.head(task["data"]["image"])
        assert answer.status_code == 303
        assert fetch(answer.headers["location"], "HEAD")[0] == 200
        _, task = connect(api, place, fields, presign=False)
        answer = api.http.head(task["data"]["image"])
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(len(BODY))
        assert answer.headers["content-type"] == "image/jpeg"

    def test_what_is_gone_is_told(self, api: Api, place: Place, fields: dict[str, Any]):
        place.put(KEY, BODY)
        project, _ = connect(api, place, fields, presign=False)
        missing = api.get(f"/projects/{project}/resolve", 424, params={"fileuri": encoded(uri(place, "img/other"))})
        assert "img/other does not exist" in missing["detail"]

    def test_many_at_once(self, api: Api, place: Place, fields: dict[str, Any]):
        place.put(KEY, BODY)
        project, _ = connect(api, place, fields)
        wanted = [uri(place), "s3://elsewhere/key", uri(place, "img/other"), "no URI", uri(place, "secret")]
        found = api.post(f"/api/projects/{project}/resolve/batch", {"uris": wanted})["results"]
        assert [it["uri"] for it in found] == wanted
        assert [bool(it["url"]) for it in found] == [True, False, True, False, False]
        assert [it["error"] is None for it in found] == [True, False, True, False, False]
        assert fetch(found[0]["url"])[2] == BODY
        assert fetch(found[2]["url"])[0] == 404


@S3_ONLY
class TestLinks:
    def test_every_position_at_any_depth(self, api: Api, place: Place):
        place.put("img/1.jpg", b"body")
        project, _ = connect(api, place, place.fields)
        data = {
            "image": "s3://pictures/img/a.jpg",
            "html": "<img src=\"s3://pictures/img/a=1.jpg\"><a href='s3://pictures/img/b c.jpg'>s3://pictures/img/d</a>",
            "css": "background: url(s3://pictures/img/e.jpg)",
            "markdown": "![x](s3://pictures/img/f.jpg) and [y](s3://elsewhere/img/g.jpg)",
            "deep": [{"list": ["s3://pictures/img/h.jpg", "s3://elsewhere/i.jpg", 1.5e300]}],
            "prose": "look at s3://pictures/img/j.jpg",
        }
        task = api.post("/api/tasks/", {"project": project, "data": data}, 201)
        assert task["data"] == json.loads(json.dumps(data))  # as it was given, in the answer to its creation
        plain = api.get(f"/api/tasks/{task['id']}/", params={"resolve_uri": "false"})
        assert plain["data"] == task["data"]
        found = api.get(f"/api/tasks/{task['id']}/")["data"]

        def link(key: str) -> str:
            return f"/tasks/{task['id']}/resolve/?fileuri={encoded(f's3://pictures/img/{key}')}"

        assert found == {
            "image": link("a.jpg"),
            "html": f"<img src=\"{link('a=1.jpg')}\"><a href='{link('b c.jpg')}'>s3://pictures/img/d</a>",
            "css": f"background: url({link('e.jpg')})",
            "markdown": f"![x]({link('f.jpg')}) and [y](s3://elsewhere/img/g.jpg)",
            "deep": [{"list": [link("h.jpg"), "s3://elsewhere/i.jpg", 1.5e300]}],
            "prose": "look at s3://pictures/img/j.jpg",
        }
        listed = api.get("/api/tasks/", params={"project": project, "fields": "all"})["tasks"]
        assert found in [it["data"] for it in listed]
        listed = api.get("/api/tasks/", params={"project": project, "resolve_uri": "False"})["tasks"]
        assert plain["data"] in [it["data"] for it in listed]

    def test_a_list_reads_the_storages_once_and_not_without_need(
        self, api: Api, place: Place, reads: Callable[[], int]
    ):
        place.put("img/1.jpg", b"body")
        project, _ = connect(api, place, place.fields)
        with_links = [{"image": f"s3://pictures/img/{n}.jpg"} for n in range(20)]
        api.post(f"/api/projects/{project}/import", with_links, 201)
        reads()
        api.get("/api/tasks/", params={"project": project})
        assert reads() == 1
        other = api.project()
        api.post(f"/api/projects/{other}/import", [{"image": "https://example.org/s3/gs"}] * 20, 201)
        reads()
        api.get("/api/tasks/", params={"project": other})
        assert reads() == 0

    @pytest.fixture
    def reads(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
        """How often the storages of a project were read since it was last asked."""
        seen: list[int] = []
        inner = api.ctx.storages.of_project
        monkeypatch.setattr(api.ctx.storages, "of_project", lambda *args: (seen.append(1), inner(*args))[1])

        def since() -> int:
            found = len(seen)
            seen.clear()
            return found

        return since

    def test_the_host_is_put_in_front(self, api: Api, place: Place):
        change(api, hostname="https://label.example.org/")
        place.put("img/1.jpg", b"body")
        _, task = connect(api, place, place.fields)
        assert task["data"]["image"].startswith(f"https://label.example.org/tasks/{task['id']}/resolve/?fileuri=")


@S3_ONLY
class TestSigning:
    def test_urls_are_kept_until_most_of_their_life_is_over(self, api: Api, place: Place):
        place.put("img/1.jpg", b"body")
        _, task = connect(api, place, place.fields, presign_ttl=10)
        now = api.ctx.clock()

        def kept(later: float) -> int:
            """For how many seconds a browser may keep the redirect."""
            api.ctx.clock = lambda: now + later
            return int(api.http.get(task["data"]["image"]).headers["cache-control"].removeprefix("private, max-age="))

        assert 448 <= kept(0) <= 450
        assert 8 <= kept(440) <= 10
        assert kept(460) > 90  # of another URL, which the clock of the signature gives ten minutes again

    def test_an_edit_counts_at_once(self, api: Api, place: Place):
        place.put("img/1.jpg", b"body")
        project, task = connect(api, place, place.fields)
        link = task["data"]["image"]
        path = f"/api/storages/s3/{api.get('/api/storages/', params={'project': project})[0]['id']}"
        assert "X-Amz-Expires=60&" in api.http.get(link).headers["location"]
        api.call("PATCH", path, json={"presign_ttl": 32767})
        assert "X-Amz-Expires=604800&" in api.http.get(link).headers["location"]  # no more than S3 takes
        public = "https://files.example.org"
        api.call("PATCH", path, json={"s3_public_endpoint": public})
        assert api.http.get(link).headers["location"].startswith(f"{public}/pictures/img/1.jpg?")
        api.call("PATCH", path, json={"presign": False})
        assert api.http.get(link).content == b"body"
        error = api.call("PATCH", path, 400, json={"s3_public_endpoint": "nonsense"})
        assert "s3_public_endpoint" in error["validation_errors"]

    def test_batches_are_bounded_and_checked(self, api: Api, place: Place):
        project = api.project()
        path = f"/api/projects/{project}/resolve/batch"
        for body in ({}, {"uris": "s3://a/b"}, {"uris": [1]}, {"uris": ["s3://a/b"] * 1001}):
            assert "uris" in api.post(path, body, 400)["validation_errors"]
        assert len(api.post(path, {"uris": ["s3://a/b"] * 1000})["results"]) == 1000
        assert api.post(path, {"uris": []})["results"] == []

    def test_where_nothing_is_signed_a_batch_gives_our_own_address(self, api: Api, place: Place):
        place.put("img/1.jpg", b"body")
        project, _ = connect(api, place, place.fields, presign=False)
        wanted = "s3://pictures/img/1.jpg"
        found = api.post(f"/api/projects/{project}/resolve/batch", {"uris": [wanted]})["results"][0]
        assert found == {
            "uri": wanted,
            "url": f"/projects/{project}/resolve/?fileuri={encoded(wanted)}",
            "expires_at": None,
            "error": None,
        }
        assert api.http.get(found["url"]).content == b"body"


@pytest.mark.parametrize("place", [pytest.param("azure", marks=pytest.mark.emulator)], indirect=True)
def test_who_has_only_a_signature_streams(api: Api, place: Place):
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    from infra.emulators.azurite import ACCOUNT
    from infra.emulators.azurite import KEY as ACCOUNT_KEY

    sas = generate_container_sas(
        ACCOUNT,
        place.fields["container"],
        account_key=ACCOUNT_KEY,
        permission=ContainerSasPermissions(read=True, list=True, write=True),
        expiry="2100-01-01T00:00:00Z",
    )
    place.put("img/1.jpg", b"body")
    given = {name: value for name, value in place.fields.items() if name != "account_key"}
    _, task = connect(api, place, {**given, "sas_token": sas})
    answer = api.http.get(task["data"]["image"])
    assert (answer.status_code, answer.content) == (200, b"body")
    assert "sig=" not in str(answer.headers)
