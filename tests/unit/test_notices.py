"""Every form of notification, read; what is no news; what can't be read; whose addresses count."""

import json
from typing import Any

import pytest

from functions.bucket_webhook import _notices
from shared.model.event_work import MAX_STORAGES, EventWork, Tally
from shared.model.notices import AMAZON, MAX_PROBLEMS, Notice, amazon, azure, google, read, sns
from tests.notices import ACCOUNT, bridged, cloud_event, grid, pushed, record, records

KEY = "img/a b+c%20ü.jpg"
GCS = [Notice(store="gcs", bucket="b", key=KEY)]
S3 = [Notice(store="s3", bucket="b", key=KEY)]
HOST = f"https://{ACCOUNT}.blob.core.windows.net"
AZURE = [Notice(store="azure", bucket="b", key=KEY, place=HOST, account=ACCOUNT)]
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}


def google_found(body: Any, **headers: str) -> list[Notice]:
    found = google.parse({name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())
    assert not found.problems
    return found.notices


@pytest.mark.parametrize("event", sorted(google.EVENTS))
def test_google_by_pubsub(event: str) -> None:
    body = pushed("b", KEY, event)
    assert google_found(body) == GCS
    assert google_found(body, ce_type=google.MESSAGE, ce_id="1") == GCS
    structured = {"specversion": "1.0", "type": google.MESSAGE, "data": body}
    assert google_found(structured, content_type=STRUCTURED["content-type"]) == GCS


@pytest.mark.parametrize("event", sorted(google.OBJECT_EVENTS))
def test_google_by_eventarc(event: str) -> None:
    data = {"bucket": "b", "name": KEY, "generation": "1"}
    assert google_found(data, ce_type=google.OBJECT + event) == GCS
    assert google_found({"type": google.OBJECT + event, "data": data}, content_type=STRUCTURED["content-type"]) == GCS


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (pushed("b", KEY, "OBJECT_SEEN"), {}),
        ({"message": {"data": "aGk="}}, {}),
        ({"bucket": "b", "name": "k"}, {"ce_type": google.OBJECT + "admired"}),
        ({"any": "thing"}, {"ce_type": "google.cloud.audit.log.v1.written"}),
    ],
)
def test_google_says_what_is_no_news(body: Any, headers: dict[str, str]) -> None:
    assert google_found(body, **headers) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "message is no JSON object"),
        (b'{"message": {"attributes": []}}', None),
        (b'{"message": {"attributes": [1]}}', "attributes"),
        (json.dumps(pushed("", "k")).encode(), "the bucket is missing"),
        (json.dumps(pushed("b", "")).encode(), "the object is missing"),
        (json.dumps(pushed("b", "k" * 5000)).encode(), "longer than"),
        (b'{"message": {"attributes": {"eventType": "OBJECT_DELETE", "bucketId": 7, "objectId": "k"}}}', "the bucket"),
    ],
    ids=range(9),
)
def test_google_malformed(body: bytes, reason: str | None) -> None:
    found = google.parse({}, body)
    assert found.hopeless is (reason is not None)
    assert reason is None or reason in found.problems[0]


def test_amazon() -> None:
    for event in ("ObjectCreated:Put", "s3:ObjectRemoved:Delete", "LifecycleExpiration:Delete"):
        assert amazon.notices(record("b", KEY, event), "") == S3
    assert "+" in record("b", KEY)["s3"]["object"]["key"]
    for detail in amazon.DETAILS:
        assert amazon.notices(bridged("b", KEY, detail), "") == S3
    [found] = amazon.notices(record("b", KEY), AMAZON)
    assert found.place == AMAZON
    minio = record("b", KEY, responseElements={amazon.ORIGIN: "http://minio:9000"})
    assert amazon.notices(minio, "")[0].place == "http://minio:9000"
    assert [amazon.notices(event, "") for event in amazon.events(records(record("b", KEY), record("b", KEY)))] == [
        S3,
        S3,
    ]


def test_amazon_says_what_is_no_news() -> None:
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}
    assert amazon.is_record(test)
    for event in (test, record("b", "k", "ObjectTagging:Put"), bridged("b", "k", "Object ACL Updated")):
        assert amazon.notices(event, "") == []


def without(event: dict[str, Any], *path: str) -> dict[str, Any]:
    event = json.loads(json.dumps(event))
    inner = event
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return event


@pytest.mark.parametrize(
    "event",
    [
        without(record("b", "k"), "eventName"),
        without(record("b", "k"), "s3", "bucket"),
        without(record("b", "k"), "s3", "object"),
        without(record("b", "k"), "s3", "object", "key"),
        {**record("b", "k"), "s3": {"bucket": {"name": "b"}, "object": {"key": "%ff"}}},
        without(bridged("b", "k"), "detail"),
        without(bridged("b", "k"), "detail", "bucket", "name"),
        {"Records": "all"},
        without(grid("b", "k"), "subject"),
        {**grid("b", "k"), "subject": "/blobServices/default/containers/b"},
        {**grid("b", "k"), "data": "url"},
        {**grid("b", "k"), "eventType": 7},
        {"nothing": "known"},
        "text",
        None,
    ],
    ids=range(15),
)
def test_a_malformed_event_keeps_no_good_one_back(event: Any) -> None:
    found = read([record("b", KEY), event, grid("b", KEY)], _notices)
    assert found.notices == [*S3, *AZURE]
    assert (found.malformed, len(found.problems), found.hopeless) == (1, 1, False)
    assert found.problems[0].startswith("event 1: ")
    assert read([event], _notices).hopeless


