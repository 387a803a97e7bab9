"""One writer at a time in a directory, among the threads of this process and, where the system can, all processes."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from shared.errors import StoreUnavailableError

PATIENCE = 30.0
"""Seconds to wait for another process, which holds a lock for less than a millisecond unless it hangs."""
UNSUPPORTED = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}

_threads = Lock()
"""One for the process: two stores may share a folder."""


@contextmanager
def locked(directory: str) -> Iterator[None]:
    """Holds the directory's lock; it leaves no file behind and ends with the process. Raises OSError if it is gone."""
    with _threads:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            give_up = time.monotonic() + PATIENCE
            while not _taken(descriptor):
                if time.monotonic() > give_up:
                    raise StoreUnavailableError(f"Another process has held the lock on {directory} for too long")
                time.sleep(0.001)
            yield
        finally:
            os.close(descriptor)


def lockable(directory: str) -> bool:
    """Whether other processes honour the lock too: network file systems often can't lock a directory."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return True  # nothing can be written there, and what tries will tell
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as caught:
        if caught.errno not in UNSUPPORTED:
            raise
    return True
