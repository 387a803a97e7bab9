"""The `sluice` command as people run it: a process of its own, against a stack over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.bench.s3_process import s3_server
from infra.cli.syncing import watch
from infra.client import Client
from infra.local import Stack, running
from shared.adapters.queues.inprocess import InProcessQueue
from shared.services.context import QUEUE_RUNS

SLUICE = str(Path(sys.executable).with_name("sluice"))
LIMIT = 60
SECRET = "a-secret-that-nobody-prints"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    (root / "files").mkdir()
    with running(root / "data", files_root=root / "files") as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, stack.token) as client:
        yield client


@pytest.fixture
def folder(stack: Stack, request: pytest.FixtureRequest) -> Path:
    """An empty folder that the stack may read."""
    path = Path(stack.ctx.settings.local_files_document_root) / request.node.name
    path.mkdir()
    return path


def environment(stack: Stack | None = None, **more: str) -> dict[str, str]:
    """What the command sees of the environment: nothing of this machine's credentials and servers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SLUICE_"))}
    served = {"SLUICE_URL": stack.url, "SLUICE_TOKEN": stack.token} if stack else {}
    return {**kept, "PYTHONWARNINGS": "error", **served, **more}


def run(*arguments: object, env: dict[str, str], code: int = 0) -> tuple[str, str]:
    command = [SLUICE, *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout, done.stderr


def report(*arguments: object, env: dict[str, str], code: int = 0) -> dict[str, Any]:
    """What `--json` prints, which is one JSON object and nothing beside it."""
    return dict(json.loads(run(*arguments, "--json", env=env, code=code)[0]))


def pictures(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number:03d}.png").write_bytes(b"picture %d" % number)


def test_the_second_sync_of_a_folder_finds_all_there(stack: Stack, folder: Path):
    pictures(folder, 30)
    (folder / "deep").mkdir()
    pictures(folder / "deep", 5)
    first = report("sync", folder, "--title", "Pictures", env=environment(stack))
    second = report("sync", f"{folder}/", "--title", "Pictures", env=environment(stack))
    counts = {"status": "completed", "listed": 35, "imported": 35, "excluded": 0, "failed": 0, "traceback": ""}
    assert first.items() >= {**counts, "created": 35, "existed": 0, "type": "localfiles"}.items()
    assert second.items() >= {**counts, "created": 0, "existed": 35}.items()
    assert [first[name] for name in ("project", "storage")] == [second[name] for name in ("project", "storage")]

    only = report("sync", folder, "--title", "Pictures", "--no-recursive", "--regex", "00", env=environment(stack))
    assert (only["storage"], only["imported"], only["existed"]) == (first["storage"], 10, 10)


def test_people_see_counts_tables_and_where_to_look(stack: Stack, client: Client, folder: Path):
    pictures(folder, 12)
    out, err = run("sync", folder, env=environment(stack))
    project = next(client.projects()).id
    assert "completed: 12 listed   12 created   0 existed   0 failed" in out
    assert "completed in " in out
    assert f"sluice tasks {project}" in out
    assert err == ""
    shown = run("storages", "--project", project, env=environment(stack))[0].splitlines()
    assert len(shown) == 2
    assert str(folder) in shown[1]
    assert shown[1].split()[-4:] == ["12", "12", "0", "0"]
    table = run("tasks", project, "--limit", 5, env=environment(stack))[0].splitlines()
    assert len(table) == 7
    assert "000.png" in table[1]
    assert table[-1] == "5 of 12 tasks"
    page = report("tasks", project, "--limit", 2, env=environment(stack))
    assert (page["total"], [task["storage_filename"] for task in page["tasks"]]) == (12, ["000.png", "001.png"])


def test_broken_lines_are_named_with_their_reason(stack: Stack, folder: Path):
    lines = [json.dumps({"data": {"text": f"row {number}"}}) for number in range(20)]
    lines[6] = '{"data": '
    (folder / "rows.jsonl").write_text("\n".join(lines))
    out, _ = run("sync", folder, "--mode", "tasks", env=environment(stack), code=2)
    assert "completed_with_errors" in out
    (reason,) = [line for line in out.splitlines() if line.startswith("rows.jsonl")]
    assert "line 7" in reason
    assert len(reason) > len("rows.jsonl, line 7: ")
    again = report("sync", folder, "--mode", "tasks", env=environment(stack), code=2)
    assert (again["existed"], again["bad_rows"], again["listed"]) == (19, 1, 1)


def test_a_failed_sync_says_why(stack: Stack, folder: Path):
    run("sync", folder, "--title", "Soon gone", env=environment(stack))
    folder.rmdir()
    failed = report("sync", folder, "--title", "Soon gone", env=environment(stack), code=1)
    assert failed["status"] == "failed"
    assert "does not exist" in failed["traceback"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sync", "{root}/nowhere"], "does not exist"),
        (["sync", "/"], "must be a subdirectory"),
        (["sync", "ftp://host/x"], "'ftp://host/x' is no source: there are folders and s3://bucket/prefix."),
        (["sync", "s3://"], "names no bucket"),
        (["sync", "{root}", "--project", "1", "--title", "Both"], "not both"),
        (["sync", "{root}", "--project", "987654"], "No Project matches the given query."),
        (["sync", "{root}/..", "--title", "ab"], "title: Ensure this field has at least 3 characters."),
        (["tasks", "987654"], "No Project matches the given query."),
        (["storages", "--token", "wrong"], "Invalid token. Give the server's token with --token or SLUICE_TOKEN."),
        (["storages", "--token", "wröng"], "characters that no token has"),
        (["storages", "--url", "somewhere"], "'somewhere' is no URL"),
    ],
)
def test_what_can_not_be_is_said_in_one_sentence(stack: Stack, client: Client, arguments: list[str], sentence: str):
    before = list(client.projects())
    root = stack.ctx.settings.local_files_document_root
    out, err = run(*(argument.format(root=root) for argument in arguments), env=environment(stack), code=1)
    assert sentence in err
    assert err.startswith("sluice: ")
    assert (out, err.count("\n")) == ("", 1)
    assert list(client.projects()) == before


