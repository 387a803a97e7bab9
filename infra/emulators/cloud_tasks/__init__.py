"""A Cloud Tasks server over the real protocol: names that stay used, back-off, limits, signed tokens, HTTP targets."""

import sys

from infra.emulators.process import HOST, Emulator


def find() -> Emulator:
    """The server, which comes with the project. The keys that verify its tokens are served on the next port."""
    return Emulator(
        name="cloud-tasks",
        command=lambda port: [
            *(sys.executable, "-m", "infra.emulators.cloud_tasks"),
            *("--port", str(port), "--keys-port", str(port + 1)),
        ],
        ready=_ready,
        env=lambda port: {
            "SLUICE_CLOUD_TASKS_ENDPOINT": f"{HOST}:{port}",
            "SLUICE_CALLER_KEYS_URL": f"http://{HOST}:{port + 1}/certs",
        },
    )


def _ready(port: int) -> bool:
    import socket

    with socket.create_connection((HOST, port), 1), socket.create_connection((HOST, port + 1), 1):
        return True