def test_problems_are_bounded() -> None:
    found = read([None] * 500, _notices)
    assert (found.malformed, len(found.problems)) == (500, MAX_PROBLEMS)


def test_azure_in_both_schemas() -> None:
    for event in ("BlobCreated", "BlobDeleted", "BlobTierChanged"):
        for made in (grid("b", KEY, event), cloud_event(grid("b", KEY, event))):
            assert azure.is_event(made)
            assert azure.notices(made) == AZURE
    for event in ("DirectoryCreated", "BlobInventoryPolicyCompleted"):
        assert azure.notices(grid("b", KEY, event)) == []


def test_azure_renamed_is_news_at_both_names() -> None:
    event = grid("b", "new", "BlobRenamed", url="-", destinationUrl=f"{HOST}/b/new", sourceUrl=f"{HOST}/b/old%20one")
    assert [notice.key for notice in azure.notices(event)] == ["new", "old one"]


@pytest.mark.parametrize(
    ("url", "place", "account"),
    [
        ("https://Acct.blob.core.windows.net/b/k", "https://acct.blob.core.windows.net", "acct"),
        ("http://127.0.0.1:10000/acct/b/k", "http://127.0.0.1:10000/acct", "acct"),
        ("https://acct.dfs.core.windows.net/b/k", "https://acct.dfs.core.windows.net", "acct"),
        ("no url", "", ""),
        ("https://[broken/b/k", "", ""),
        ("https://x/" + "b" * 9000, "", ""),
    ],
)
def test_azure_account_by_its_url(url: str, place: str, account: str) -> None:
    event = {**grid("b", "k", url=url), "topic": "/elsewhere"}
    assert azure.notices(event) == [Notice(store="azure", bucket="b", key="k", place=place, account=account)]


# ---- whose addresses count

OWN = frozenset({"127.0.0.1:9911"})
GOOD = "https://sns.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (f"{GOOD}/SimpleNotificationService-0123.pem", AMAZON),
        ("https://sns.cn-north-1.amazonaws.com.cn/x.pem", AMAZON),
        ("http://127.0.0.1:9911/x.pem", "127.0.0.1:9911"),
        ("http://127.0.0.1:9912/x.pem", ""),
        ("http://sns.us-east-1.amazonaws.com/x.pem", ""),
        ("https://sns.us-east-1.amazonaws.com.evil.example/x.pem", ""),
        ("https://sns.us-east-1.amazonaws.com@evil.example/x.pem", ""),
        ("https://evil.example#sns.us-east-1.amazonaws.com/x.pem", ""),
        ("https://user:x@sns.us-east-1.amazonaws.com/x.pem", ""),
        ("https://sns.us-east-1.amazonaws.com:8443/x.pem", ""),
        ("https://sns.us-east-1.amazonaws.com:443/x.pem", ""),
        ("https://sns.us-east-1.amazonaws.com./x.pem", ""),
        ("https://evil.example/sns.us-east-1.amazonaws.com/x.pem", ""),
        ("https://evil.example\\.sns.us-east-1.amazonaws.com/x.pem", ""),
        ("https://sns.us.east.1.amazonaws.com/x.pem", ""),
        ("https://xsns.us-east-1.amazonaws.com/x.pem", ""),
        ("https://s3.us-east-1.amazonaws.com/bucket/x.pem", ""),
        ("https://sns.us-east-1.amazonawsxcom/x.pem", ""),
        ("https://\u0455ns.us-east-1.amazonaws.com/x.pem", ""),
        ("https://[::1]/x.pem", ""),
        (" https://sns.us-east-1.amazonaws.com/x.pem", ""),
        ("file:///etc/x.pem", ""),
        ("", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_whose_certificates_count(url: Any, host: str) -> None:
    assert sns.certificate_host(url, OWN) == host


def test_a_certificate_is_a_file() -> None:
    for path in ("/", "/x", "/x.pem/", "/x.pem?a=b", "/?x.pem", "/x;.pem2"):
        assert sns.certificate_host(GOOD + path, OWN) == ""
    assert sns.host_of(f"{GOOD}/?Action=ConfirmSubscription&Token=1", OWN) == AMAZON


# ---- what came of it


def test_a_tally_is_given_out_once_a_window_and_is_bounded() -> None:
    tally, place = Tally(), (1, "m")
    tally.add(place, EventWork(last_event=5.0, events=2))
    tally.add(place, EventWork(last_event=4.0, events=1, event_tasks_created=3))
    assert tally.take(place, 10.0, 2.0) == EventWork(last_event=5.0, events=3, event_tasks_created=3)
    assert tally.take(place, 20.0, 2.0) is None
    tally.add(place, EventWork(events=1))
    assert tally.take(place, 11.9, 2.0) is None
    assert tally.of(place).events == 1
    assert tally.take(place, 12.0, 2.0) == EventWork(events=1)
    for number in range(MAX_STORAGES + 5):
        tally.add((number, "m"), EventWork(events=1))
        tally.take((number, "m"), 0.0, 0.0)
        tally.add((number, "m"), EventWork(events=1))
    assert len(tally.waiting()) == MAX_STORAGES
