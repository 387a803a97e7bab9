"""The demo with a few images: it ends by itself, and what it says is true."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.client import Storage
from infra.demo import DemoError, Result

IMAGES = 60


def demo(folder: Path) -> str:
    command = [sys.executable, "-W", "error", "-m", "infra.demo", "--images", str(IMAGES), "--dir", str(folder)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_counts_equal_the_files_on_disk_each_time_it_is_run(tmp_path: Path):
    for _ in range(2):
        out = demo(tmp_path / "demo")
        pictures = list((tmp_path / "demo" / "digits" / "images").glob("*/*.png"))
        lines = (tmp_path / "demo" / "digits" / "tasks" / "digits.jsonl").read_text().splitlines()
        assert len(pictures) == len(lines) == IMAGES
        for mode in ("Blob mode", "File mode"):
            row = re.search(rf"^ *{mode}: .*?((?:\s+\d+)+) *$", out, re.MULTILINE)
            assert row
            assert row.group(1).split() == ["60", "60", "0", "60", "60"]
        assert "All counts equal the files on disk; 60 predictions came along." in out


def state(**fields: object) -> Storage:
    return Storage.of({"id": 1, "project": 1, "status": "completed", **fields}, "localfiles")


GOOD = Result("Blobs", 2, state(last_sync_count=2), state(last_sync_count=0, meta={"tasks_existed": 2}), 2)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"held": 3}, "tasks in the project: 3, not 2"),
        ({"first": state(last_sync_count=1)}, "created by the first sync: 1, not 2"),
        ({"second": state(last_sync_count=1, meta={"tasks_existed": 2})}, "created by the second sync: 1, not 0"),
        ({"second": state(meta={"tasks_existed": 1})}, "found there: 1, not 2"),
        ({"first": state(last_sync_count=2, status="completed_with_errors")}, "completed_with_errors"),
    ],
)
def test_a_count_that_differs_is_told(wrong: dict[str, object], sentence: str):
    GOOD.check()
    with pytest.raises(DemoError, match=sentence):
        GOOD._replace(**wrong).check()
