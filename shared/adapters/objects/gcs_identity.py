"""As whom Google Cloud Storage is asked, where that is neither a key nor this process itself."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.errors import CredentialsError

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
OIDC = "urn:ietf:params:oauth:token-type:jwt"
AWS = "urn:ietf:params:aws:token-type:aws4_request"
NO_SOURCE = (
    "This server has no token to trade for one of Google's: set SLUICE_GOOGLE_CREDENTIAL_SOURCE where it runs, "
    'to JSON such as {"file": "/var/run/token"}'
)
BAD_SOURCE = "SLUICE_GOOGLE_CREDENTIAL_SOURCE is not the credential_source of a Google credential file"
NO_IDENTITY = (
    "This server has no Google identity of its own, so it can't act as {account}: give it one (a service account to "
    "run as, or GOOGLE_APPLICATION_CREDENTIALS)"
)
NOT_ALLOWED = (
    "Google does not let this server act as {account}: grant it the role Service Account Token Creator "
    "(or Workload Identity User, for a pool) on that account"
)
NOT_TRADED = "This server's token could not be traded for one of Google's at workload identity provider {provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsIdentity:
    """A service account to act as, a workload identity provider to be a member by, or both. Nothing here is secret."""

    account: str = ""
    provider: str = ""
    """projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>"""
    source: str = ""
    """Where the token for the provider is: a `credential_source` as JSON."""
    sts_url: str = ""
    iam_url: str = ""

    def credentials(self, scopes: tuple[str, ...]) -> Any:
        """google-auth's credentials, which ask for tokens when they are used. Raises `CredentialsError`."""
        if self.provider:
            return self._federated(scopes)
        from google.auth import impersonated_credentials

        return impersonated_credentials.Credentials(
            self._own(), self.account, list(scopes), iam_endpoint_override=self._impersonation()
        )

    def signing(self) -> tuple[Any, str]:
        """Credentials that sign as an account, and which; "" for a pool's own principal, which can't sign.

        Who acts as the account may sign as it. A pool's member signs as the account that it acts as, by itself.
        """
        if self.provider:
            return self._federated((CLOUD_PLATFORM,)) if self.account else None, self.account
        return self._own(), self.account

    def refusal(self, caught: Exception) -> str:
        """What it means that Google gives no token."""
        if self.account and "impersonated" in str(caught):
            return NOT_ALLOWED.format(account=self.account)
        return NOT_TRADED.format(provider=self.provider) if self.provider else ""

    def _own(self) -> Any:
        """This process's credentials."""
        import google.auth
        from google.auth import exceptions

        with suppress(exceptions.GoogleAuthError, OSError, ValueError):
            return google.auth.default(scopes=(CLOUD_PLATFORM,))[0]
        raise CredentialsError(NO_IDENTITY.format(account=self.account))

    def _federated(self, scopes: tuple[str, ...]) -> Any:
        from google.auth import aws, exceptions, identity_pool

        if not self.source:
            raise CredentialsError(NO_SOURCE)
        with suppress(exceptions.GoogleAuthError, ValueError, TypeError, AttributeError):
            source = json.loads(self.source)
            kind, token_type = (aws, AWS) if "environment_id" in source else (identity_pool, OIDC)
            return kind.Credentials(
                audience=f"//iam.googleapis.com/{self.provider}",
                subject_token_type=token_type,
                token_url=self.sts_url,
                credential_source=source,
                service_account_impersonation_url=self._impersonation() if self.account else None,
                scopes=list(scopes),
            )
        raise CredentialsError(BAD_SOURCE)  # out here, and without the reason: what is in it is the operator's

    def _impersonation(self) -> str:
        return f"{self.iam_url}/v1/projects/-/serviceAccounts/{self.account}:generateAccessToken"
