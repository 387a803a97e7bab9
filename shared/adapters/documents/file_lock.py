"""A lock that one process holds for as long as it lives."""

import fcntl
import os
from typing import TextIO

from shared.errors import DocumentsUnavailableError, SluiceError


def lock_file(path: str) -> TextIO:
    """Takes the lock, which closing the returned file releases, as does the end of the process, however it ends.

    Raises a `SluiceError` that names the holder if there is one.
    """
    try:
        file = open(path, "a+", encoding="ascii")  # noqa: SIM115 - open for as long as the lock is held
    except OSError as error:
        raise DocumentsUnavailableError(f"{path} can't be written.", detail=str(error)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read(20).strip()
        file.close()
        raise SluiceError(
            f"Another process{holder and f' (pid {holder})'} uses this data directory. Stop it, or choose another "
            f"directory. The lock is {path}."
        ) from error
    except OSError as error:
        file.close()
        raise DocumentsUnavailableError(f"{path} can't be locked.", detail=str(error)) from error
    return file
