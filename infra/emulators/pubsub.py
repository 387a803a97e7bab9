"""The Pub/Sub emulator of the gcloud SDK. It keeps nothing, and ignores the filters of subscriptions."""

from infra.emulators.process import HOST, Emulator, Missing
from infra.emulators.sdk import find_jar

_REMEDY = (
    "Install Java 11 or later and the gcloud SDK, then `gcloud components install pubsub-emulator`; "
    "or name the jar in PUBSUB_EMULATOR_JAR."
)
_HEAP = "-Xmx384m"  # by default a quarter of the machine


def find() -> Emulator | Missing:
    """The emulator, if its jar and Java are on this machine."""
    found = find_jar("PUBSUB_EMULATOR_JAR", "pubsub-emulator/lib/cloud-pubsub-emulator*.jar")
    if isinstance(found, str):
        return Missing("pubsub", found, _REMEDY)
    java, jar = found
    return Emulator(
        name="pubsub",
        command=lambda port: [
            *(java, _HEAP, "-XX:+UseSerialGC", "-jar", str(jar)),
            *(f"--host={HOST}", f"--port={port}"),
        ],
        env=lambda port: {"PUBSUB_EMULATOR_HOST": f"{HOST}:{port}"},
    )
