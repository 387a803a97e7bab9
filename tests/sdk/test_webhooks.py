"""`webhooks.*` of the real SDK, and a receiver that is really told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest

from tests.sdk.client import Sdk, SdkError


@pytest.fixture
def receiver() -> Iterator[tuple[str, "Queue[dict[str, Any]]"]]:
    """Its address, and what it is told."""
    told: Queue[dict[str, Any]] = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.put({**body, "header": self.headers.get("X-Secret")})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", told
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("platform", ["embedded"], indirect=True)
def test_every_method_of_webhooks(sdk: Sdk, receiver: tuple[str, "Queue[dict[str, Any]]"]):
    url, told = receiver
    webhooks = sdk.webhooks
    project = sdk.projects.create(title="A project")["id"]
    with sdk.covering("webhooks"):
        about_annotations = ["ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED"]
        actions = ["PROJECT_UPDATED", "TASKS_CREATED", "TASKS_DELETED", *about_annotations]
        given = {"url": url, "project": project, "actions": actions, "send_for_all_actions": False}
        made = webhooks.create(**given, headers={"X-Secret": "a-secret-for-the-receiver"}, send_payload=True)
        assert sdk.type == "Webhook"
        assert made.items() >= {**given, "is_active": True, "send_payload": True}.items()
        assert "a-secret-for-the-receiver" not in str(made)
        assert [one["id"] for one in webhooks.list()] == [made["id"]]
        assert [one["id"] for one in webhooks.list(project=str(project))] == [made["id"]]
        assert webhooks.get(made["id"])["url"] == url
        assert set(actions) <= webhooks.info().keys()
        assert set(actions) <= webhooks.info(organization_only=False).keys()

        sdk.projects.update(project, title="Another title")
        event = told.get(timeout=30)
        assert (event["action"], event["header"]) == ("PROJECT_UPDATED", "a-secret-for-the-receiver")
        assert (event["project"]["id"], event["project"]["title"]) == (project, "Another title")
        task = sdk.tasks.create(project=project, data={"image": "x"})["id"]
        event = told.get(timeout=30)
        assert (event["action"], [one["id"] for one in event["tasks"]]) == ("TASKS_CREATED", [task])
        made_by_sdk = sdk.annotations.create(id=task, result=[], lead_time=1.5)["id"]
        event = told.get(timeout=30)
        assert (event["action"], event["annotation"]["id"]) == ("ANNOTATION_CREATED", made_by_sdk)
        sdk.annotations.update(made_by_sdk, was_cancelled=True)
        assert told.get(timeout=30)["action"] == "ANNOTATION_UPDATED"
        sdk.annotations.delete(made_by_sdk)
        assert told.get(timeout=30)["action"] == "ANNOTATIONS_DELETED"
        sdk.tasks.delete(task)
        event = told.get(timeout=30)
        assert (event["action"], event["tasks"]) == ("TASKS_DELETED", [{"id": task}])

        changed = webhooks.update(made["id"], is_active=False)
        assert changed["is_active"] is False
        assert webhooks.delete(made["id"]) is None
        with pytest.raises(SdkError, match="404"):
            webhooks.get(made["id"])
        with pytest.raises(SdkError, match="400") as refused:
            webhooks.create(url="nonsense", project=project)
        assert list(refused.value.body["validation_errors"]) == ["url"]
