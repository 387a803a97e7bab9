"""Parts of the command line that need no server."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra.cli import display
from infra.cli.source import parse
from infra.cli.syncing import watch
from infra.client import ApiError, Storage


def test_the_document_root_is_the_current_folder_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here" / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")

    def root(path: str) -> Path | None:
        return parse(path, settings={}, endpoint=None, secrets={}).files_root()

    assert root("a/b") == root("a") == tmp_path / "here"
    assert root(".") == tmp_path
    assert root("s3://bucket/a") is None


STORAGE = {"id": 1, "project": 1, "status": "in_progress", "last_sync_count": 3}


def state(**more: Any) -> Storage:
    return Storage.of({**STORAGE, **more}, "s3")


class Flaky:
    """A server that is away for a while."""

    def __init__(self, *answers: Storage | ApiError) -> None:
        self.answers = list(answers)

    def storage(self, _storage: Storage) -> Storage:
        answer = self.answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer


def test_watching_outlives_a_restart_of_the_server_and_no_refusal():
    seen: list[str] = []
    client: Any = Flaky(ApiError("gone", temporary=True), ApiError("busy", 503), state(status="completed"))
    assert watch(client, state(), lambda shown: seen.append(shown.status)).status == "completed"
    assert seen == ["in_progress", "completed"]
    client = Flaky(ApiError("Invalid token.", 401))
    with pytest.raises(ApiError, match="Invalid token"):
        watch(client, state(), lambda _: None)


def test_a_terminal_gets_a_bar_and_no_control_characters_of_others():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    with display.progress(console) as show:
        show(state(meta={"objects_listed": 1200, "objects_imported": 600}))
        show(state(status="failed", meta={"objects_listed": 1200, "objects_failed": 7}))
    display.say(console, "a\x1b[31mkey")
    assert "1,200 listed   3 created   0 existed   7 failed" in output.getvalue()
    assert "━" in output.getvalue()
    assert "a\N{REPLACEMENT CHARACTER}[31mkey" in output.getvalue()
