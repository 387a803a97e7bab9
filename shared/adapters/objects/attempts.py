"""Tries again what may pass, and keeps in mind what a lost answer leaves open."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from shared.errors import StoreError, StoreUnreachableError, VersionMismatchError, WriteUnknownError

R = TypeVar("R")

BACKOFF = 0.1
"""Seconds before the first repetition; doubles each time, with jitter."""


def tried(attempts: int, send: Callable[[], R], *, conditional: bool = False) -> R:
    """What `send` returns; it raises errors of our own. Raises the last of them, or the first that won't pass.

    `conditional`: this is a write with an expectation. If it is refused after a try that may have been applied, what
    is there may be this write's own, so the refusal becomes a `WriteUnknownError`.
    """
    tries, lost = 0, False
    while True:
        tries += 1
        try:
            return send()
        except VersionMismatchError as caught:
            if not (conditional and lost):
                raise
            error = WriteUnknownError(f"An answer was lost, and now {caught.message}", detail=caught.detail)
        except StoreError as caught:
            if caught.permanent or tries >= attempts:
                raise
            # Only where nothing answered is it certain that nothing was done.
            lost = lost or not isinstance(caught, StoreUnreachableError)
            time.sleep(BACKOFF * 2**tries * random.uniform(0.5, 1))  # noqa: S311
            continue
        raise error
