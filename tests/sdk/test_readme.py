"""What the README shows is what runs."""

import re
import subprocess

import pytest

from infra.bench.s3_process import GcsServer
from tests.emulators import require
from tests.sdk.client import ROOT, Sdk, find


@pytest.mark.parametrize("platform", ["embedded"], indirect=True)
def test_the_example_for_the_sdk(sdk: Sdk, gcs_process: GcsServer):
    gcs_process.reset(everything=True)
    gcs_process.put_many("photos", {"2024/a.jpg": b"a", "2024/may/b.jpg": b"b", "2023/c.jpg": b"c"})
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    command = [str(require(find())), "-I", "-c", code]
    env = {"SLUICE_URL": sdk.url, "SLUICE_TOKEN": sdk.token}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.partition(" ")[2] for line in done.stdout.splitlines()]
    assert [line.partition(" ")[0] for line in lines] == ["2024/a.jpg", "2024/may/b.jpg"]
    assert all(re.fullmatch(r"\S+ {'image': '/tasks/[0-9]+/resolve/\?fileuri=[\w=-]+'}", line) for line in lines)
