"""A machine of Google's, as its metadata server tells it of the service account that it runs as."""

import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

Answer = tuple[int, str, str]

READER = "reader@my-project.iam.gserviceaccount.com"
UNIQUE_ID = "103747194820114563921"
ISSUER = "https://accounts.google.com"
ACCOUNT = "/computeMetadata/v1/instance/service-accounts/"


class UnverifiedError(Exception):
    """What a token is refused for: `signature`, `time`, `audience` or `subject`."""


class Machine:
    """Signs ID tokens as Google does, and verifies them as those do who were told of its key."""

    def __init__(self) -> None:
        self.key = google_key()
        self.clock: Callable[[], float] = time.time
        self.life = 3600.0
        self.subject = UNIQUE_ID
        self.busy = False
        self.account = True
        """Whether it runs as anybody."""
        self.page = ""
        """What is answered instead, by who is not Google."""
        self.asked: list[str] = []
        """Audiences."""
        self.issued: list[str] = []

    def answer(self, path: str, headers: Mapping[str, str], access_token: Callable[[], Answer]) -> Answer:
        """The answer to a GET; `access_token` makes one for the account."""
        if headers.get("metadata-flavor") != "Google":
            return 403, "text/html", "Missing Metadata-Flavor:Google header."
        if path.startswith(f"{ACCOUNT}default/identity?"):
            return self._identity(parse_qs(urlsplit(path).query))
        if path.startswith(f"{ACCOUNT}default/?recursive=true"):
            scopes = ["https://www.googleapis.com/auth/cloud-platform"]
            return 200, "application/json", json.dumps({"email": READER, "scopes": scopes})
        if path.startswith((f"{ACCOUNT}default/token", f"{ACCOUNT}{READER}/token")):
            return access_token()
        if path.startswith("/computeMetadata/v1/project/project-id"):
            return 200, "text/plain", "p"
        return 200 if path == "/" else 404, "text/plain", ""

    def verified(self, token: str, audience: str) -> dict[str, Any]:
        """What a token says. Raises `UnverifiedError` unless it is one of the account's for this audience."""
        try:
            options = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
            claims = jwt.decode(token, google_key().public_key(), ["RS256"], options=options, issuer=ISSUER)
        except jwt.InvalidSignatureError:
            raise UnverifiedError("signature") from None
        if not claims["iat"] <= self.clock() < claims["exp"]:
            raise UnverifiedError("time")
        if claims["aud"] != audience:
            raise UnverifiedError("audience")
        if (claims["sub"], claims["azp"]) != (UNIQUE_ID, UNIQUE_ID):
            raise UnverifiedError("subject")
        return dict(claims)

    def _identity(self, query: dict[str, list[str]]) -> Answer:
        if self.page:
            return 200, "text/html", self.page
        if self.busy:
            return 503, "text/html", "Try again"
        if not self.account:
            return 404, "text/html", "Service account default not found"
        audience = query.get("audience", [""])[0]
        if not audience:
            return 400, "text/html", "non-empty audience parameter required"
        self.asked.append(audience)
        now = int(self.clock())
        claims = {"iss": ISSUER, "aud": audience, "sub": self.subject, "azp": self.subject, "iat": now}
        claims["exp"] = now + int(self.life)
        if query.get("format") == ["full"]:
            claims |= {"email": READER, "email_verified": True}
        token = jwt.encode({**claims, "jti": str(len(self.issued))}, self.key, "RS256", headers={"kid": "1"})
        self.issued.append(token)
        return 200, "text/html", token


@cache
def google_key() -> rsa.RSAPrivateKey:
    """What Google signs all tokens with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
