"""How long a fresh process takes to have the functions, and what it leaves aside until somebody needs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.emulators import Running
from infra.function_process import CHECKOUT
from infra.starts import start

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1.5
# functions-framework brings `google.cloud.functions`, which is a few lines of its own.
VENDORS = ("boto3", "botocore", "azure", "arro3", "obstore", "lxml", "grpc", "redis", "jwt", "google.api_core")
OWN = ("google", "google.cloud", "google.cloud.functions", "google.cloud.functions_v1")

MEASURE = """
import json, sys, time
begun, cpu = time.perf_counter(), time.process_time()
import main
print(json.dumps([time.perf_counter() - begun, time.process_time() - cpu, sorted(sys.modules)]))
"""
BUILT = """
import json, sys
from functions.runtime import context
import main
context()
print(json.dumps([0.0, 0.0, sorted(sys.modules)]))
"""


def run(code: str, **env: str) -> tuple[float, float, set[str]]:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True, timeout=60)
    seconds, cpu, modules = json.loads(done.stdout)
    return seconds, cpu, set(modules)


def loaded(modules: set[str]) -> set[str]:
    google = {name for name in modules if name.startswith("google.") and not name.startswith(OWN[2:])} - set(OWN)
    return google | {name for name in VENDORS if name in modules}


def test_importing_the_functions_is_quick_and_loads_no_vendor() -> None:
    runs = [run(MEASURE) for _ in range(3)]
    seconds, cpu = min(run[0] for run in runs), min(run[1] for run in runs)
    print(f"\nimport main: {seconds:.2f} s, of which CPU {cpu:.2f} s (best of {len(runs)})")
    assert loaded(runs[0][2]) == set()
    assert "functions.documentation" not in runs[0][2]  # made when somebody asks for it
    assert cpu < SECONDS  # what other processes of the machine take is not ours


def test_a_context_loads_what_its_settings_choose(tmp_path: Path) -> None:
    embedded = {"SLUICE_DATA_DIR": str(tmp_path), "SLUICE_TOKEN": "a-token-that-is-long-enough"}
    assert loaded(run(BUILT, **embedded)[2]) == set()

    deployed = {
        "SLUICE_QUEUE": "cloudtasks",
        "SLUICE_GOOGLE_PROJECT": "project",
        "SLUICE_GOOGLE_LOCATION": "europe-west1",
        "SLUICE_CALLER_SERVICE_ACCOUNT": "queue@project.iam.gserviceaccount.com",
        "SLUICE_SYNC_CHUNK_URL": "https://example.org/sync_chunk",
    }
    found = loaded(run(BUILT, **embedded, **deployed)[2])
    assert "google.cloud.tasks_v2" in found
    assert "google.cloud.firestore" not in found
    assert not found & {"boto3", "botocore", "arro3", "obstore", "lxml", "azure"}


@pytest.mark.emulator
def test_a_function_answers_soon_and_holds_little(firestore_emulator: Running, tmp_path: Path) -> None:
    """Up to its first answer, from Firestore: what `python -m infra.size --start` measures of each."""
    one = start("api", CHECKOUT, firestore_emulator, tmp_path)

    print(f"\nfirst answer: {one.seconds:.2f} s, of which CPU {one.cpu:.2f} s; {one.memory:.0f} MB")
    assert one.cpu < 2 * SECONDS
    assert one.seconds > 0.1
    assert 50 < one.memory < 300
