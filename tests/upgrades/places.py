"""What the storages of a recorded state read and write: the same objects whenever they are asked for."""

import json
import os
from pathlib import Path

from infra.bench.s3_process import S3Server

PICTURES, MANY, ROWS, OUT, RECORDS, LOST = "pictures", "many", "rows", "out", "records", "lost"
MANY_OBJECTS, PICTURE_OBJECTS, RECORD_OBJECTS = 60, 12, 200
NEW_PICTURE = "set/new.jpg"
"""Told of by its bucket, and not imported yet."""
TIME = 1_790_000_000
"""When all files were modified."""


def fill(s3: S3Server, root: Path) -> None:
    """Everything as it was when the recording ended, but for what targets wrote."""
    s3.bucket(OUT)
    s3.fill(PICTURES, PICTURE_OBJECTS, prefix="set/")
    s3.put(PICTURES, NEW_PICTURE, b"a new picture")
    s3.fill(MANY, MANY_OBJECTS, prefix="lot/")
    s3.put(ROWS, "rows/a.jsonl", "".join(json.dumps({"data": {"text": f"row {i}"}}) + "\n" for i in range(8)))
    s3.put(ROWS, "rows/b.jsonl", '{"data": {"text": "good"}}\n{no JSON\n')
    s3.fill(RECORDS, RECORD_OBJECTS, prefix="all/")
    folder = root / "files"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(5):
        file = folder / f"{number}.png"
        file.write_bytes(b"picture %d" % number)
        os.utime(file, (TIME, TIME))
