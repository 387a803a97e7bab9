"""The Firestore emulator of the gcloud SDK, started without gcloud: half the time and one process."""

from infra.emulators.process import HOST, Emulator, Missing
from infra.emulators.sdk import find_jar

_REMEDY = (
    "Install Java 11 or later and the gcloud SDK, then `gcloud components install cloud-firestore-emulator`; "
    "or name the jar in FIRESTORE_EMULATOR_JAR."
)
_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_HEAP = "-Xmx768m"  # by default a quarter of the machine


def find() -> Emulator | Missing:
    """The emulator, if its jar and Java are on this machine."""
    found = find_jar("FIRESTORE_EMULATOR_JAR", "cloud-firestore-emulator/cloud-firestore-emulator*.jar")
    if isinstance(found, str):
        return Missing("firestore", found, _REMEDY)
    java, jar = found
    return Emulator(
        name="firestore",
        # Any word that is not an option also starts it, so a typing error here is a server on the default port.
        command=lambda port: [
            *(java, _HEAP, "-XX:+UseSerialGC", "-Duser.language=en", "-cp", str(jar), _MAIN),
            *("--host", HOST, "--port", str(port)),
        ],
        env=lambda port: {"FIRESTORE_EMULATOR_HOST": f"{HOST}:{port}"},
    )
