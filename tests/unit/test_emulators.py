"""Starting servers for development: what is missing, what dies, what stays silent, and that nothing is left over."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.emulators import Emulator, EmulatorError, Missing, firestore, process, pubsub, running
from tests.emulators import require

SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


def an_emulator(*command: str, **more: object) -> Emulator:
    return Emulator(
        name="it",
        command=lambda port: [*command, str(port)] if command else [*SERVER, str(port)],
        env=lambda port: {"IT_HOST": f"127.0.0.1:{port}"},
        **more,  # type: ignore[arg-type]
    )


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_serves_and_then_is_gone():
    with running(an_emulator()) as it:
        assert it.env == {"IT_HOST": it.host}
        assert process._answers("/", it.port)
    assert not is_alive(it.pid)


def test_its_children_go_with_it():
    """A launcher that does not pass signals on, as gcloud's does not."""
    script = f"import subprocess, sys; subprocess.run([*{SERVER!r}, sys.argv[1]])"
    with running(an_emulator(sys.executable, "-c", script)) as it:
        assert process._answers("/", it.port)
    assert not process._answers("/", it.port)


def test_one_that_dies_says_why():
    broken = an_emulator(sys.executable, "-c", "raise SystemExit('no such option')")
    with pytest.raises(EmulatorError, match=r"ended with status 1(?s:.*)no such option"), running(broken):
        pass


def test_one_that_never_answers():
    silent = an_emulator(sys.executable, "-c", "import time; time.sleep(60)", start_seconds=0.3)
    with pytest.raises(EmulatorError, match="did not answer within"), running(silent):
        pass


def test_readiness_may_be_a_function():
    with running(an_emulator(ready=lambda port: process._answers("/", port))) as it:
        assert it.url == f"http://127.0.0.1:{it.port}"


def test_a_missing_one_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch):
    missing = Missing("it", "It is not installed.", "apt-get install it")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"not installed\. apt-get install it"):
        require(missing)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"not installed\. apt-get install it"):
        require(missing)


@pytest.mark.parametrize(
    ("module", "variable"), [(firestore, "FIRESTORE_EMULATOR_JAR"), (pubsub, "PUBSUB_EMULATOR_JAR")]
)
def test_a_jar_may_be_named(module, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setenv(variable, str(tmp_path / "it.jar"))
    found = module.find()
    assert isinstance(found, Missing)
    assert variable in found.reason
    (tmp_path / "it.jar").touch()
    found = module.find()
    assert isinstance(found, Emulator)
    assert str(tmp_path / "it.jar") in found.command(1)
    monkeypatch.setattr("shutil.which", lambda name: None)
    found = module.find()
    assert isinstance(found, Missing)
    assert "Java" in str(found)


@pytest.mark.emulator
def test_the_command_starts_them_and_stops_with_ctrl_c(firestore_emulator):
    command = [sys.executable, "-m", "infra.emulators", "firestore"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as it:
        assert it.stdout is not None
        line = it.stdout.readline()
        it.send_signal(signal.SIGINT)
        assert it.wait(20) == 0
    assert line.startswith("export FIRESTORE_EMULATOR_HOST=127.0.0.1:")
    time.sleep(0.1)
    assert not process._answers("/", int(line.rpartition(":")[2]))
