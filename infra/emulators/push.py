"""A topic of the Pub/Sub emulator that pushes to a URL, made over its REST interface."""

import json
from urllib.request import ProxyHandler, Request, build_opener

from infra.emulators.process import Running

_DIRECT = build_opener(ProxyHandler({}))


def push_topic(pubsub: Running, name: str, project: str = "demo") -> str:
    """Makes a topic, and returns its full name."""
    topic = f"projects/{project}/topics/{name}"
    _put(pubsub, topic, {})
    return topic


def push_to(pubsub: Running, topic: str, url: str) -> None:
    """Makes a subscription of a topic that delivers to a URL, again after a second if that is not answered with 2xx."""
    retry = {"minimumBackoff": "1s", "maximumBackoff": "2s"}
    body = {"topic": topic, "pushConfig": {"pushEndpoint": url}, "retryPolicy": retry}
    _put(pubsub, topic.replace("/topics/", "/subscriptions/"), body)


def _put(pubsub: Running, name: str, body: dict[str, object]) -> None:
    request = Request(  # noqa: S310  a URL of this machine
        f"{pubsub.url}/v1/{name}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="PUT"
    )
    with _DIRECT.open(request, timeout=30):
        return
