"""A bucket of each type on its real protocol server, with the words in which the SDK connects it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from azure.storage.blob import ContainerClient

from infra.bench.s3_process import GcsServer, S3Server
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY

SECRET = "a-secret-that-nobody-shows"
PICTURES = {f"img/{number}.jpg": b"picture %d" % number for number in range(3)}
TASKS = {f"img/{number}.json": json.dumps({"image": f"http://x/{number}.jpg"}).encode() for number in range(3)}
"""For Redis, whose values are always tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A place with three objects below `img/`."""

    place: Mapping[str, Any]
    """The arguments that name it."""
    below: Mapping[str, Any]
    """Those that name a folder in it: `img` has the objects."""
    out: Mapping[str, Any]
    """Those that name another folder, for exports."""
    secrets: Mapping[str, Any] = field(default_factory=dict)
    wrong: Mapping[str, Any]
    """What makes a connection fail."""
    keys: list[str]
    objects: Callable[[], dict[str, bytes]]
    """All that is in it now."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the SDK has no argument for goes through its `request_options`."""
    folders: bool = True
    """Whether `recursive_scan` means something."""
    named: bool = True
    """Whether the SDK's `validate` has an argument for a stored storage, whose secrets count then."""

    def stored(self, number: int) -> dict[str, Any]:
        """The arguments of `validate` that name a stored storage."""
        if self.named:
            return {"id": number, "request_options": self.options}
        return {"request_options": {"additional_body_parameters": {"id": number}}}


def s3(server: S3Server) -> Bucket:
    """On the project's S3 server."""
    server.reset(everything=True)
    server.put_many("pictures", PICTURES)
    return Bucket(
        place={"bucket": "pictures", "s3endpoint": server.endpoint, "region_name": "us-east-1"},
        below={"prefix": "img"},
        out={"prefix": "out"},
        secrets={"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": SECRET},
        wrong={"bucket": "nowhere"},
        keys=list(PICTURES),
        objects=lambda: {key: server.get("pictures", key) or b"" for key in server.keys("pictures")},
    )


def gcs(server: GcsServer) -> Bucket:
    """On the project's GCS server; the stack knows its address from STORAGE_EMULATOR_HOST, as Google's clients do."""
    server.reset(everything=True)
    server.put_many("pictures", PICTURES)
    return Bucket(
        place={"bucket": "pictures"},
        below={"prefix": "img"},
        out={"prefix": "out"},
        wrong={"bucket": "nowhere"},
        keys=list(PICTURES),
        objects=lambda: {key: server.get("pictures", key) or b"" for key in server.keys("pictures")},
    )


@contextmanager
def azure(azurite: Running, name: str) -> Iterator[Bucket]:
    """On Azurite. The SDK has no argument for another endpoint than Azure's."""
    endpoint = f"{azurite.url}/{ACCOUNT}"
    with ContainerClient(endpoint, name, credential={"account_name": ACCOUNT, "account_key": KEY}) as client:
        client.create_container()
        for key, body in PICTURES.items():
            client.upload_blob(key, body)
        yield Bucket(
            place={"container": name},
            below={"prefix": "img"},
            out={"prefix": "out"},
            secrets={"account_name": ACCOUNT, "account_key": KEY},
            wrong={"container": "nowhere"},
            keys=list(PICTURES),
            objects=lambda: {key: client.download_blob(key).readall() for key in client.list_blob_names()},
            options={"additional_body_parameters": {"azure_endpoint": endpoint}},
        )
        client.delete_container()


@contextmanager
def redis_server(running: Running) -> Iterator[Bucket]:
    """On a Redis server; databases 1 and 2 are the defaults of imports and exports."""
    with redis.Redis(port=running.port, db=1) as client, redis.Redis(port=running.port, db=2) as exports:
        client.flushall()
        client.mset(TASKS)

        def objects() -> dict[str, bytes]:
            return {key.decode(): exports.get(key) for key in exports.scan_iter()}

        yield Bucket(
            place={"host": "127.0.0.1", "port": str(running.port)},
            below={"path": "img/"},
            out={"path": "out"},
            wrong={"port": "9"},
            keys=list(TASKS),
            objects=objects,
            folders=False,
        )


def local(root: Path) -> Bucket:
    """A folder that the stack may read."""
    folder = root / "pictures"
    for key, body in PICTURES.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(body)
    (folder / "out").mkdir()
    return Bucket(
        place={},
        below={"path": str(folder / "img")},
        out={"path": str(folder / "out")},
        wrong={"path": str(folder / "nowhere")},
        keys=[key.removeprefix("img/") for key in PICTURES],
        objects=lambda: {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        },
    )
