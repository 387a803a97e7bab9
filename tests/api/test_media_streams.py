"""Objects as streams: ranges, conditions, types, and what happens when they change meanwhile."""

import httpx
import pytest

from infra.bench.s3_process import S3Server
from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api
from tests.api.media import BODY, KEY, S3_ONLY, change, connect, encoded, uri
from tests.emulators_buckets import azure_emulator, redis_emulator

__all__ = ["azure_emulator", "gcs_process", "place", "redis_emulator", "settings"]


RANGES = {
    "bytes=0-": (206, 0, None),
    "bytes=0-0": (206, 0, 1),
    "bytes=5-9": (206, 5, 10),
    "bytes=10200-": (206, 10_200, None),
    "bytes=10239-999999": (206, 10_239, None),
    "bytes=-5": (206, -5, None),
    "bytes=-999999": (206, 0, None),
    "BYTES = 1 - 2": (206, 1, 3),
    "bytes=10240-": (416, 0, 0),
    "bytes=99999-999999": (416, 0, 0),
    "bytes=-0": (416, 0, 0),
    "bytes=9-5": (200, 0, None),
    "bytes=": (200, 0, None),
    "bytes=-": (200, 0, None),
    "bytes=a-b": (200, 0, None),
    "bytes=0-1,4-5": (200, 0, None),
    "lines=0-5": (200, 0, None),
    "bytes=999999999999999999999-": (200, 0, None),
}


@S3_ONLY
class TestStreams:
    @pytest.fixture
    def link(self, api: Api, place: Place) -> str:
        place.put(KEY, BODY)
        return str(connect(api, place, place.fields, presign=False)[1]["data"]["image"])

    @pytest.mark.parametrize("wanted", RANGES)
    def test_ranges(self, wanted: str, api: Api, link: str):
        status, start, stop = RANGES[wanted]
        answer = api.http.get(link, headers={"Range": wanted})
        assert answer.status_code == status
        if status == 416:
            assert answer.headers["content-range"] == f"bytes */{len(BODY)}"
            return
        assert answer.content == BODY[start:stop]
        assert answer.headers["content-length"] == str(len(answer.content))
        first = start % len(BODY)
        told = f"bytes {first}-{first + len(answer.content) - 1}/{len(BODY)}" if status == 206 else None
        assert answer.headers.get("content-range") == told
        head = api.http.head(link, headers={"Range": wanted})
        assert (head.status_code, head.headers["content-length"]) == (status, answer.headers["content-length"])

    def test_conditions(self, api: Api, link: str, place: Place):
        whole = api.http.get(link)
        tag, time = whole.headers["etag"], whole.headers["last-modified"]
        assert tag.startswith('"')
        known = {
            "the tag": {"If-None-Match": tag},
            "weakly": {"If-None-Match": f"W/{tag}"},
            "among others": {"If-None-Match": f'"other", {tag}'},
            "any": {"If-None-Match": "*"},
            "the time": {"If-Modified-Since": time},
        }
        for name, headers in known.items():
            answer = api.http.get(link, headers=headers)
            assert (answer.status_code, answer.content) == (304, b""), name
            assert answer.headers["etag"] == tag
        other = {
            "another tag": {"If-None-Match": '"other"'},
            "the tag counts before the time": {"If-None-Match": '"other"', "If-Modified-Since": time},
            "an older time": {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
            "no time": {"If-Modified-Since": "yesterday"},
        }
        for name, headers in other.items():
            assert api.http.get(link, headers=headers).status_code == 200, name
        part = {"Range": "bytes=0-1"}
        for known_version, status in {tag: 206, time: 206, '"other"': 200, f"W/{tag}": 200, "?": 200}.items():
            assert api.http.get(link, headers={**part, "If-Range": known_version}).status_code == status, known_version
        place.put(KEY, BODY[::-1])
        answer = api.http.get(link, headers={**part, "If-Range": tag, "If-None-Match": tag})
        assert (answer.status_code, answer.content) == (200, BODY[::-1])
        assert answer.headers["etag"] != tag

    def test_an_object_in_many_pieces(self, api: Api, place: Place):
        change(api, media_piece_bytes=1000)
        place.put("img/large", BODY)
        project, _ = connect(api, place, place.fields, presign=False)
        link = f"/projects/{project}/resolve/?fileuri={encoded(uri(place, 'img/large'))}"
        assert api.http.get(link).content == BODY
        assert api.http.get(link, headers={"Range": "bytes=777-5555"}).content == BODY[777:5556]

    def test_an_open_range_is_cut_where_the_platform_has_a_limit(self, api: Api, link: str):
        change(api, media_max_range_bytes=100)
        answer = api.http.get(link, headers={"Range": "bytes=50-"})
        assert (answer.status_code, answer.content) == (206, BODY[50:150])
        assert answer.headers["content-range"] == f"bytes 50-149/{len(BODY)}"
        assert api.http.get(link, headers={"Range": "bytes=50-999"}).content == BODY[50:1000]
        assert api.http.get(link).content == BODY

    def test_empty_objects(self, api: Api, place: Place):
        place.put(KEY, b"")
        _, task = connect(api, place, place.fields, presign=False)
        answer = api.http.get(task["data"]["image"])
        assert (answer.status_code, answer.content) == (200, b"")
        assert api.http.get(task["data"]["image"], headers={"Range": "bytes=0-"}).status_code == 416

    def test_one_that_changes_meanwhile_is_never_joined(self, api: Api, place: Place, s3_process: S3Server):
        """The answer breaks off instead."""
        change(api, media_piece_bytes=1000)
        place.put(KEY, BODY)
        _, task = connect(api, place, place.fields, presign=False)
        rule = {"action": "mutate", "op": "get", "skip": 2, "count": 1, "target": KEY, "body": "another content"}
        s3_process.faults(rule)
        with pytest.raises(httpx.RemoteProtocolError):
            api.nobody.get(task["data"]["image"], headers=dict(api.http.headers))
        assert api.http.get(task["data"]["image"]).content == b"another content"

    def test_types_by_name_where_the_store_says_none(self, api: Api, place: Place, s3_process: S3Server):
        for key, stored, told in [
            ("img/a.png", "binary/octet-stream", "image/png"),
            ("img/a.mp4", "", "video/mp4"),
            ("img/a.html", "text/html; charset=latin-1", "text/html; charset=latin-1"),
            ("img/a", "application/octet-stream", "application/octet-stream"),
            ("img/b.jpg", "image/png", "image/png"),
        ]:
            s3_process.put("pictures", key, b"x", stored)
            project, _ = connect(api, place, place.fields, presign=False)
            answer = api.http.get(f"/projects/{project}/resolve/?fileuri={encoded(uri(place, key))}")
            assert answer.headers["content-type"] == told
