"""Roles that are assumed at AWS's STS: sessions that last an hour, and are replaced ten minutes before their end."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    AssumeRoleWithWebIdentityCredentialFetcher,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as BotoConnectionError

from shared.adapters.objects.google_identity import WebIdentity
from shared.adapters.objects.redact import redact
from shared.adapters.objects.s3_errors import PASSING, SLOW_DOWN
from shared.errors import CredentialsError, StoreError, StoreUnavailableError, StoreUnreachableError

SESSION_NAME = "sluice"
"""Stands in the logs of the role's account."""
NO_KEYS_OF_GOOGLE = "IDPCommunicationError"
"""AWS could not reach Google to verify a token."""
REFUSED = (
    "AWS does not let this server assume {role}: the role's trust policy must name the identity that asks, "
    "and external_id must be the one that it demands"
)
REFUSED_WEB = (
    "AWS does not let this server assume {role}: the role's trust policy must allow sts:AssumeRoleWithWebIdentity to "
    "the federated principal accounts.google.com on condition that accounts.google.com:sub and accounts.google.com:aud "
    "are {subject} (the unique id of this server's service account) and accounts.google.com:oaud is {audience}"
)
NOT_VALID = "role_arn or external_id is not valid"
NOT_VALID_WEB = "SLUICE_AWS_WEB_IDENTITY_ROLE_ARN is not valid"


class AssumedRole:
    """A source of credentials for a botocore session, in place of its default chain.

    `proof` gets what the fetcher proves itself with, all of which is secret.
    """

    METHOD = "assume-role"

    def __init__(
        self,
        role_arn: str,
        fetcher: Any,
        proof: Callable[[], Iterable[str | None]],
        *,
        refused: Callable[[], str],
        not_valid: str,
        secrets: set[str],
    ) -> None:
        self._role, self._fetcher, self._proof, self._secrets = role_arn, fetcher, proof, secrets
        self._refused, self._not_valid = refused, not_valid

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that ask STS when they are first needed, and whenever they are about to expire."""
        return DeferredRefreshableCredentials(self._fetch, self.METHOD)

    def _fetch(self) -> Any:
        # botocore logs what goes wrong here with its traceback, so nothing of the provider's may be in it.
        self._secrets.update(filter(None, self._proof()))
        try:
            fetched = self._fetcher.fetch_credentials()
            self._secrets.update((fetched["access_key"], fetched["secret_key"], fetched["token"]))
            return fetched
        except ClientError as caught:
            error = self._refusal(caught)
        except ParamValidationError:
            error = CredentialsError(f"AWS can't be asked for {self._role}: {self._not_valid}")
        except (HTTPClientError, BotoConnectionError) as caught:
            error = StoreUnreachableError(
                f"Cannot reach AWS STS to assume {self._role}",
                detail=redact(str(caught.kwargs.get("error", "")), self._secrets),
            )
        raise error

    def _refusal(self, caught: ClientError) -> StoreError:
        told = caught.response.get("Error", {})
        code, status = told.get("Code", ""), caught.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        detail = f"{redact(code)}: {redact(told.get('Message', ''), self._secrets)}"
        if code in {*SLOW_DOWN, *PASSING, NO_KEYS_OF_GOOGLE} or status == 429 or status >= 500:
            return StoreUnavailableError(f"AWS STS can't let us assume {self._role} just now", detail=detail)
        return CredentialsError(self._refused(), detail=detail)


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
    extra = {"RoleSessionName": SESSION_NAME, **({"ExternalId": external_id} if external_id else {})}
    return _session(
        core,
        AssumedRole(
            role_arn,
            AssumeRoleCredentialFetcher(client, source, role_arn, extra_args=extra),
            lambda: source.get_frozen_credentials()[:3],
            refused=lambda: REFUSED.format(role=role_arn),
            not_valid=NOT_VALID,
            secrets=secrets,
        ),
    )


def trade(
    core: botocore.session.Session,
    web: WebIdentity,
    *,
    endpoint: str | None,
    region: str,
    config: Config,
    secrets: set[str],
) -> botocore.session.Session:
    """A session whose credentials are those of the role that the token is good for; otherwise like `assume`."""
    nobody = _session(core)  # the token is all the proof: what else this machine has is not looked for

    def client(service: str, config: Config, ours: Config = config) -> Any:
        return nobody.create_client(service, region_name=region, endpoint_url=endpoint, config=ours.merge(config))

    extra = {"RoleSessionName": SESSION_NAME}
    return _session(
        core,
        AssumedRole(
            web.role_arn,
            AssumeRoleWithWebIdentityCredentialFetcher(client, web.token.text, web.role_arn, extra_args=extra),
            lambda: [web.token.text()],
            refused=lambda: REFUSED_WEB.format(
                role=web.role_arn, subject=web.token.subject, audience=web.token.audience
            ),
            not_valid=NOT_VALID_WEB,
            secrets=secrets,
        ),
    )


def _session(core: botocore.session.Session, *sources: AssumedRole) -> botocore.session.Session:
    """A session whose credentials come from the sources alone."""
    session = botocore.session.get_session()
    session.register_component("data_loader", core.get_component("data_loader"))
    session.register_component("credential_provider", CredentialResolver(list(sources)))
    return session
