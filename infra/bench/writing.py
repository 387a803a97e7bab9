"""How fast small objects are written, provider by provider: `python -m infra.bench.writing [--quick]`.

Each write expects that nothing is there, and carries metadata where it is kept, as a target's first sync does it. The
servers are the project's own and the emulators that are installed, on loopback, so each figure is client and server
together: Azurite's and fake-gcs-server's are their own.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from azure.storage.blob import ContainerClient
from rich.console import Console
from rich.table import Table

from infra.bench.s3_process import gcs_server, s3_server
from infra.emulators import Missing, azurite, redis, running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.adapters.objects.azure import AzureObjects
from shared.adapters.objects.folder import FolderObjects
from shared.adapters.objects.gcs import GcsObjects
from shared.adapters.objects.redis import RedisObjects
from shared.adapters.objects.s3 import S3Objects
from shared.ports import ObjectStore

THREADS = (1, 8, 32)
BODY = b'{"id": 1, "result": []}'.ljust(1200)


def stores(stack: ExitStack) -> Iterator[tuple[str, int, Callable[[], ObjectStore]]]:
    """Name, how many objects, and how the store is opened."""
    s3 = stack.enter_context(s3_server())
    s3.bucket("bench")
    keys = {"access_key": "key", "secret_key": "secret"}
    yield "s3", 6000, lambda: S3Objects("bench", endpoint=s3.endpoint, **keys)
    gcs = stack.enter_context(gcs_server())
    gcs.bucket("bench")
    yield "gcs", 3000, lambda: GcsObjects("bench", endpoint=gcs.endpoint)
    folder = stack.enter_context(TemporaryDirectory())
    yield "folder", 3000, lambda: FolderObjects(folder, uri_prefix="")
    found = redis.find()
    if not isinstance(found, Missing):
        port = stack.enter_context(running(found)).port
        yield "redis, with versions", 3000, lambda: RedisObjects("127.0.0.1", port=port, versions=True)
    found = azurite.find()
    if not isinstance(found, Missing):
        endpoint = f"{stack.enter_context(running(found)).url}/{ACCOUNT}"
        account = {"account_name": ACCOUNT, "account_key": KEY}
        with ContainerClient(endpoint, "bench", credential=account) as container:
            container.create_container()
        yield "azure, Azurite", 300, lambda: AzureObjects("bench", endpoint=endpoint, **account)


def rate(store: ObjectStore, threads: int, objects: int) -> tuple[float, float]:
    """Objects per second, and microseconds of this process's CPU for each."""
    about = {"revision": "1"}

    def write(i: int) -> None:
        key = f"{threads}/{i:06d}.json"
        store.write(key, BODY, content_type="application/json", expect="", metadata=about)

    write(-1)
    with ThreadPoolExecutor(threads) as pool:
        cpu, begin = time.process_time(), time.perf_counter()
        for _ in pool.map(write, range(objects)):
            pass
        return objects / (time.perf_counter() - begin), (time.process_time() - cpu) / objects * 1e6


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Writes per second of each object store.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the objects")
    divisor = 10 if parser.parse_args().quick else 1
    table = Table("store", *(f"{count} threads" for count in THREADS), title="conditional writes/s (CPU us each)")
    with ExitStack() as stack:
        for name, objects, open_store in stores(stack):
            store = open_store()
            figures = [rate(store, threads, objects // divisor) for threads in THREADS]
            store.close()
            table.add_row(name, *(f"{per_second:,.0f} ({cpu:,.0f})" for per_second, cpu in figures))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
