"""What a project must be after a sync: a function of bucket, policies and what users did. Knows nothing of the code.

Two things no listing can know, and so may be one or the other: what came and went between two listings, and in which
of its former versions an object was last seen that is ignored or gone.
"""

from shared.ports import Document
from tests.simulation.histories import Deletion, History, Version, Work, text_of


def problems(history: History) -> list[str]:
    """What is not as it must be; empty if all is well."""
    return Judge(history).run()


class Judge:
    """Holds the project against the history."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.updates = history.on_changed == "update_unannotated"
        self.policy = history.on_deleted
        self.present = history.present()
        self.live = history.live()
        gone = {deletion.number for deletion in history.deletions}
        self.works = [work for work in history.works if work.number not in gone]
        self.wrong: list[str] = []

    def run(self) -> list[str]:
        self._users_come_first()
        if self.policy != "delete_unannotated":
            self._nothing_is_lost()
        for key in self.history.versions:
            tasks = [task for task in self.live.values() if task.data["key"] == key]
            if key not in self.present:
                self._gone(key, tasks)
            elif self.history.blob_mode:
                self._blob(key, self.present[key], tasks)
            else:
                self._file(key, self.present[key], tasks)
        return self.wrong

    def _must(self, truth: object, what: str) -> None:
        if not truth:
            self.wrong.append(what)

    def _users_come_first(self) -> None:
        """What a user deleted stays deleted; what a user worked on is there, as it was."""
        for deletion in self.history.deletions:
            self._must(deletion.number not in self.live, f"{deletion} is back")
        for work in self.works:
            task = self.live.get(work.number)
            self._must(task, f"{work} is gone")
            self._must(task is None or text_of(task) == work.text, f"{work} was rewritten")

    def _nothing_is_lost(self) -> None:
        """Where nothing is deleted by policy, all that was ever there is there, unless a user deleted it."""
        deleted = {deletion.number for deletion in self.history.deletions}
        for number in self.history.seen:
            self._must(number in self.live or number in deleted, f"task {number} vanished")

    def _worked(self, key: str) -> dict[str, Work]:
        return {work.number: work for work in self.works if work.key == key}

    def _gone(self, key: str, tasks: list[Document]) -> None:
        worked = self._worked(key)
        for task in tasks:
            mark = task.data.get("mark", "")
            if self.policy == "keep":
                self._must(mark in {"", "source_changed"}, f"{key} is gone, kept, and says {mark}")
            else:
                self._must(mark == "source_deleted", f"{key} is gone, and {task.ref.id} says {mark!r}")
            if self.policy == "delete_unannotated":
                self._must(task.ref.id in worked, f"{key} is gone, and nobody worked on {task.ref.id}")

    def _blob(self, key: str, there: Version, tasks: list[Document]) -> None:
        if any(deletion.key == key for deletion in self.history.deletions):
            self._must(not tasks, f"{key}: its task was deleted by a user, and there is one")
            return
        self._must(len(tasks) == 1, f"{key} has {len(tasks)} tasks")
        for task in tasks:
            work = self._worked(key).get(task.ref.id)
            stale = self.updates and work is not None and work.version != there.version
            self._marked(task, "source_changed" if stale else "", there)
            if work is None and self.updates:
                self._must(task.data["version"] == there.version, f"{key} stands for {task.data['version']}")

    def _file(self, key: str, there: Version, tasks: list[Document]) -> None:
        worked = self._worked(key)
        texts = [text_of(task) for task in tasks]
        self._must(len(set(texts)) == len(texts), f"{key}: the same row twice in {texts}")
        history = {text for version in self.history.versions[key] for text in version.texts}
        self._must(set(texts) <= history, f"{key}: nobody ever wrote all of {texts}")
        if not self.updates:
            for task in tasks:
                self._marked(task, "", there)
            whole = [v for v in self.history.versions[key] if self._complete(key, v, texts)]
            self._must(whole, f"{key}: {texts} is no version of it")
            return
        self._must(self._complete(key, there, texts), f"{key}: {texts} lacks rows of {there}")
        for task in tasks:
            work = worked.get(task.ref.id)
            if text_of(task) in there.texts:
                self._marked(task, "", there)
            elif work is None:
                mark = task.data.get("mark", "")
                self._must(self.policy != "delete_unannotated", f"{key}: {text_of(task)} went, and its task did not")
                self._must((mark == "source_deleted") == (self.policy == "mark"), f"{key}: a row went, marked {mark!r}")
            elif not work.leftover:
                self._marked(task, "source_changed", there)

    def _complete(self, key: str, version: Version, texts: list[str]) -> bool:
        """Each row has its task, unless a user deleted it."""
        for row, text in enumerate(version.texts):
            blocking = [d for d in self.history.deletions if d.key == key and _blocks(d, row, text)]
            if text in texts:
                if any(d.text == text for d in blocking) and not any(not d.alone for d in blocking):
                    return False
            elif not blocking:
                return False
        return True

    def _marked(self, task: Document, mark: str, there: Version) -> None:
        found = task.data.get("mark", "")
        self._must(found == mark, f"{task.data['key']}: {task.ref.id} says {found!r} instead of {mark!r}")
        if mark and found == mark:
            said = task.data["mark_version"]
            self._must(said == there.version, f"{task.data['key']}: marked with {said}, it is {there.version}")


def _blocks(deletion: Deletion, row: int, text: str) -> bool:
    """Whether a row stays without a task: it was deleted by its text, or as what the row was then."""
    return deletion.text == text or (deletion.row == row and deletion.mark != "source_changed")
