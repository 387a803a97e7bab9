"""Signed tokens (JWT): what they claim, and whether it is true. HS256 under a key that every process derives alike.

The claims are Label Studio's: `token_type`, `exp`, `iat`, `jti`, `user_id` (as a string).
"""

import re
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from shared.errors import AuthenticationError
from shared.services.secrets import Vault

Type = Literal["access", "refresh"]
ALGORITHM = "HS256"
KEY_LABEL = "sluice api tokens"
NOT_VALID = "Given token not valid for any token type"
EXPIRED = "Token is expired"
MAX_LENGTH = 2000
"""Longer ones are nobody's of ours, and are not looked into."""
_CLAIMS = ("token_type", "exp", "iat", "jti", "user_id")


class Claims(NamedTuple):
    """What a token says. Times in seconds since 1970."""

    type: Type
    user: int
    id: str
    """Differs for each token."""
    issued_at: int
    expires_at: int


def looks_like(token: str) -> bool:
    """Whether a text has the form of a signed token."""
    return token.startswith("eyJ") and token.count(".") == 2


def issue(vault: Vault, claims: Claims) -> str:
    """The token that says so."""
    import jwt  # here and below: most processes never need it

    said = {
        "token_type": claims.type,
        "exp": claims.expires_at,
        "iat": claims.issued_at,
        "jti": claims.id,
        "user_id": str(claims.user),
    }
    return jwt.encode(said, vault.derived(KEY_LABEL)[0], algorithm=ALGORITHM)


def verify(vault: Vault, token: str, wanted: Type, now: float) -> Claims:
    """What a token of the wanted type says. Raises `AuthenticationError`, which quotes nothing of the token."""
    import jwt

    if len(token) > MAX_LENGTH:
        raise AuthenticationError(NOT_VALID)
    # Times are checked below, against the clock that everything else goes by.
    options: Any = {"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    said: dict[str, Any] | None = None
    for key in vault.derived(KEY_LABEL):
        with suppress(jwt.PyJWTError, ValueError):  # ValueError: characters that no token has
            said = jwt.decode(token, key, algorithms=[ALGORITHM], options=options)
            break
    if said is None:
        raise AuthenticationError(NOT_VALID)
    user, times = said["user_id"], (said["iat"], said["exp"])
    if not isinstance(user, str) or not re.fullmatch(r"[0-9]{1,18}", user) or {type(t) for t in times} != {int}:
        raise AuthenticationError(NOT_VALID)
    if said["token_type"] != wanted:
        raise AuthenticationError(
            "Token has wrong type: a refresh token is exchanged for an access token at /api/token/refresh/."
            if wanted == "access"
            else "Token has wrong type: a refresh token is needed."
        )
    if said["exp"] <= now:
        raise AuthenticationError(EXPIRED)
    return Claims(wanted, int(user), str(said["jti"]), said["iat"], said["exp"])
