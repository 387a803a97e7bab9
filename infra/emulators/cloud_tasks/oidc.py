"""Identity tokens as Google signs them, by a key of this machine; the public half is served to whoever verifies."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from infra.emulators.process import HOST

ISSUER = "https://accounts.google.com"
LIFE = 3600


class Issuer:
    """Signs tokens. `path`: a PEM file with the key, which is made if it is not there; None keeps it in memory."""

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._key = _key(path)
        public: dict[str, Any] = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self._kid = public["n"][:16]
        self.key_set = {"keys": [{**public, "kid": self._kid, "alg": "RS256", "use": "sig"}]}
        """The public key, as a JSON Web Key Set."""

    def token(self, email: str, audience: str, /, **claims: Any) -> str:
        """A token; `claims` replace those of a good one, None leaves one out."""
        now = int(self._clock())
        good = {"iss": ISSUER, "aud": audience, "azp": email, "sub": email, "email": email, "email_verified": True}
        payload = {**good, "iat": now, "exp": now + LIFE, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self._kid})


def _key(path: Path | None) -> rsa.RSAPrivateKey:
    if path is not None and path.exists():
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise ValueError(f"{path} holds no RSA key")
        return loaded
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if path is not None:
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    return made


@contextmanager
def serving_keys(issuer: Issuer, port: int = 0) -> Iterator[str]:
    """Serves the key set; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(issuer.key_set).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer((HOST, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="keys", daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/certs"
        finally:
            server.shutdown()
            thread.join()
