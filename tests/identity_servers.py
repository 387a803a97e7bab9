"""Where identities are had, on loopback: AWS STS, Google's token exchange, IAM and metadata, Microsoft's sign-in.

Each answers as the real one does to what its own client (botocore, google-auth, ours for Microsoft) sends, and refuses
whom it does not trust. What it has issued, and what it was asked, stands in the server's attributes.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.google_machine import READER, Answer, Machine, UnverifiedError

ROLE = "arn:aws:iam::123456789012:role/reader"
WEB_ROLE = "arn:aws:iam::123456789012:role/sluice"
WEB_AUDIENCE = "sluice"
EXTERNAL_ID = "planted-external-id-0001"
AWS_KEYS = ("AKIAPLANTEDSERVER001", "planted/server+secret-0002")
POOL = {"google_project_number": "123456789012", "google_wif_pool_id": "pool", "google_wif_provider_id": "oidc"}
AUDIENCE = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool/providers/oidc"
SUBJECT = "planted-subject-token-0003"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "5f0a7c9e-0000-4000-8000-000000000001"
CLIENT_SECRET = "planted~client.secret-0004"
ASSERTION = "planted-assertion-0005"
AZURE_AUDIENCE = "api://AzureADTokenExchange"


@cache
def private_key() -> rsa.RSAPrivateKey:
    """One for all servers of this process: a new one takes longer than most tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Identities:
    """One server for all of them. `busy` makes every token endpoint answer 503; `life` is that of what it issues."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.busy = False
        self.trusting = True
        """Whether AWS lets anybody assume a role."""
        self.knows_google = True
        """Whether AWS reaches Google's keys."""
        self.generation = 1
        """Raised: other sessions and tokens are issued than before."""
        self.life = 3600.0
        self.asked: list[tuple[str, dict[str, str]]] = []
        """(operation, its parameters)"""
        self.issued: list[tuple[str, ...]] = []
        """Sessions of AWS, tokens of the others."""
        self.key = private_key()
        """Of Google's service accounts."""
        self.audience = "https://storage.azure.com"
        """Of Microsoft's tokens."""
        self.machine = Machine()

    @property
    def session(self) -> tuple[str, str, str]:
        """AWS's access key, secret and token."""
        number = self.generation
        return f"ASIAPLANTED{number:09}", f"planted/session+secret-{number}", f"planted-session-token-{number}=="

    @property
    def web_session(self) -> tuple[str, str, str]:
        """The same of the role that is had for a token."""
        number = self.generation
        return f"ASIAPLANTEDWEB{number:06}", f"planted/web+secret-{number}", f"planted-web-token-{number}=="

    def token(self, kind: str) -> str:
        """Google's, `own`, `federated` or `impersonated`."""
        return f"ya29.planted-{kind}-{self.generation}"

    @property
    def public_key(self) -> str:
        """Who reads signed URLs knows this half of the key."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a POST."""
        if path == "/":
            return self._sts(headers, dict(parse_qsl(body.decode())))
        if path == "/v1/token":
            return self._exchange(dict(parse_qsl(body.decode())))
        if path == "/token":
            return self._issue("own", 200, lambda token: {"access_token": token, "expires_in": 3600})
        if found := re.fullmatch(r"/v1/projects/-/serviceAccounts/([^/]+):generateAccessToken", path):
            return self._impersonate(found[1], headers.get("authorization", ""), json.loads(body))
        if found := re.fullmatch(r"/v1/projects/-/serviceAccounts/([^/]+):signBlob", path):
            return self._sign_blob(found[1], headers.get("authorization", ""), json.loads(body))
        if found := re.fullmatch(r"/([^/]+)/oauth2/v2\.0/token", path):
            return self._sign_in(found[1], dict(parse_qsl(body.decode())))
        return 404, "text/plain", "no such route"

    def _sts(self, headers: Mapping[str, str], form: dict[str, str]) -> Answer:
        self.asked.append((form["Action"], form))
        if self.busy:
            return _sts_error(503, "ServiceUnavailable", "Try again")
        if form["Action"] == "AssumeRoleWithWebIdentity":
            return self._sts_by_token(headers, form)
        caller = re.search(r"Credential=([^/]+)/\d+/[a-z0-9-]+/sts/", headers.get("authorization", ""))
        known = {(AWS_KEYS[0], ""), *((session[0], session[-1]) for session in self.issued)}
        if not caller or (caller[1], headers.get("x-amz-security-token", "")) not in known:
            return _sts_error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if not self.trusting or (form["Action"], form["RoleArn"], form.get("ExternalId")) != (
            "AssumeRole",
            ROLE,
            EXTERNAL_ID,
        ):
            told = (
                "User: arn:aws:iam::111122223333:user/sluice is not authorized to perform: sts:AssumeRole on resource: "
            )
            return _sts_error(403, "AccessDenied", told + form["RoleArn"])
        return self._sts_session("AssumeRole", ROLE, self.session)

    def _sts_by_token(self, headers: Mapping[str, str], form: dict[str, str]) -> Answer:
        if "authorization" in headers:
            return _sts_error(400, "InvalidRequest", "The token is all the proof.")
        if not self.knows_google:
            return _sts_error(400, "IDPCommunicationError", "Error communicating with the identity provider.")
        problem = "" if self.trusting and form["RoleArn"] == WEB_ROLE else "role"
        try:
            self.machine.verified(form["WebIdentityToken"], WEB_AUDIENCE)
        except UnverifiedError as caught:
            problem = str(caught)
        if problem == "signature":
            return _sts_error(400, "InvalidIdentityToken", f"Not signed by Google: {form['WebIdentityToken']}")
        if problem == "time":
            return _sts_error(400, "ExpiredTokenException", "Token expired: current date/time must be before it.")
        if problem:
            return _sts_error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        return self._sts_session("AssumeRoleWithWebIdentity", WEB_ROLE, self.web_session)

    def _sts_session(self, operation: str, role: str, session: tuple[str, str, str]) -> Answer:
        self.issued.append(session)
        end = datetime.now(UTC) + timedelta(seconds=self.life)
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        given = "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, session, strict=True))
        user = f"<Arn>{role.replace(':iam:', ':sts:')}/sluice</Arn><AssumedRoleId>AROA:sluice</AssumedRoleId>"
        return (
            200,
            "text/xml",
            f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result>'
            f"<AssumedRoleUser>{user}</AssumedRoleUser><Credentials>{given}"
            f"<Expiration>{end:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></{operation}Result>"
            f"<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{operation}Response>",
        )

    def _exchange(self, form: dict[str, str]) -> Answer:
        self.asked.append(("exchange", form))
        wanted = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": AUDIENCE,
        }
        good = all(form.get(name) == value for name, value in wanted.items())
        aws = form.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request"
        if not good or not (aws or form["subject_token"] == SUBJECT):
            told = {"error": "invalid_grant", "error_description": "The given credential is rejected by the provider."}
            return _json(400, told)
        return self._issue("federated", 200, lambda token: {"access_token": token, "expires_in": int(self.life)})

    def _impersonate(self, account: str, authorization: str, body: dict[str, Any]) -> Answer:
        self.asked.append(("generateAccessToken", {"account": account, "scope": " ".join(body["scope"])}))
        if account != READER or (authorization.removeprefix("Bearer "),) not in self.issued:
            message = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
            return _json(403, {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}})
        end = datetime.now(UTC) + timedelta(seconds=self.life)
        told = f"{end:%Y-%m-%dT%H:%M:%SZ}"
        return self._issue("impersonated", 200, lambda token: {"accessToken": token, "expireTime": told})

    def metadata(self, path: str, headers: Mapping[str, str]) -> Answer:
        """What a machine of Google's is told of itself."""
        token = partial(self._issue, "impersonated", 200, lambda token: {"access_token": token, "expires_in": 3600})
        return self.machine.answer(path, headers, token)

    def _sign_blob(self, account: str, authorization: str, body: dict[str, Any]) -> Answer:
        self.asked.append(("signBlob", {"account": account}))
        if self.busy:
            return _json(503, {"error": {"code": 503, "message": "Try again", "status": "UNAVAILABLE"}})
        if account != READER or not self.trusting or (authorization.removeprefix("Bearer "),) not in self.issued:
            message = "Permission 'iam.serviceAccounts.signBlob' denied on resource (or it may not exist)."
            return _json(403, {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}})
        signed = self.key.sign(base64.b64decode(body["payload"]), padding.PKCS1v15(), hashes.SHA256())
        return _json(200, {"keyId": "k", "signedBlob": base64.b64encode(signed).decode()})

    def _sign_in(self, tenant: str, form: dict[str, str]) -> Answer:
        self.asked.append(("sign-in", form))
        if self.busy:
            return _json(503, {"error": "temporarily_unavailable", "error_description": "AADSTS90033: Try again."})
        if tenant != TENANT:
            return _microsoft(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form["client_id"] != CLIENT:
            return _microsoft(400, "unauthorized_client", 700016, f"Application '{form['client_id']}' was not found.")
        bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        if form.get("client_assertion_type") == bearer:
            if form["client_assertion"] != ASSERTION and (refusal := self._by_google(form["client_assertion"])):
                return refusal
        elif form.get("client_secret") != CLIENT_SECRET:
            return _microsoft(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if (form["grant_type"], form["scope"]) != ("client_credentials", "https://storage.azure.com/.default"):
            return _microsoft(400, "invalid_scope", 70011, "The provided value for scope is not valid.")
        now = int(time.time())
        claims = {
            "oid": CLIENT,
            "tid": TENANT,
            "aud": self.audience,
            "iss": f"https://sts.windows.net/{TENANT}/",
            "iat": now,
            "nbf": now - 60,
        }
        parts = ({"alg": "RS256", "typ": "JWT"}, {**claims, "exp": now + int(self.life), "jti": len(self.issued)})
        token = ".".join([*(_encoded(json.dumps(part).encode()) for part in parts), _encoded(b"planted-signature")])
        self.issued.append((token,))
        return _json(200, {"token_type": "Bearer", "expires_in": int(self.life), "access_token": token})

    def _by_google(self, assertion: str) -> Answer | None:
        refusals = {
            "signature": (700027, f"Client assertion failed signature validation: {assertion}"),
            "time": (700024, "Client assertion is not within its valid time range."),
            "audience": (700212, "No matching federated identity record found for presented assertion audience."),
            "subject": (700213, "No matching federated identity record found for presented assertion subject."),
        }
        try:
            self.machine.verified(assertion, AZURE_AUDIENCE)
        except UnverifiedError as caught:
            return _microsoft(401, "invalid_client", *refusals[str(caught)])
        return None

    def _issue(self, kind: str, status: int, shape: Any) -> Answer:
        if self.busy:
            return _json(503, {"error": {"code": 503, "message": "Try again", "status": "UNAVAILABLE"}})
        token = self.token(kind)
        self.issued.append((token,))
        return _json(status, {"token_type": "Bearer", "issued_token_type": "x", **shape(token)})


def _json(status: int, told: dict[str, Any]) -> Answer:
    return status, "application/json", json.dumps(told)


def _microsoft(status: int, error: str, number: int, text: str) -> Answer:
    described = f"AADSTS{number}: {text} Trace ID: 0 Correlation ID: 0 Timestamp: 2026-01-01 00:00:00Z"
    return _json(status, {"error": error, "error_description": described, "error_codes": [number]})


def _sts_error(status: int, code: str, message: str) -> Answer:
    namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, "text/xml", f'<ErrorResponse xmlns="{namespace}">{error}<RequestId>0</RequestId></ErrorResponse>'


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def identity_server() -> Iterator[Identities]:
    """A running server; it ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            self._say(state.answer(self.path, self.headers, body))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            self._say(state.metadata(self.path, self.headers))  # type: ignore[arg-type]

        def _say(self, answer: Answer) -> None:
            status, kind, text = answer
            self.send_response(status)
            if not state.machine.page:
                self.send_header("metadata-flavor", "Google")
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state = Identities(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))  # how soon it notices its end
        thread.start()
        yield state
        server.shutdown()
        thread.join()
