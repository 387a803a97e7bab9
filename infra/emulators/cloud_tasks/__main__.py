"""Serves Cloud Tasks on a loopback port until it is interrupted.

    python -m infra.emulators.cloud_tasks --port 0 --data FOLDER --key FILE

Prints the address and the URL of the keys when it serves. Queues are created by the client, as on Google.
"""

import argparse
import contextlib
import signal
import threading
from pathlib import Path

from infra.emulators.cloud_tasks.server import serving


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--keys-port", type=int, default=0, help="of the public key that verifies the tokens")
    parser.add_argument("--data", type=Path, help="folder to keep the queues in; default: memory")
    parser.add_argument("--key", type=Path, help="PEM file of the key that signs the tokens; made if it is not there")
    args = parser.parse_args()
    if args.data:
        args.data.mkdir(parents=True, exist_ok=True)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with (
        contextlib.suppress(BrokenPipeError),
        serving(port=args.port, keys_port=args.keys_port, folder=args.data, key_file=args.key) as served,
    ):
        print(f"Cloud Tasks is at {served.endpoint}", flush=True)
        print(f"Keys: {served.keys_url}", flush=True)
        done.wait()


if __name__ == "__main__":
    main()
