"""The local stack: every function in one process, durable in one folder.

    python -m infra.local --port 8080 --data-dir .sluice

Serves the API, delivers the queue's messages to `sync_chunk` on worker threads, and runs the sweep on a timer. Buckets
notify it at `/bucket_event` and `/bucket_webhook`.
"""

import argparse
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from functions import sweep
from functions.app import create_app
from functions.notified import Answer
from functions.runtime import deliver
from infra.functions import API, PUBLIC, PUBSUB, load
from shared import app, log
from shared.errors import SchemaTooNewError
from shared.ports import DocumentStore, TaskQueue
from shared.services.accounts import tokens
from shared.services.context import Context
from shared.services.sync import recovery
from shared.settings import Settings

SWEEP_INTERVAL = 10.0
"""Seconds; the cloud's scheduler can do no better than a minute, a laptop can."""
SLICE_SECONDS = 30.0


def notified() -> Mapping[str, Answer]:
    """The functions that buckets notify, by path; as deployed they refuse everybody whom no setting admits.

    They are all that is called from outside beside the API.
    """
    names = [function.name for function in load().called_by(PUBLIC, PUBSUB) if function.name != API]
    return {f"/{name}": import_module(f"functions.{name}").answer for name in names}


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that runs."""

    url: str
    token: str
    ctx: Context


def local_settings(data_dir: str | Path, files_root: str | Path | None = None, **overrides: Any) -> Settings:
    """Settings of a laptop: what the environment does not say is chosen for the folder one stands in."""
    env = dict(os.environ)
    chosen: dict[str, Any] = {"data_dir": str(Path(data_dir).resolve())}
    if files_root is not None or not _any(env, "LOCAL_FILES_DOCUMENT_ROOT"):
        chosen["local_files_document_root"] = str(Path(files_root or ".").resolve())
    if files_root is not None or not _any(env, "LOCAL_FILES_SERVING_ENABLED"):
        chosen["local_files_serving_enabled"] = True
    if "SLUICE_SWEEP_INTERVAL" not in env:
        chosen["sweep_interval"] = SWEEP_INTERVAL
    if "SLUICE_SLICE_SECONDS" not in env:
        chosen["slice_seconds"] = SLICE_SECONDS
    if "SLUICE_SCHEMA_SETTLE_SECONDS" not in env:
        chosen["schema_settle_seconds"] = 0.0  # no other process has the data directory
    if "SLUICE_WEBHOOK_ALLOW_PRIVATE" not in env:
        chosen["webhook_allow_private"] = True  # receivers run on the same laptop
    return Settings.from_env(env, **(chosen | overrides))


def _any(env: dict[str, str], name: str) -> bool:
    return any(prefix + name in env for prefix in ("LABEL_STUDIO_", "HEARTEX_", ""))


@contextmanager
def running(
    data_dir: str | Path,
    *,
    files_root: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    store: DocumentStore | None = None,
    queue: TaskQueue | None = None,
    **overrides: Any,
) -> Iterator[Stack]:
    """The whole stack, served by threads of this process until the context is left. Port 0: a free one.

    `store` holds the documents, `queue` the messages; both are closed in the end. Without them the settings choose.
    """
    settings = local_settings(data_dir, files_root, **overrides)
    ctx = app.build(settings, deliver, documents=store, queue=queue)
    try:
        recovery.expire_leases(ctx)
        app.start(ctx)
        with _sweeping(ctx), serving(_application(ctx), host, port) as url:
            yield Stack(url, tokens.first_token(settings), ctx)
    finally:
        app.close(ctx)


@contextmanager
def _sweeping(ctx: Context) -> Iterator[None]:
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(ctx.settings.sweep_interval):
            sweep.handle(ctx, {}, b"")
            app.maintain(ctx)

    sweep.handle(ctx, {}, b"")  # what a killed process left behind is looked after at once
    thread = threading.Thread(target=loop, name="sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def serving(application: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serves an application by a thread of this process until the context is left; its URL."""
    # Naming the protocol makes asyncio switch Nagle off: 40 ms less for each answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)  # a client that comes before the server thread waits instead of being refused
        config = uvicorn.Config(application, log_level="warning", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="http", daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _application(ctx: Context) -> ASGIApp:
    """The API, and beside it the functions that buckets notify."""
    api, others = create_app(lambda: ctx), notified()

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        answer = others.get(scope["path"].rstrip("/")) if scope["type"] == "http" else None
        respond = await answer(Request(scope, receive), ctx) if answer else api
        await respond(scope, receive, send)

    return served


def serve(data_dir: str, *, host: str = "127.0.0.1", port: int = 8080, files_root: str | None = None) -> None:
    """Serves until it is interrupted; prints where, and the token to use."""
    log.configure(level=os.environ.get("SLUICE_LOG_LEVEL", "INFO"))
    with running(data_dir, files_root=files_root, host=host, port=port) as stack:
        root = stack.ctx.settings.local_files_document_root
        print(f"Sluice is at {stack.url}", flush=True)
        print(f"Token: {stack.token}", flush=True)
        print(f"Docs: {stack.url}/docs   Data: {stack.ctx.settings.data_dir}   Local files below: {root}", flush=True)
        _wait_for_signal()


def _wait_for_signal() -> None:
    import signal

    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    done.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data-dir", default=".sluice")
    parser.add_argument("--files-root", help="folder below which local files may be synced; default: the current one")
    args = parser.parse_args()
    try:
        serve(args.data_dir, host=args.host, port=args.port, files_root=args.files_root)
    except SchemaTooNewError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
