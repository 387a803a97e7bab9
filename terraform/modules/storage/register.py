#!/usr/bin/env python3
"""Makes, edits, syncs and deletes the storage that a Terraform module declares, through Sluice's API.

    register.py ensure | sync | forget

SLUICE_STORAGE says which storage, as JSON, SLUICE_SECRETS its credentials, SLUICE_TOKEN who calls. The storage is found
again by its title, so each command may be repeated. Needs Python 3.11 and nothing else.
"""
# ruff: noqa: T201

import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

ACTIVE = frozenset({"queued", "in_progress"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TEMPORARY = frozenset({408, 429, 502, 503, 504})
TRIES = 5
ANSWER_SECONDS = 90
"""A server looks into the bucket before it answers."""
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.2, 5.0, 1.3
MOST_KEYS = 1000
KEY_HEADER = "Idempotency-Key"
SHORTEST_MASKED = 4

Json = dict[str, Any]


class Refusal(Exception):  # noqa: N818  what the server said, or would say
    """What can't be done; the text is for people.

    `status` is that of the answer, 0 without one; `ours`: it was Sluice that answered.
    """

    def __init__(
        self, text: str, status: int = 0, *, fields: Mapping[str, Any] | None = None, ours: bool = False
    ) -> None:
        self.status = status
        self.fields = fields or {}
        self.ours = ours
        super().__init__(text)


class Unmoved(HTTPRedirectHandler):
    """Follows no redirect: the token is for the host it was given for."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        """Nothing to go on with, which makes an error of the answer."""


class Server:
    """The API of one server, for who has the token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token.strip()
        if not self.token:
            raise Refusal("There is no token: set SLUICE_TOKEN where Terraform runs.")
        if not (self.token.isascii() and self.token.isprintable()):
            raise Refusal("The token in SLUICE_TOKEN holds characters that no token has.")
        local = urlsplit(url).hostname in LOOPBACK  # which no proxy of the environment reaches
        self._opener = build_opener(Unmoved, *([ProxyHandler({})] if local else []))
        self._refresh = self.token.startswith("eyJ") and self.token.count(".") == 2
        self._bearer = ""

    def call(self, method: str, path: str, body: Json | None = None, *, key: str = "") -> Any:
        """The JSON of an answer; what may pass is tried again. Raises `Refusal`."""
        headers = {KEY_HEADER: key} if key else {}
        for left in reversed(range(TRIES)):
            try:
                return self._send(method, path, body, headers | {"Authorization": self._authorization()})
            except Refusal as error:
                if error.status == HTTPStatus.UNAUTHORIZED and self._bearer and left:
                    self._bearer = ""  # it is good for minutes only
                    continue
                if not left or (error.status and error.status not in TEMPORARY):
                    raise
            time.sleep(2.0 ** (TRIES - 1 - left))
        raise AssertionError("unreachable")

    def _authorization(self) -> str:
        if not self._refresh:
            return f"Token {self.token}"
        if not self._bearer:
            self._bearer = str(self._send("POST", "/api/token/refresh/", {"refresh": self.token}, {})["access"])
        return f"Bearer {self._bearer}"

    def _send(self, method: str, path: str, body: Json | None, headers: Mapping[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        request = Request(f"{self.url}{path}", data=data, headers=sent, method=method)  # noqa: S310  its scheme is checked
        try:
            with self._opener.open(request, timeout=ANSWER_SECONDS) as answer:
                content = answer.read()
        except HTTPError as error:
            with error:
                raise self._refusal(method, path, error) from None
        except URLError as error:
            raise Refusal(f"{self.url} can't be reached: {error.reason}.") from None
        except (OSError, HTTPException) as error:
            raise Refusal(f"{self.url} does not answer: {error or type(error).__name__}.") from None
        if not content:
            return {}
        try:
            return json.loads(content)
        except ValueError:
            raise Refusal(f"{self.url} is not Sluice's API: its answer is no JSON.", HTTPStatus.OK) from None

    def _refusal(self, method: str, path: str, error: HTTPError) -> Refusal:
        """What the answer says is wrong, field by field."""
        try:
            body = json.loads(error.read(1_000_000))
        except (ValueError, OSError):
            body = {}
        about = body if isinstance(body, dict) else {}
        fields = about.get("validation_errors")
        fields = fields if isinstance(fields, dict) else {}
        detail = about.get("detail") or about.get("message")
        text = f"{method} {self.url}{path} was answered with {error.code}"
        if error.headers.get("Location"):
            text += (
                f", a redirect to {urlsplit(error.headers['Location']).netloc}, which is not followed: correct `url`"
            )
        elif fields:
            text += "".join(f"\n  {_about(name, texts)}" for name, texts in fields.items())
        elif detail:
            text += f": {detail}"
        else:
            text += ", which is not Sluice's API"
        if error.code == HTTPStatus.UNAUTHORIZED:
            text += "\n  SLUICE_TOKEN must be a token of this server."
        return Refusal(text, error.code, fields=fields, ours=about.get("status_code") == error.code)


class Storage:
    """The storage that is declared, and what is there of it."""

    def __init__(self, server: Server, declared: Json) -> None:
        self.server = server
        self.path = str(declared["path"])
        self.name = str(declared["name"])
        self.owner: Json = {} if declared.get("project") is None else {"project": int(declared["project"])}
        self.settings: Json = declared.get("settings") or {}
        where = f" of project {self.owner['project']}" if self.owner else ""
        self.label = f'"{self.name}" ({self.path.removeprefix("/api/storages/")}{where})'

    def find(self) -> Json | None:
        """The one that has the title. Raises `Refusal` if there are several."""
        query = f"?{urlencode(self.owner)}" if self.owner else ""
        listed = self.server.call("GET", f"{self.path}/{query}")
        if not isinstance(listed, list):
            raise Refusal(f"{self.server.url} is not Sluice's API: {self.path}/ is no list.")
        found = [it for it in listed if it["title"] == self.name]
        if len(found) > 1:
            ids = ", ".join(str(it["id"]) for it in found)
            raise Refusal(f"Several storages have the title of {self.label}: {ids}. Rename or delete all but one.")
        return found[0] if found else None

    def ensure(self, secrets: Mapping[str, str]) -> str:
        """Makes it, or sets all its fields; credentials that are not given stay."""
        body = {**self.owner, "title": self.name, **self.settings, **secrets}
        found, verb = self.find(), "edited"
        if found is None:
            found, verb = self._create(body), "made"
            shown = {name: value for name, value in body.items() if name in found}
            if all(found[name] == value for name, value in shown.items()):
                return f"Storage {found['id']} {self.label}: made."
        # PUT: a field that is declared no longer has its default again.
        self.server.call("PUT", f"{self.path}/{found['id']}", body)
        return f"Storage {found['id']} {self.label}: {verb}."

    def _create(self, body: Json) -> Json:
        """Makes it once, also where another run that was killed may still be asking for the same."""
        for key in self._keys(body):
            try:
                return dict(self.server.call("POST", f"{self.path}/", body, key=key))
            except Refusal as error:
                if KEY_HEADER not in error.fields:
                    raise  # else: it made one that was deleted since
        raise Refusal(f"{self.label} was made and deleted {MOST_KEYS} times today: wait a day.")

    def _keys(self, body: Json) -> Iterator[str]:
        """Keys that anybody with this token and this declaration comes to, and that tell nothing of it."""
        content = json.dumps(body, sort_keys=True)
        for number in range(MOST_KEYS):
            text = f"{self.path}\n{number}\n{content}".encode()
            yield hmac.new(self.server.token.encode(), text, hashlib.sha256).hexdigest()

    def sync(self, seconds: float) -> str:
        """Starts a sync, and waits for its end for so many seconds."""
        found = self.find()
        if found is None:
            raise Refusal(
                f"Storage {self.label} is gone: apply with -replace of this module's terraform_data.settings."
            )
        path, begun, pause = f"{self.path}/{found['id']}", time.monotonic(), FIRST_PAUSE
        now = self.server.call("POST", f"{path}/sync")
        while seconds and now["status"] in ACTIVE:
            if time.monotonic() - begun > seconds:
                raise Refusal(
                    f"The sync of storage {found['id']} {self.label} is still {now['status']} after {seconds:g} s. It "
                    "goes on; raise sync_timeout to wait for longer."
                )
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * GROWTH)
            now = self.server.call("GET", path)
        text = f"The sync of storage {found['id']} {self.label}: {now['status']}, {_counts(now)}."
        if now.get("traceback"):
            text += f"\n{now['traceback']}"
        if now["status"] == "failed":
            raise Refusal(text)
        return text

    def forget(self, *, keep: bool) -> str:
        """Deletes it. What is gone is as wanted, also where the project is."""
        if keep:
            return f"Storage {self.label} stays on the server (keep_on_destroy)."
        try:
            found = self.find()
            if found:
                self.server.call("DELETE", f"{self.path}/{found['id']}")
        except Refusal as error:
            if error.status != HTTPStatus.NOT_FOUND or not error.ours:
                raise
            found = None
        return f"Storage {found['id']} {self.label}: deleted." if found else f"Storage {self.label} was gone."


def _about(name: str, texts: Any) -> str:
    text = " ".join(map(str, texts)) if isinstance(texts, list) else str(texts)
    return text if name == "non_field_errors" else f"{name}: {text}"


def _counts(storage: Json) -> str:
    meta = storage.get("meta") or {}
    return f"{meta.get('objects_listed') or 0} objects, {meta.get('objects_failed') or 0} of them failed"


def run(command: str, environment: Mapping[str, str]) -> str:
    """Does what a command says and returns what to tell. Raises `Refusal`."""
    declared = json.loads(environment["SLUICE_STORAGE"])
    storage = Storage(Server(declared["url"], environment.get("SLUICE_TOKEN", "")), declared)
    if command == "ensure":
        return storage.ensure(json.loads(environment.get("SLUICE_SECRETS") or "{}"))
    if command == "sync":
        return storage.sync(float(declared["wait"]))
    if command == "forget":
        return storage.forget(keep=bool(declared["keep"]))
    raise Refusal(f"There is no command {command!r}; there are ensure, sync and forget.")


def hidden(text: str, environment: Mapping[str, str]) -> str:
    """The text without token and credentials, whoever repeated them."""
    secrets = json.loads(environment.get("SLUICE_SECRETS") or "{}").values()
    for secret in sorted({environment.get("SLUICE_TOKEN", "").strip(), *secrets}, key=len, reverse=True):
        if len(secret) >= SHORTEST_MASKED:
            text = text.replace(secret, "***")
    return text


def main() -> int:
    """The command line; returns the exit code."""
    try:
        print(hidden(run(sys.argv[1], os.environ), os.environ))
    except Refusal as error:
        print(hidden(f"Sluice: {error}", os.environ), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
