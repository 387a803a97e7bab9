"""Which server a command talks to: the one it is told, the one of this machine, or one in its own process."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.client import Client, is_loopback
from shared import log
from shared.services.accounts.tokens import TOKEN_FILE

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_DATA_DIR = Path(".sluice")
PROBE = httpx.Timeout(2.0)
SLICE_SECONDS = 5.0
"""Work of a stack in this process comes to a halt within this time, so that an interrupted command ends soon."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A server to talk to. `embedded`: it lives in this process and ends with it."""

    client: Client
    embedded: bool


@contextmanager
def connected(
    url: str | None,
    token: str | None,
    data_dir: Path,
    *,
    say: Callable[[str], None],
    files_root: Callable[[], Path | None] = lambda: None,
) -> Iterator[Connection]:
    """A connection to the server at `url`; without one to that of this machine, or to a stack of this process.

    Such a stack lives as long as the context, says so, and can read the folders below `files_root()`.
    A token that is not given is the data directory's, but only towards this machine.
    """
    with ExitStack() as stack:
        if url is None:
            with Client(DEFAULT_URL, timeout=PROBE) as probe:
                url = DEFAULT_URL if probe.is_sluice() else None
        if url is not None:
            token = token or (_token_of(data_dir) if is_loopback(url) else "")
            yield Connection(stack.enter_context(Client(url, token)), embedded=False)
            return
        from infra.local import running  # takes a second, and most commands need no stack

        log.configure(level=os.environ.get("SLUICE_LOG_LEVEL", "ERROR"))
        root = files_root()
        say(f"No server at {DEFAULT_URL}: Sluice runs in this process, with its data in {data_dir}.")
        local = stack.enter_context(running(data_dir, files_root=root, slice_seconds=SLICE_SECONDS))
        yield Connection(stack.enter_context(Client(local.url, local.token)), embedded=True)


def leave_at_next_interrupt() -> None:
    """Lets a second Ctrl-C end this process at once: what was not finished is found again by the next start."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def _token_of(data_dir: Path) -> str:
    try:
        return (data_dir / TOKEN_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
