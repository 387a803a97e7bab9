"""A role that is assumed at AWS's STS: sessions that last an hour, and are replaced ten minutes before their end."""

from functools import partial
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as BotoConnectionError

from shared.adapters.objects.redact import redact
from shared.adapters.objects.s3_errors import PASSING, SLOW_DOWN
from shared.errors import CredentialsError, StoreError, StoreUnavailableError, StoreUnreachableError

SESSION_NAME = "sluice"
"""Stands in the logs of the role's account."""
REFUSED = (
    "AWS does not let this server assume {role}: the role's trust policy must name the identity that asks, "
    "and external_id must be the one that it demands"
)


class AssumedRole:
    """A source of credentials for a botocore session, in place of its default chain."""

    METHOD = "assume-role"

    def __init__(self, role_arn: str, external_id: str | None, source: Any, client: Any, secrets: set[str]) -> None:
        self._role, self._source, self._secrets = role_arn, source, secrets
        extra = {"RoleSessionName": SESSION_NAME, **({"ExternalId": external_id} if external_id else {})}
        self._fetcher = AssumeRoleCredentialFetcher(client, source, role_arn, extra_args=extra)

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that ask STS when they are first needed, and whenever they are about to expire."""
        return DeferredRefreshableCredentials(self._fetch, self.METHOD)

    def _fetch(self) -> Any:
        # botocore logs what goes wrong here with its traceback, so nothing of the provider's may be in it.
        self._secrets.update(filter(None, self._source.get_frozen_credentials()[:3]))
        try:
            fetched = self._fetcher.fetch_credentials()
            self._secrets.update((fetched["access_key"], fetched["secret_key"], fetched["token"]))
            return fetched
        except ClientError as caught:
            error = self._refused(caught)
        except ParamValidationError:
            error = CredentialsError(f"AWS can't be asked for {self._role}: role_arn or external_id is not valid")
        except (HTTPClientError, BotoConnectionError) as caught:
            error = StoreUnreachableError(
                f"Cannot reach AWS STS to assume {self._role}",
                detail=redact(str(caught.kwargs.get("error", "")), self._secrets),
            )
        raise error

    def _refused(self, caught: ClientError) -> StoreError:
        told = caught.response.get("Error", {})
        code, status = told.get("Code", ""), caught.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        detail = redact(f"{code}: {told.get('Message', '')}", self._secrets)
        if code in SLOW_DOWN or code in PASSING or status == 429 or status >= 500:
            return StoreUnavailableError(f"AWS STS can't let us assume {self._role} just now", detail=detail)
        return CredentialsError(REFUSED.format(role=self._role), detail=detail)


def assume(
    core: botocore.session.Session,
    source: Any,
    role_arn: str,
    external_id: str | None,
    *,
    endpoint: str | None,
    region: str,
    config: Config,
    secrets: set[str],
) -> botocore.session.Session:
    """A session whose credentials are the role's; `source` are those that ask. What is in no text joins `secrets`."""
    client = partial(core.create_client, region_name=region, endpoint_url=endpoint, config=config)
    role = AssumedRole(role_arn, external_id, source, client, secrets)
    assumed = botocore.session.get_session()
    assumed.register_component("data_loader", core.get_component("data_loader"))
    assumed.register_component("credential_provider", CredentialResolver([role]))
    return assumed
