"""Prints how fast a bucket becomes tasks, beside the bare storage client on the same server in the same run.

    python -m infra.bench [--quick]

The S3 server is the project's own, in memory, in a process of its own; machine and noise are the same for both sides
of each ratio. Absolute figures are this machine's, on this day.
"""

import argparse
import os
import platform
import tempfile
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from infra.bench import exporting, measures, notifying, signing
from infra.bench.s3_process import s3_server
from shared import log


class Case(NamedTuple):
    """One line of the table."""

    name: str
    kind: str
    objects: int
    rows: int = 1


CASES = (
    Case("blob mode", "blob", 10_000),
    Case("blob mode", "blob", 100_000),
    Case("file mode, a JSON each", "json", 10_000),
    Case("file mode, one JSONL", "jsonl", 1, 100_000),
)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the objects")
    log.configure(level="WARNING")
    divisor = 10 if parser.parse_args().quick else 1
    table = Table(title=f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite, in-memory S3 server")
    for column in ("case", "tasks", "tasks/s", "CPU us/task", "peak MB", "bare list keys/s", "bare GET/s"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for column in ("share of bare", "no-op tasks/s", "docs read/task", "docs written/task", "no-op docs/task"):
        table.add_column(column, justify="right")
    for case in CASES:
        table.add_row(*_measure(case, divisor))
    Console(width=200).print(table)
    Console(width=200).print(_targets(10_000 // divisor))
    Console(width=200).print(_signing())
    Console(width=200).print(_notifications(200 // divisor))


def _signing() -> Table:
    """How fast URLs are signed."""
    table = Table(
        title=f"signed URLs per second on one core; aimed at: {signing.TARGET:,} for S3 and Google's key files"
    )
    for column in ("provider", "URLs/s", "bare RSA signatures/s", "share of bare"):
        table.add_column(column, justify="left" if column == "provider" else "right")
    for name, urls, bare in signing.measure():
        table.add_row(name, f"{urls:,.0f}", *((f"{bare:,.0f}", f"{urls / bare:.0%}") if bare else ("", "")))
    return table


def _targets(objects: int) -> Table:
    """How fast targets are filled."""
    table = Table(title="targets: a full sync, beside the same number of writes by the storage client alone")
    for column in ("format", "objects", "objects/s", "CPU us/object", "peak MB", "bare PUT/s", "share of bare"):
        table.add_column(column, justify="left" if column == "format" else "right")
    table.add_column("no-op objects/s", justify="right")
    for format in ("annotation", "task"):  # noqa: A001
        with tempfile.TemporaryDirectory() as folder, s3_server() as s3:
            bare = exporting.bare_writing(s3, objects)
            figures = exporting.fill(s3, Path(folder), objects, format)
        rate = objects / figures.seconds
        table.add_row(
            format,
            f"{objects:,}",
            f"{rate:,.0f}",
            f"{figures.cpu_us:,.0f}",
            f"{figures.peak_mb:,.0f}",
            f"{bare:,.0f}",
            f"{rate / bare:.0%}",
            f"{objects / figures.again_seconds:,.0f}",
        )
    return table


def _notifications(uploads: int) -> Table:
    """How soon an upload is a task."""
    table = Table(title="notifications: seconds from an upload to a task that can be seen")
    for column in ("sender", "uploads", "p50", "p95", "slowest"):
        table.add_column(column, justify="left" if column == "sender" else "right")
    for found in notifying.latencies(uploads):
        rates = [f"{found.at(share):.2f}" for share in (0.5, 0.95, 1.0)]
        table.add_row(found.name, f"{len(found.seconds):,}", *rates)
    return table


def _measure(case: Case, divisor: int) -> list[str]:
    objects = max(1, case.objects // divisor)
    blob = case.kind == "blob"
    with tempfile.TemporaryDirectory() as folder, s3_server() as s3:
        s3.fill(measures.BUCKET, objects, kind=case.kind, rows=max(1, case.rows // divisor))
        listing = measures.bare_listing(s3.endpoint)
        fetching = None if blob else measures.bare_fetching(s3.endpoint)
        figures = measures.sync(s3.endpoint, Path(folder), blob=blob)
        reads, writes, again = measures.documents_per_object(s3.endpoint, Path(folder), blob=blob)
    rate = figures.created / figures.seconds
    bare = listing if blob else fetching if case.rows == 1 else None
    return [
        case.name,
        f"{figures.created:,}",
        f"{rate:,.0f}",
        f"{figures.cpu_us:,.0f}",
        f"{figures.peak_mb:,.0f}",
        f"{listing:,.0f}",
        f"{fetching:,.0f}" if fetching else "",
        f"{rate / bare:.0%}" if bare else "",
        f"{figures.created / figures.again_seconds:,.0f}",
        f"{reads:,.3f}",
        f"{writes:,.3f}",
        f"{again:,.3f}",
    ]


if __name__ == "__main__":
    main()
