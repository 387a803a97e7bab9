"""An S3 upload becomes a task because SNS or EventBridge said so; what proves nothing changes nothing."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from functions import bucket_webhook
from shared.errors import DocumentsUnavailableError, QueueUnavailableError
from shared.ports import Query
from tests.notices import TOPIC, bridged, record, records, sns_server, until

SECRET, NEXT_SECRET = "a-secret-of-the-sender-0001", "a-secret-of-the-sender-0002"
PROVED = {"x-sluice-secret": SECRET}
BUCKET = "bucket"


@pytest.fixture(scope="module")
def sns():
    with sns_server() as one:
        yield one


@pytest.fixture
def stack(request, sns, tmp_path):
    from infra import local

    settings = {"sns_topics": f"{TOPIC}, other", "sns_hosts": sns.host, "notice_secrets": f"{NEXT_SECRET},{SECRET}"}
    settings |= {"event_window": 0.05, "sweep_interval": 3600} | getattr(request, "param", {})
    bucket_webhook._certificates.cache_clear()
    sns.asked.clear()
    with local.running(tmp_path / "data", files_root=tmp_path, **settings) as running:
        yield running


@pytest.fixture
def storage(api, s3):
    """A storage that was synced once, with one object, and listens."""
    s3.drop(BUCKET)
    s3.put(BUCKET, "img/0.jpg", b"x")
    made = api.s3_storage(api.project(), s3.endpoint, prefix="img", regex_filter=r".*\.jpg", auto_sync=True)
    api.sync(made)
    return api.wait(made)


def send(stack, body, headers=None, **query):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{stack.url}/bucket_webhook", content=content, headers=headers or {}, params=query)


def written(stack):
    """Everything that a notification could leave behind."""
    count = stack.ctx.documents.count
    return [count(Query(collection=name)) for name in ("hints", "runs", "lanes", "event_work")]


FORMS = {
    "signed, SHA-1": lambda sns, key: (sns.message(records(record(BUCKET, key))), {}),
    "signed, SHA-256": lambda sns, key: (sns.message(records(record(BUCKET, key)), version="2"), {}),
    "signed, without subject": lambda sns, key: (sns.message(records(record(BUCKET, key)), Subject=None), {}),
    "EventBridge by SNS": lambda sns, key: (sns.message(bridged(BUCKET, key)), {}),
    "raw": lambda _, key: (records(record(BUCKET, key)), PROVED),
    "EventBridge": lambda _, key: (bridged(BUCKET, key), {"X-Sluice-Secret": NEXT_SECRET}),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_upload_becomes_a_task(stack, api, s3, sns, storage, form):
    key = "img/a b+c ü.jpg"
    s3.put(BUCKET, key, b"x")
    body, headers = FORMS[form](sns, key)

    answer = send(stack, body, headers)

    assert (answer.status_code, answer.json()) == (200, {"honoured": 1, "ignored": 0, "malformed": 0})
    until(lambda: api.total(storage["project"]) == 2)
    until(lambda: api.read(storage)["meta"].get("last_event_sync"))
    now = api.read(storage)
    kept = ("status", "last_sync", "last_sync_count", "last_sync_job", "traceback")
    assert {name: now[name] for name in kept} == {name: storage[name] for name in kept}
    seen = {name: now["meta"][name] for name in ("events", "event_syncs", "event_tasks_created")}
    assert seen == {"events": 1, "event_syncs": 1, "event_tasks_created": 1}
    assert now["meta"]["last_event"] < now["meta"]["last_event_sync"]
    assert storage["meta"].items() <= {**now["meta"], **dict.fromkeys(seen, 0)}.items()


def test_a_secret_may_stand_in_the_address(stack, api, s3, storage):
    s3.put(BUCKET, "img/1.jpg", b"x")
    assert send(stack, records(record(BUCKET, "img/1.jpg")), secret=SECRET).status_code == 200
    until(lambda: api.total(storage["project"]) == 2)


def test_the_first_notification_of_a_storage_that_was_never_synced_starts_its_first_sync(stack, api, s3):
    s3.drop(BUCKET)
    s3.fill(BUCKET, 30, prefix="img/")
    made = api.s3_storage(api.project(), s3.endpoint, auto_sync=True)
    assert send(stack, records(record(BUCKET, "img/00000000.jpg")), PROVED).json()["honoured"] == 1
    ended = api.wait(made)
    assert (ended["status"], ended["last_sync_count"]) == ("completed", 30)


def test_twice_late_and_out_of_order_is_harmless(stack, api, s3, storage):
    for name in ("1", "2", "3"):
        s3.put(BUCKET, f"img/{name}.jpg", b"x")
    s3.delete(BUCKET, "img/3.jpg")
    told = [record(BUCKET, "img/3.jpg", "ObjectRemoved:Delete"), *(record(BUCKET, f"img/{n}.jpg") for n in "3211")]
    for event in [*told, *told]:
        assert send(stack, records(event), PROVED).status_code == 200
    until(lambda: api.total(storage["project"]) == 3)
    until(lambda: not any(hint.value.dirty for hint in stack.ctx.hints.find()))
    assert sorted(task["storage_filename"] for task in api.tasks(storage["project"])) == [
        "img/0.jpg",
        "img/1.jpg",
        "img/2.jpg",
    ]


def test_what_no_storage_takes_is_acknowledged_and_leaves_nothing(stack, api, storage):
    before = written(stack)
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent"}
    others = [record("another", "img/1.jpg"), record(BUCKET, "else/1.jpg"), record(BUCKET, "img/1.png")]
    others += [record(BUCKET, "img/"), record(BUCKET, "img/1.jpg", "ObjectTagging:Put")]
    answer = send(stack, [test, records(*others)], PROVED)
    assert (answer.status_code, answer.json()) == (200, {"honoured": 0, "ignored": 6, "malformed": 0})
    for off in ({"auto_sync": False}, {"auto_sync": True, "synchronizable": False}):
        assert api.http.patch(api.path(storage), json=off).status_code == 200
        assert send(stack, records(record(BUCKET, "img/1.jpg")), PROVED).json()["honoured"] == 0
    assert written(stack) == before


def test_a_bad_event_keeps_no_good_one_back(stack, api, s3, storage):
    s3.put(BUCKET, "img/1.jpg", b"x")
    answer = send(stack, records({"eventName": "ObjectCreated:Put"}, record(BUCKET, "img/1.jpg")), PROVED)
    assert (answer.status_code, answer.json()["malformed"], answer.json()["honoured"]) == (200, 1, 1)
    until(lambda: api.total(storage["project"]) == 2)


def test_a_subscription_is_confirmed_where_sns_is_and_nowhere_else(stack, sns):
    assert send(stack, sns.confirmation()).status_code == 200
    assert "/?Action=ConfirmSubscription" in sns.asked
    sns.asked.clear()
    assert send(stack, sns.confirmation(Type="UnsubscribeConfirmation")).status_code == 200
    for url in ("http://127.0.0.1:9/", "https://evil.example/", f"{sns.url}@evil.example/", "file:///etc/passwd"):
        assert send(stack, sns.confirmation(SubscribeURL=url)).status_code == 403
    assert send(stack, sns.confirmation(TopicArn="arn:aws:sns:eu-west-1:1:other-one")).status_code == 403
    assert [path for path in sns.asked if "Confirm" in path] == []


def test_a_certificate_is_fetched_once_and_its_absence_passes(stack, sns, storage):
    sns.status = 500
    assert send(stack, sns.message(records(record(BUCKET, "img/1.jpg")))).status_code == 503
    sns.status = 200
    for _ in range(3):
        assert send(stack, sns.message(records(record(BUCKET, "img/1.jpg")))).status_code == 200
    assert len(sns.asked) == 2


def test_certificates_that_callers_name_are_fetched_ten_times_a_minute_at_most(stack, sns, storage):
    sns.status = 404
    for number in range(15):
        url = f"{sns.url}/{number}.pem"
        assert send(stack, sns.message("x", SigningCertURL=url)).status_code == 503
    sns.status = 200
    assert len(sns.asked) == 10


def forged(sns, **changes):
    return {**sns.message(records(record(BUCKET, "img/1.jpg"))), **changes}


GOOD = records(record(BUCKET, "img/1.jpg"))
EVIL = "https://sns.us-east-1.amazonaws.com.evil.example/x.pem"
REFUSED = {
    "another message": (403, lambda sns: forged(sns, Message=json.dumps(records(record(BUCKET, "img/2.jpg"))))),
    "another time": (403, lambda sns: forged(sns, Timestamp=datetime.now(UTC).isoformat())),
    "another version of signature": (403, lambda sns: forged(sns, SignatureVersion="2")),
    "no version of signature": (403, lambda sns: forged(sns, SignatureVersion="3")),
    "a signature that is none": (403, lambda sns: forged(sns, Signature="%%%")),
    "no signature": (403, lambda sns: forged(sns, Signature=None)),
    "replayed later": (403, lambda sns: sns.message(GOOD, age=3700)),
    "from the future": (403, lambda sns: sns.message(GOOD, age=-3700)),
    "another topic": (403, lambda sns: sns.message(GOOD, TopicArn=f"{TOPIC}2")),
    "a topic that begins alike": (403, lambda sns: sns.message(GOOD, TopicArn=TOPIC[:-1])),
    "a certificate of somebody": (403, lambda sns: sns.message(GOOD, SigningCertURL=EVIL)),
    "a certificate with a user": (403, lambda sns: sns.message(GOOD, SigningCertURL=f"http://x@{sns.host}/x.pem")),
    "a certificate at another port": (403, lambda sns: sns.message(GOOD, SigningCertURL="http://127.0.0.1:1/x.pem")),
    "no certificate": (403, lambda sns: sns.message(GOOD, SigningCertURL=None)),
    "no time": (400, lambda sns: sns.message(GOOD, Timestamp="soon")),
    "no time zone": (400, lambda sns: sns.message(GOOD, Timestamp="2026-01-01T00:00:00")),
    "no type": (400, lambda sns: sns.message(GOOD, Type="Letter")),
    "no message": (400, lambda sns: forged(sns, Message=None)),
    "a message that is no JSON": (400, lambda sns: sns.message("hello")),
    "a subject that is no text": (400, lambda sns: forged(sns, Subject=["x"])),
    "nothing": (401, lambda _: b""),
    "raw without a secret": (401, lambda _: GOOD),
    "EventBridge without a secret": (401, lambda _: bridged(BUCKET, "img/1.jpg")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_proves_nothing_is_refused_and_leaves_nothing(stack, sns, storage, case):
    before = written(stack)
    status, body = REFUSED[case]
    answer = send(stack, body(sns))
    assert answer.status_code == status, answer.text
    assert written(stack) == before


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (403, GOOD, {"x-sluice-secret": SECRET[:-1]}),
        (403, GOOD, {"x-sluice-secret": f"{NEXT_SECRET},{SECRET}"}),
        (403, GOOD, {"x-sluice-secret": "é".encode() * 20}),
        (401, GOOD, {"authorization": "Basic x"}),
        (403, GOOD, {"authorization": "Bearer x.y.z"}),
        (400, b"{", PROVED),
        (400, b"\xff", PROVED),
        (400, b"", PROVED),
        (400, records({"no": "record"}), PROVED),
        (400, {"Records": 7}, PROVED),
        (400, [[], None, "x", 1], PROVED),
        (413, b" " * (1024 * 1024 + 1), PROVED),
    ],
    ids=range(12),
)
def test_bad_requests_are_refused_and_leave_nothing(stack, storage, status, body, headers):
    before = written(stack)
    answer = send(stack, body, headers)
    assert answer.status_code == status, answer.text
    assert SECRET not in answer.text
    assert written(stack) == before


def test_a_body_without_a_length_is_bounded_too(stack, storage):
    pieces = (b" " * 100_000 for _ in range(20))
    assert httpx.post(f"{stack.url}/bucket_webhook", content=pieces, headers=PROVED).status_code == 413


@pytest.mark.parametrize("stack", [{"sns_topics": "", "notice_secrets": ""}], indirect=True)
def test_without_settings_nobody_may_notify(stack, sns, storage):
    before = written(stack)
    for body, headers in ((sns.message(GOOD), {}), (GOOD, PROVED), (GOOD, {}), (sns.confirmation(), {})):
        assert send(stack, body, headers).status_code == 403
    event = httpx.post(f"{stack.url}/bucket_event", json={"message": {}})
    assert event.status_code == 403
    assert (written(stack), sns.asked) == (before, [])


@pytest.mark.parametrize("stack", [{"notice_secrets": "short"}], indirect=True)
def test_a_short_secret_is_none(stack, storage):
    assert send(stack, GOOD, {"x-sluice-secret": "short"}).status_code == 403


def test_methods(stack):
    for path, allowed in (("bucket_webhook", "POST, OPTIONS"), ("bucket_event/", "POST")):
        answer = httpx.get(f"{stack.url}/{path}")
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("error", [DocumentsUnavailableError("down"), QueueUnavailableError("down")])
def test_what_fails_for_a_while_is_told_again(stack, api, s3, storage, monkeypatch, error):
    """503, and the same notification later does what is left to do, also where only its message was not queued."""
    s3.put(BUCKET, "img/1.jpg", b"x")
    broken = stack.ctx.documents if isinstance(error, DocumentsUnavailableError) else stack.ctx.queue
    name = "query" if broken is stack.ctx.documents else "enqueue"

    def refuse(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(broken, name, refuse)
        answer = send(stack, GOOD, PROVED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert send(stack, GOOD, PROVED).status_code == 200
    until(lambda: api.total(storage["project"]) == 2)


def test_no_secret_is_logged(stack, storage, log_lines):
    for headers in (PROVED, {"x-sluice-secret": SECRET + "x"}, {"authorization": f"Bearer {SECRET}"}):
        send(stack, b"{", headers)
    send(stack, GOOD, secret=SECRET + "y")
    assert "notice.refused" in log_lines.getvalue()
    assert SECRET not in log_lines.getvalue()
