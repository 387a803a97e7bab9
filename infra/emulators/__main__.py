"""`python -m infra.emulators [NAME ...]`: starts the emulators that this machine has, until Ctrl-C."""

import sys
import threading
from contextlib import ExitStack
from signal import SIGTERM, signal
from types import FrameType

from infra.emulators import ALL, Emulator, Missing, running


def main(names: list[str]) -> int:
    """Starts all that are found (or those named) and prints the variables that lead clients to them."""
    found = [find() for find in ALL]
    if unknown := set(names) - {one.name for one in found}:
        print(f"There is no emulator {', '.join(sorted(unknown))}.", file=sys.stderr)
        return 2
    wanted = [one for one in found if not names or one.name in names]
    emulators = [one for one in wanted if isinstance(one, Emulator)]
    for one in wanted:
        if isinstance(one, Missing):
            print(f"# {one}", file=sys.stderr)
    if not emulators:
        return 1
    signal(SIGTERM, _interrupt)
    with ExitStack() as stack:
        try:
            for emulator in emulators:
                for name, value in stack.enter_context(running(emulator)).env.items():
                    print(f"export {name}={value}", flush=True)
            print("# Ctrl-C stops them.", file=sys.stderr, flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
