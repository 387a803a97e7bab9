"""Calls the real Label Studio SDK for the tests: runs in the SDK's own environment and speaks JSON lines.

Each line of standard input is a request, each line of standard output its answer:

    {"do": "connect", "client": "a", "base_url": "http://...", "api_key": "...", "headers": {}}
    {"do": "call", "client": "a", "method": "import_storage.gcs.create", "args": [], "kwargs": {"project": 1}}
    {"do": "methods", "client": "a", "resource": "import_storage"}

    {"ok": ..., "type": "GcsImportStorage", "requests": [...]}
    {"error": {"class": "NotFoundError", "status_code": 404, "body": ..., "text": ...}, "requests": [...]}

`requests` are the HTTP exchanges that the call made, retries and redirects among them.
"""

import asyncio
import datetime
import functools
import importlib.metadata
import inspect
import itertools
import json
import sys
import threading

import httpx
from label_studio_sdk import AsyncLabelStudio, LabelStudio
from label_studio_sdk.core.jsonable_encoder import jsonable_encoder
from label_studio_sdk.core.pagination import AsyncPager, SyncPager

MAX_ITEMS = 5000
"""Of a pager: one that does not stop is a failure, not a test that hangs."""


class Done:
    """Can be awaited, or not: these hooks are also those of the synchronous client that refreshes the token."""

    def __await__(self):
        return iter(())


class Worker:
    """The clients, and what their last call sent."""

    def __init__(self):
        self.clients = {}
        self.requests = []

    def connect(self, *, client, base_url, api_key, headers=None):
        """Makes a client as a user does; only looks at what it sends."""
        made = LabelStudio(base_url=base_url, api_key=api_key, headers=headers)
        made._client_wrapper.httpx_client.httpx_client.event_hooks["response"].append(self._record)
        self.clients[client] = made

    def call(self, *, client, method, args=(), kwargs=None):
        """What the method returns; all items of a pager."""
        *resource, name = method.split(".")
        value = getattr(functools.reduce(getattr, resource, self.clients[client]), name)(*args, **(kwargs or {}))
        return self._items(value) if isinstance(value, SyncPager) else value

    def call_at_once(self, *, client, method, times, kwargs):
        """What so many calls at the same moment return."""
        results = [None] * times
        barrier = threading.Barrier(times)

        def one(at):
            barrier.wait()
            results[at] = self.call(client=client, method=method, kwargs=kwargs)

        threads = [threading.Thread(target=one, args=(at,)) for at in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def call_async(self, *, base_url, api_key, calls):
        """What calls of the asynchronous client return, one after another; items of pagers as above."""

        async def call_all():
            async with httpx.AsyncClient(timeout=60, follow_redirects=True) as http:
                client = AsyncLabelStudio(base_url=base_url, api_key=api_key, httpx_client=http)
                http.event_hooks["response"].append(self._record_async)
                return [await one(client, *call) for call in calls]

        async def one(client, method, kwargs):
            *resource, name = method.split(".")
            value = await getattr(functools.reduce(getattr, resource, client), name)(**kwargs)
            return [item async for item in value] if isinstance(value, AsyncPager) else value

        return asyncio.run(call_all())

    def label_interface(self, *, client, project):
        """What the SDK makes of a project's label config."""
        interface = self.clients[client].projects.get(project).get_label_interface()
        controls = {name: type(tag).__name__ for name, tag in interface._controls.items()}
        objects = {name: type(tag).__name__ for name, tag in interface._objects.items()}
        return {"controls": controls, "objects": objects, "sample": interface.generate_sample_task()}

    def call_somehow(self, *, client, method):
        """What the method returns for arguments that have the right types and mean nothing."""
        *resource, name = method.split(".")
        found = getattr(functools.reduce(getattr, resource, self.clients[client]), name)
        needed = [
            p for p in inspect.signature(found).parameters.values() if p.default is p.empty and p.kind < p.VAR_KEYWORD
        ]
        named = {p.name: self._somehow(p.annotation) for p in needed if p.kind is p.KEYWORD_ONLY}
        value = found(*(self._somehow(p.annotation) for p in needed if p.kind < p.VAR_POSITIONAL), **named)
        if isinstance(value, SyncPager):
            return self._items(value)
        return list(value) if inspect.isgenerator(value) else value

    def methods(self, *, client):
        """Every public method there is, by resource."""
        found = {}

        def look(resource, path):
            names = [name for name in dir(resource) if not name.startswith("_") and name != "with_raw_response"]
            for name in names:
                inner = getattr(resource, name)
                if inspect.ismethod(inner):
                    found.setdefault(path, []).append(name)
                elif type(inner).__module__.startswith("label_studio_sdk."):
                    look(inner, f"{path}.{name}".strip("."))

        look(self.clients[client], "")
        return found

    def version(self, *, client):
        """The version of the SDK."""
        return importlib.metadata.version("label-studio-sdk")

    def answer(self, request):
        """The answer to one request."""
        self.requests = []
        try:
            value = getattr(self, request.pop("do"))(**request)
            answer = {"ok": json.loads(json.dumps(jsonable_encoder(value))), "type": type(value).__name__}
        except Exception as error:  # noqa: BLE001  the tests are told
            answer = {
                "error": {
                    "class": type(error).__name__,
                    "status_code": getattr(error, "status_code", None),
                    "body": jsonable_encoder(getattr(error, "body", None)),
                    "text": str(error),
                }
            }
        return answer | {"requests": self.requests}

    @staticmethod
    def _somehow(annotation):
        name = getattr(annotation, "__name__", str(annotation)).partition("[")[0]
        if name == "datetime":
            return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        return {"int": 1, "bool": True, "float": 1.0, "Sequence": [], "List": [], "Dict": {}}.get(name, "1")

    @staticmethod
    def _items(pager):
        items = list(itertools.islice(pager, MAX_ITEMS + 1))
        if len(items) > MAX_ITEMS:
            raise OverflowError(f"the pager of {pager!r:.200} does not stop")
        return items

    def _record_async(self, response):
        self._record(response)
        return Done()

    def _record(self, response):
        request = response.request
        self.requests.append(
            {
                "method": request.method,
                "path": request.url.raw_path.decode(),
                "status": response.status_code,
                "authorization": request.headers.get("authorization", "").partition(" ")[0],
                "api_key": "x-api-key" in request.headers,
            }
        )


def main():
    """Answers until standard input ends."""
    worker = Worker()
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)


main()