def test_a_field_that_is_refused_is_named(stack: Stack, folder: Path):
    assert run("sync", folder, "--regex", "(?=a)", env=environment(stack), code=1)[1].startswith("sluice: regex_filter")


def test_nobody_answers(tmp_path: Path):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        assert "can't be reached" in run("storages", "--url", url, env=environment(), code=1)[1]


def test_a_redirect_is_not_followed():
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{server.server_port}/login")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        err = run("tasks", 1, "--url", url, "--token", SECRET, env=environment(), code=1)[1]
        server.shutdown()
        thread.join()
    assert len(asked) == 1
    assert f"sends to {url}/login, which is not Sluice's API." in err
    assert SECRET not in err


def test_a_bucket_with_credentials_from_the_environment(stack: Stack):
    with s3_server(access_key="AKIDFORTESTS") as s3:
        s3.fill("pictures", 20, prefix="img/")
        s3.fill("pictures", 3, prefix="other/")
        keys = {"AWS_ACCESS_KEY_ID": "AKIDFORTESTS", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SECRET}
        env = environment(stack, AWS_ENDPOINT_URL=s3.endpoint, **keys)
        first = report("sync", "s3://pictures/img", env=env)
        out, err = run("sync", "s3://pictures/img/", "--project", first["project"], env=env)
        assert (first["created"], first["source"]) == (20, "s3://pictures/img")
        assert "0 created   20 existed" in out
        listed = run("storages", "--project", first["project"], env=env)[0]
        assert len(listed.splitlines()) == 2  # the same storage, with or without the slash
        wrong = run("sync", "s3://pictures/img", env={**env, "AWS_ACCESS_KEY_ID": "OTHER"}, code=1)
        assert SECRET not in "".join((out, err, listed, *wrong))


def test_interrupting_stops_watching_only(stack: Stack, client: Client, folder: Path):
    pictures(folder, 3)
    queue = stack.ctx.queue
    assert isinstance(queue, InProcessQueue)
    queue.pause(QUEUE_RUNS)
    try:
        with subprocess.Popen(
            [SLUICE, "sync", str(folder)], env=environment(stack), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            lines = iter(process.stdout.readline, "")
            assert any("queued: " in line for line in lines)
            process.send_signal(signal.SIGINT)
            assert f"No longer watching: the sync goes on at {stack.url}." in "".join(lines)
            assert process.wait(LIMIT) == 130
    finally:
        queue.resume(QUEUE_RUNS)
    storage = client.storages(next(client.projects()).id)[0]
    assert watch(client, storage, lambda _: None).counts.created == 3


def test_without_a_server_the_stack_runs_in_this_process(tmp_path: Path):
    source, home = tmp_path / "pictures", tmp_path / "home"
    source.mkdir()
    home.mkdir()
    pictures(source, 8)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        # The default address may be in use on this machine.
        start = f"""from infra.cli import app, server
server.DEFAULT_URL = "http://127.0.0.1:{unheard.getsockname()[1]}"
app()"""

        def sluice(*arguments: object, code: int = 0) -> tuple[str, str]:
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", start, *map(str, arguments)],
                env=environment(),
                cwd=home,
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
            assert done.returncode == code, done.stderr
            return done.stdout, done.stderr

        out, err = sluice("sync", "../pictures")
        assert "Sluice runs in this process, with its data in .sluice." in out
        assert "8 created   0 existed" in out
        assert err == ""
        again, aside = sluice("sync", "../pictures", "--json")
        assert json.loads(again)["existed"] == 8
        assert "Sluice runs in this process" in aside
        assert "8 of 8 tasks" in sluice("tasks", 1)[0]
        assert "is a file" in sluice("sync", "../pictures/000.png", code=1)[1]
        around = json.loads(sluice("sync", "..", "--json")[0])
        assert around["created"] == 8  # the stack's own data, which lies there too, is nobody's business
