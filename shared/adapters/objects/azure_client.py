"""Who asks Azure, and how: the SDK reads connection strings and signs, requests are plain HTTP.

A shared access signature made of the account's key serves for an hour, so that nothing is signed per request. An
application bears a token instead.
"""

import base64
import binascii
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from azure.storage.blob import (
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    generate_blob_sas,
    generate_container_sas,
)

from shared.adapters.objects.azure_delegation import DelegationKeys
from shared.adapters.objects.azure_errors import API_VERSION, NO_CREDENTIALS, answered
from shared.adapters.objects.azure_identity import Application
from shared.adapters.objects.google_identity import IdentityToken
from shared.adapters.objects.http import Answer, Http
from shared.errors import CredentialsError
from shared.ports import SignedUrl

LIFE = 3600.0
"""Seconds that a signature made here is good for; half of it at most is used."""
ACCOUNT_NAME = re.compile(r"[a-z0-9-]{3,63}")


class AzureClient:
    """Sends requests for one container; `patience` is how long and how often `Http` tries."""

    def __init__(
        self,
        container: str,
        *,
        account_name: str | None,
        account_key: str | None,
        sas_token: str | None,
        connection_string: str | None,
        endpoint: str | None,
        tenant_id: str | None,
        client_id: str | None,
        client_secret: str | None,
        token_file: str | None,
        google_token: IdentityToken | None,
        login_url: str | None,
        **patience: Any,
    ) -> None:
        self._container = container
        self._known = [secret for secret in (account_key, sas_token, connection_string) if secret]
        if connection_string:
            endpoint, account_name, account_key, sas_token = _parsed(connection_string)
            self._known += [secret for secret in (account_key, sas_token) if secret]
        self._application: Application | None = None
        if tenant_id and client_id and login_url:
            self._application = Application(
                tenant_id=tenant_id,
                client_id=client_id,
                client_secret=client_secret,
                token_file=token_file,
                google_token=google_token,
                login_url=login_url,
                **patience,
            )
        if not (sas_token or self._application or (account_name and account_key)) or not (account_name or endpoint):
            raise CredentialsError(NO_CREDENTIALS)
        if account_name and not ACCOUNT_NAME.fullmatch(account_name):
            raise CredentialsError("account_name is not a valid name of an Azure storage account")
        if account_key:
            try:
                base64.b64decode(account_key, validate=True)
            except (binascii.Error, ValueError):
                raise CredentialsError("account_key is not a valid key: keys are base64") from None
        self._account, self._key = account_name or "", account_key or ""
        self._sas, self._good_until = (sas_token or "").lstrip("?"), float("inf") if sas_token else 0.0
        if sas_token:
            self._known += parse_qs(self._sas).get("sig", [])
        self._lock = Lock()
        self._http = Http(
            endpoint or f"https://{account_name}.blob.core.windows.net",
            place="Azure",
            secrets=self.secrets,
            **patience,
        )
        self._url = (endpoint or f"https://{account_name}.blob.core.windows.net").rstrip("/")
        self._path = f"/{quote(container, safe='')}"
        self._delegation = DelegationKeys(self._http, self._authorization, self.secrets)

    def secrets(self) -> list[str]:
        """What must be in no text."""
        application = [*self._application.secrets(), *self._delegation.secrets()] if self._application else []
        return [*self._known, *application, self._sas] if self._sas else [*self._known, *application]

    def signed(self, key: str, *, seconds: float, content_type: str) -> SignedUrl | None:
        """A URL that reads one blob; None without a key to sign with. Raises `StoreError`."""
        if not (self._application or self._key):
            return None
        until = time.time() + seconds
        if self._application:
            lent, end = self._delegation.good_for(seconds)
            until = min(until, end)
            signature = lent.signature(self._account, self._container, key, until, content_type)
        else:
            signature = generate_blob_sas(
                self._account,
                self._container,
                key,
                account_key=self._key,
                permission=BlobSasPermissions(read=True),
                expiry=datetime.fromtimestamp(until, UTC),
                content_type=content_type or None,
            )
        return SignedUrl(f"{self._url}{self._path}/{quote(key, safe='/~')}?{signature}", until)

    def ask(
        self,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        conditional: bool = False,
    ) -> Answer:
        """Asks for a blob, or for the container if there is no key. Raises `StoreError`."""
        path = self._path + (f"/{quote(key, safe='')}" if key else "")
        said = {"x-ms-version": API_VERSION, **(headers or {})}
        return self._http.ask(
            method,
            f"{path}?{urlencode(query or {}, quote_via=quote, safe='')}&{self._signature()}",
            headers=lambda: {**said, **self._authorization()},
            explain=lambda answer: answered(answer, self._container, key, self.secrets()),
            body=body,
            conditional=conditional,
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()
        if self._application:
            self._application.close()

    def _authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._application.token()}"} if self._application else {}

    def _signature(self) -> str:
        with self._lock:
            if not self._application and time.time() > self._good_until:
                self._sas = generate_container_sas(
                    self._account,
                    self._container,
                    account_key=self._key,
                    permission=ContainerSasPermissions(read=True, list=True, write=True, create=True, delete=True),
                    expiry=datetime.now(UTC) + timedelta(seconds=LIFE),
                )
                self._good_until = time.time() + LIFE / 2
            return self._sas


def _parsed(connection_string: str) -> tuple[str, str, str | None, str | None]:
    """Endpoint, account, and its key or a signature."""
    settings = {
        name.strip().lower(): value.strip()
        for name, _, value in (part.partition("=") for part in connection_string.split(";"))
    }
    sas = settings.get("sharedaccesssignature")
    try:
        # The SDK knows the defaults, the suffixes and the shortcuts.
        client = BlobServiceClient.from_connection_string(connection_string)
    except (ValueError, KeyError):
        raise CredentialsError("connection_string is not valid: copy it from the account's access keys") from None
    with client:
        parts = urlsplit(client.url)
        account = settings.get("accountname") or client.account_name or ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}", account, settings.get("accountkey"), sas
