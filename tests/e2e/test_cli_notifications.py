"""`sluice notifications enable`: buckets that are told to notify, and what is printed where they can't be."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.bench.s3_process import GcsServer, S3Server, gcs_server, s3_server
from infra.local import Stack, running
from shared.adapters.notifications import gcs
from shared.adapters.notifications import s3 as s3_notifications
from shared.errors import StoreError
from tests.stack import Api

TOPIC, ARN = "projects/my-project/topics/events", "arn:aws:sns:eu-west-1:123456789012:events"


class Notifying:
    """The part of GCS and S3 that keeps notification configs; says no where it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.configs: list[dict[str, Any]] = []
        self.document = b'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'
        self.allowed = True
        self.writes = 0

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if not self.allowed and method != "GET":
            told = {"error": {"code": 403, "message": "me@example.org lacks storage.buckets.update"}}
            xml = b"<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
            return 403, json.dumps(told).encode() if "notificationConfigs" in path else xml
        self.writes += method != "GET"
        if "notificationConfigs" in path:
            if method == "POST":
                self.configs.append(json.loads(body))
            return 200, json.dumps({"items": self.configs} if method == "GET" else self.configs[-1]).encode()
        if method == "PUT":
            self.document = body
        return 200, b"" if method == "PUT" else self.document


@pytest.fixture
def notifying() -> Iterator[Notifying]:
    state = Notifying()

    class Handler(BaseHTTPRequestHandler):
        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, answer = state.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = serve  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def gcs_process() -> Iterator[GcsServer]:
    with gcs_server() as server:
        server.fill("pictures", 3, prefix="img/")
        yield server


@pytest.fixture(scope="module")
def s3_process() -> Iterator[S3Server]:
    with s3_server() as server:
        server.fill("pictures", 3, prefix="img/")
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, gcs_process: GcsServer) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    (root / "files").mkdir()
    emulator = {"storage_emulator_host": gcs_process.address}
    with running(root / "data", files_root=root / "files", **emulator) as stack:
        yield stack


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    api = Api(stack.url, stack.token)
    yield api
    api.close()


def enable(stack: Stack, *arguments: object, code: int = 0, **env: str) -> tuple[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SLUICE_", "GOOGLE_"))}
    kept |= {"SLUICE_URL": stack.url, "SLUICE_TOKEN": stack.token, "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", "from infra.cli import app; app()", "notifications", "enable"]
    done = subprocess.run(
        [*command, *map(str, arguments)], env=kept | env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout, done.stderr


def test_a_bucket_of_google(stack: Stack, api: Api, notifying: Notifying):
    """It publishes, once, and only the subscription is left to make; refused, all of it is."""
    storage = api.storage(api.project(), kind="gcs", bucket="pictures", prefix="img")
    assert storage["auto_sync"] is False
    host = {"STORAGE_EMULATOR_HOST": notifying.url}
    others = {"topic": f"//pubsub.googleapis.com/{TOPIC}", "object_name_prefix": "other/"}
    notifying.configs.append(others)

    for _ in range(2):
        out, _ = enable(stack, storage["id"], "--topic", TOPIC, "--endpoint", "https://e.example/x", **host)

    assert api.read(storage)["auto_sync"] is True
    [kept, ours] = notifying.configs
    assert (kept, ours["topic"], ours["object_name_prefix"]) == (others, others["topic"], "img/")
    assert "--push-endpoint=https://e.example/x" in out
    assert "SLUICE_BUCKET_EVENT_URL=https://e.example/x" in out
    assert "SLUICE_EVENT_SERVICE_ACCOUNTS=sluice-push@my-project.iam.gserviceaccount.com" in out
    assert "notifications create" not in out
    notifying.configs.clear()
    notifying.allowed = False
    out, err = enable(stack, storage["id"], "--topic", TOPIC, code=2, **host)
    assert "lacks storage.buckets.update" in err
    assert "notifications create gs://pictures --topic=projects/my-project/topics/events" in out
    assert '  object_name_prefix = "img/"' in out
    assert f"{stack.url}/bucket_event" in out


def test_a_bucket_of_s3(stack: Stack, api: Api, s3_process: S3Server):
    """This server keeps no notifications: the commands are printed, with what is wrong."""
    storage = api.s3_storage(api.project(), s3_process.endpoint, bucket="pictures", prefix="img*")
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret-canary", "AWS_REGION": "eu-west-1"}
    out, err = enable(stack, storage["id"], "--topic", ARN, code=2, **keys)
    assert err.count("pictures: S3 refuses it") == 1
    assert f"aws sns subscribe --topic-arn {ARN} --protocol https" in out
    assert '"Value": "img"' in out
    assert f"{stack.url}/bucket_webhook" in out
    assert "secret-canary" not in out + err
    assert api.read(storage)["auto_sync"] is True
    out, err = enable(stack, storage["id"])
    assert "arn:aws:sns:REGION:ACCOUNT:sluice-bucket-events" in out


def test_who_can_not_notify(stack: Stack, api: Api):
    folder = Path(stack.ctx.settings.local_files_document_root) / "pictures"
    folder.mkdir()
    storage = api.storage(api.project(), path=str(folder))
    assert "do not notify" in enable(stack, storage["id"], code=1)[1]
    assert "There is no import storage 999" in enable(stack, 999, code=1)[1]
    bucket = api.storage(api.project(), kind="gcs", bucket="pictures")
    assert "projects/<project>/topics/<topic>" in enable(stack, bucket["id"], "--topic", ARN, code=1)[1]
    assert api.read(bucket)["auto_sync"] is False


# ---- the buckets' side


@pytest.mark.parametrize(
    ("config", "covered"),
    [
        ({}, True),
        ({"object_name_prefix": "im"}, True),
        ({"object_name_prefix": "img/x"}, False),
        ({"event_types": ["OBJECT_FINALIZE"]}, False),
        ({"event_types": [*gcs.EVENTS, "OBJECT_METADATA_UPDATE"]}, True),
        ({"topic": "//pubsub.googleapis.com/projects/p/topics/else"}, False),
    ],
)
def test_what_google_tells_already(config: dict[str, Any], covered: bool):
    assert gcs.covers([{"topic": "t", **config}], "t", "img/") is covered


def test_s3_keeps_what_others_have_set_up(notifying: Notifying, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret-canary")
    notifying.document = (
        b'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><QueueConfiguration><Id>theirs'
        b"</Id><Queue>arn:aws:sqs:eu-west-1:1:q</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule>"
        b"<Name>prefix</Name><Value>other/</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
        b"<EventBridgeConfiguration/></NotificationConfiguration>"
    )
    where = {"endpoint": notifying.url, "region": "eu-west-1"}
    assert s3_notifications.ensure("pictures", ARN, "img/", storage=7, **where) is True
    assert s3_notifications.ensure("pictures", ARN, "img/", storage=7, **where) is False
    assert s3_notifications.ensure("pictures", ARN, "img/deeper/", storage=8, **where) is False
    assert notifying.writes == 1
    for part in (b"theirs", b"EventBridgeConfiguration", ARN.encode(), b"sluice-storage-7", b"<Value>img/</Value>"):
        assert part in notifying.document
    assert s3_notifications.ensure("pictures", f"{ARN}2", "", storage=7, **where) is True
    assert notifying.document.count(b"sluice-storage-7") == 1  # ours is replaced, theirs is not
    assert b"theirs" in notifying.document
    notifying.allowed = False
    with pytest.raises(StoreError, match="not you") as caught:
        s3_notifications.ensure("pictures", ARN, "img/", storage=7, **where)
    assert "secret-canary" not in str(caught.value)
