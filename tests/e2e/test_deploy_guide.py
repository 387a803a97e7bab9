"""The commands by which `docs/deploy.md` takes a newcomer to a synced bucket are run as they stand there."""

import os
import re
import subprocess
from pathlib import Path

from infra import local
from infra.bench.s3_process import gcs_server
from tests.stack import Api

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "deploy.md"


def test_from_nothing_to_a_synced_bucket(tmp_path: Path):
    (commands,) = re.findall(r"```sh\n(AUTH=.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    with gcs_server() as gcs, local.running(tmp_path / "data", storage_emulator_host=gcs.endpoint) as stack:
        gcs.fill("my-photos", 3)
        env = {**os.environ, "SLUICE_URL": stack.url, "SLUICE_TOKEN": stack.token}

        done = subprocess.run(
            ["bash", "-euc", commands.replace("curl ", "curl --fail --silent --show-error ")],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert (0, "") == (done.returncode, done.stderr)
        api = Api(stack.url, stack.token)
        ended = api.wait({"type": "gcs", "id": 1, "project": 1})
        assert ("completed", 3, 3) == (ended["status"], ended["last_sync_count"], api.total(1))
        api.close()
