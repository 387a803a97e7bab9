"""The demo: 1,797 real images and a file of labels become tasks, through the real stack over HTTP; then again.

    python -m infra.demo

The handwritten digits that scikit-learn ships are written as PNG files, with a JSONL file of their labels as
predictions, and synced in both modes. What arrived is compared with what lies on disk.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from infra.cli import display
from infra.cli.source import parse
from infra.cli.syncing import ensure_storage, watch
from infra.client import ApiError, Client, Project, Storage
from infra.local import running
from shared import log

CONFIG = (
    """<View><Image name="image" value="$image"/><Choices name="digit" toName="image">{}</Choices></View>""".format(
        "".join(f'<Choice value="{digit}"/>' for digit in range(10))
    )
)
MODEL = "scikit-learn-digits"


class DemoError(Exception):
    """The demo did not end as it must; the text is a sentence for people."""


class Result(NamedTuple):
    """One source, synced twice. `wanted` is what lies on disk, `held` what the project holds in the end."""

    name: str
    wanted: int
    first: Storage
    second: Storage
    held: int

    def check(self) -> None:
        """Raises `DemoError` where a count differs."""
        first, second = self.first.counts, self.second.counts
        expected = {
            "statuses": ((self.first.status, self.second.status), ("completed", "completed")),
            "tasks created by the first sync": (first.created, self.wanted),
            "tasks created by the second sync": (second.created, 0),
            "tasks that the second sync found there": (second.existed, self.wanted),
            "tasks in the project": (self.held, self.wanted),
        }
        for what, (found, wanted) in expected.items():
            if found != wanted:
                raise DemoError(f"{self.name}: {what}: {found}, not {wanted}. {self.second.traceback}".strip())


def write_digits(folder: Path, images: int | None = None) -> None:
    """Writes the data set: `images/<label>/<number>.png` and `tasks/digits.jsonl`; `images` takes only the first."""
    import numpy
    from PIL import Image
    from sklearn.datasets import load_digits  # they take a second to import; this says something first

    digits = load_digits()
    pixels = numpy.rint(digits.images * (255 / 16)).astype(numpy.uint8)[:images]
    for label in range(10):
        (folder / "images" / str(label)).mkdir(parents=True)
    (folder / "tasks").mkdir()
    with (folder / "tasks" / "digits.jsonl").open("w", encoding="utf-8") as rows:
        for number, (picture, label) in enumerate(zip(pixels, digits.target, strict=False)):
            name = f"images/{label}/{number:04d}.png"
            Image.fromarray(picture).save(folder / name)
            rows.write(json.dumps(_task(f"/data/local-files/?d={folder.name}/{name}", int(label))) + "\n")


def _task(address: str, digit: int) -> dict[str, object]:
    choice = {"from_name": "digit", "to_name": "image", "type": "choices", "value": {"choices": [str(digit)]}}
    prediction = {"model_version": MODEL, "score": 1.0, "result": [choice]}
    return {"data": {"image": address, "digit": digit}, "predictions": [prediction]}


def run(console: Console, folder: Path, images: int | None = None) -> None:
    """Runs the demo in a folder, whose `digits` and `data` are made anew. Raises `DemoError`, `ApiError`."""
    digits, data = folder / "digits", folder / "data"
    for old in (digits, data):
        shutil.rmtree(old, ignore_errors=True)
    display.say(console, f"Handwritten digits from scikit-learn, written to {digits}", "bold")
    write_digits(digits, images)
    files = sum(1 for _ in digits.rglob("*.png"))
    with (digits / "tasks" / "digits.jsonl").open(encoding="utf-8") as rows:
        lines = sum(1 for _ in rows)
    display.say(console, f"{files:,} PNG files, and a JSONL file of {lines:,} labelled tasks")

    with running(data, files_root=folder) as stack, Client(stack.url, stack.token) as client:
        display.say(console, f"Sluice runs at {stack.url}, with its data in {data}")
        results = [
            _twice(console, client, "Blob mode: a task per image", digits / "images", blobs=True, wanted=files),
            _twice(console, client, "File mode: a task per line", digits / "tasks", blobs=False, wanted=lines),
        ]
        predictions = client.project(results[1].first.project).predictions
    _counts(console, results)
    for result in results:
        result.check()
    if predictions != lines:
        raise DemoError(f"The tasks of the JSONL file have {predictions} predictions, not {lines}.")
    display.say(console, f"All counts equal the files on disk; {predictions:,} predictions came along.", "bold green")


def _twice(console: Console, client: Client, name: str, folder: Path, *, blobs: bool, wanted: int) -> Result:
    project = client.create_project(f"Digits ({'images' if blobs else 'labelled tasks'})", CONFIG)
    settings = {"use_blob_urls": blobs, "recursive_scan": True}
    source = parse(str(folder), settings=settings, endpoint=None, secrets={})
    storage = ensure_storage(client, project.id, source, lambda text: display.say(console, text))
    first = _once(console, client, storage, name)
    second = _once(console, client, storage, "The same again: nothing to do")
    return Result(name, wanted, first, second, _held(client, project))


def _once(console: Console, client: Client, storage: Storage, heading: str) -> Storage:
    console.print()
    display.say(console, heading, "bold")
    with display.progress(console) as show:
        ended = watch(client, client.sync(storage), show)
    display.summary(console, ended)
    return ended


def _held(client: Client, project: Project) -> int:
    return client.project(project.id).tasks


def _counts(console: Console, results: Sequence[Result]) -> None:
    table = Table("", "on disk", "first sync created", "second created", "second existed", "tasks now", box=None)
    for name, wanted, first, second, held in results:
        numbers = (wanted, first.counts.created, second.counts.created, second.counts.existed, held)
        table.add_row(name, *(f"{number:,}" for number in numbers))
    for column in table.columns[1:]:
        column.justify = "right"
    console.print()
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Sync real images and labels through Sluice, twice, and count.")
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="where everything is written")
    parser.add_argument("--images", type=int, help="only so many of the 1,797")
    args = parser.parse_args(arguments)
    log.configure(level="ERROR")
    try:
        run(display.make_console(), args.dir, args.images)
    except (DemoError, ApiError, OSError) as error:
        display.say(display.make_console(stderr=True), f"The demo failed: {error}", "red")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
