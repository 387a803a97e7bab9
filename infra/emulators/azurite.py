"""Azurite, in memory: Azure Blob Storage's REST API, from npm. It writes some 200 blobs a second."""

import shutil
import socket
from pathlib import Path

from infra.emulators.process import HOST, Emulator, Missing

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published: every Azurite has this account and this key."""
_INSTALLED = ROOT / ".emulators" / "node_modules" / ".bin" / "azurite-blob"
_REMEDY = "Install Node.js, then `npm install --prefix .emulators azurite@3.35.0`, as `make install` does."


def find(certificate: tuple[str, str] | None = None) -> Emulator | Missing:
    """The server, if npm put it below `.emulators` or on the path.

    With a certificate (its file, its key's) it speaks HTTPS, and takes bearer tokens: issuer, audience and life count.
    """
    program = str(_INSTALLED) if _INSTALLED.exists() else shutil.which("azurite-blob")
    if program is None or shutil.which("node") is None:
        return Missing("azurite", "azurite is not installed.", _REMEDY)
    tls = ("--cert", certificate[0], "--key", certificate[1], "--oauth", "basic") if certificate else ()
    scheme = "https" if certificate else "http"
    return Emulator(
        name="azurite",
        command=lambda port: [
            *(program, "--blobHost", HOST, "--blobPort", str(port), "--inMemoryPersistence"),
            *("--silent", "--disableTelemetry", "--skipApiVersionCheck", *tls),
        ],
        ready=_listens if certificate else "/",
        env=lambda port: {"AZURE_BLOB_ENDPOINT": f"{scheme}://{HOST}:{port}/{ACCOUNT}"},
    )


def _listens(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=2):
        return True
