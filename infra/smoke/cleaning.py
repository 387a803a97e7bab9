"""What the test made, and its removal, whatever ended the test."""

import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from infra.client import ApiError, Client
from infra.smoke.writing import Writer, WritingError

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
TRIES = 4


@contextmanager
def undisturbed() -> Iterator[None]:
    """Lets an interrupt wait until the context is left: between a request and the note of what it made."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _title() -> str:
    return f"Sluice smoke test {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} {uuid.uuid4().hex[:12]}"


@dataclass(slots=True)
class Made:
    """A project with all that is in it, and an object in the bucket. The title is the project's alone."""

    client: Client
    title: str = field(default_factory=_title)
    number: int = 0
    asked: bool = False
    object: Writer | None = None

    def project(self, label_config: str) -> int:
        """Makes the project. Call it undisturbed."""
        self.asked = True
        try:
            self.number = self.client.create_project(self.title, label_config).id
        except ApiError as error:
            # What is refused is not there; what was not answered may be.
            self.asked = error.temporary or not 400 <= error.status < 500
            raise
        return self.number

    def undo(self) -> list[str]:
        """Removes everything; what could not be removed is named, with the reason. Ends the power of interrupts."""
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)
        return [text for text in (self._undo_object(), self._undo_project()) if text]

    def _undo_object(self) -> str:
        try:
            if self.object:
                self.object.undo()
        except WritingError as error:
            return f"{self.object}: {error}"
        return ""

    def _undo_project(self) -> str:
        """A project whose creation was never answered is looked for by its title."""
        if not self.asked:
            return ""
        name = f'project {self.number} "{self.title}"' if self.number else f'perhaps a project "{self.title}"'
        trouble: ApiError | None = None
        for number in range(TRIES):
            time.sleep(2.0**number - 1)
            try:
                self.number = self.number or next((it.id for it in self.client.projects() if it.title == self.title), 0)
                trouble = None
                if self.number:
                    self.client.delete_project(self.number)
                    return ""
            except ApiError as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return ""
                trouble = error
                if not error.temporary:
                    break
        return f"{name}: {trouble}" if trouble else ""
