"""The same on both platforms: what a notification sets off, and that work on it leaves the last sync's words alone."""

import httpx
import pytest

from tests.notices import bridged, until

SECRET = "a-secret-of-the-sender-0001"


@pytest.mark.parametrize("stack", [{"notice_secrets": SECRET, "event_window": 0.2}], indirect=True)
def test_uploads_become_tasks(stack, api, s3):
    s3.drop("bucket")
    s3.fill("bucket", 300, prefix="img/")  # two chunks
    storage = api.s3_storage(api.project(), s3.endpoint, auto_sync=True)
    api.sync(storage)
    before = api.wait(storage)
    assert before["last_sync_count"] == 300
    s3.fill("bucket", 320, prefix="img/", start=300)  # the last chunk is cut by it
    s3.put("bucket", "a.jpg", b"x")

    with httpx.Client(base_url=stack.url, headers={"x-sluice-secret": SECRET}, timeout=60) as sender:
        keys = ["a.jpg", *(f"img/{number:08d}.jpg" for number in range(300, 620))]
        told = [bridged("bucket", key) for key in keys]
        assert sender.post("/bucket_webhook", json=told).json()["honoured"] == 321
        for event in told[::40]:
            assert sender.post("/bucket_webhook", json=event).status_code == 200

    until(lambda: api.total(storage["project"]) == 621)
    until(lambda: not stack.ctx.chunks.unsettled(10) and not any(it.value.dirty for it in stack.ctx.hints.find()))
    until(lambda: api.read(storage)["meta"].get("event_tasks_created") == 321)
    after = api.read(storage)
    kept = ("status", "last_sync", "last_sync_count", "last_sync_job", "traceback")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert after["meta"]["events"] == 321 + 9
