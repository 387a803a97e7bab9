"""What Redis and its client say when something is wrong, as Sluice's own errors."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from redis import exceptions as r

from shared.adapters.objects.redact import redact
from shared.errors import (
    AccessDeniedError,
    CredentialsError,
    ObjectError,
    SluiceError,
    StoreError,
    StoreUnavailableError,
    StoreUnreachableError,
)

P = ParamSpec("P")
R = TypeVar("R")

UNREACHABLE = "Can't connect to Redis server."


def call(secrets: list[str], function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls the client. The error raised has no trace of the client's own."""
    try:
        return function(*args, **kwargs)
    except SluiceError:
        raise
    except (r.RedisError, OSError, UnicodeError, ValueError) as caught:
        error = translated(caught, secrets)
    raise error


def translated(caught: Exception, secrets: list[str]) -> StoreError:
    """The error for an exception."""
    kind: type[StoreError] = StoreError
    text = "Redis refused"
    match caught:
        case r.AuthenticationError() | r.AuthenticationWrongNumberOfArgsError():
            kind, text = CredentialsError, f"{UNREACHABLE} The password is missing or wrong."
        case r.NoPermissionError() | r.AuthorizationError():
            kind, text = AccessDeniedError, "Redis: the user lacks a permission"
        case r.BusyLoadingError() | r.ReadOnlyError() | r.OutOfMemoryError() | r.TryAgainError():
            kind, text = StoreUnavailableError, "Redis has a problem of its own"
        case r.TimeoutError():
            kind, text = StoreUnavailableError, "Redis was too slow"
        case r.MovedError() | r.AskError() | r.ClusterDownError():
            text = "This is a Redis Cluster, which can't be synced: its keys are spread over servers"
        case r.ConnectionError() | OSError():
            # Only of who could not even connect is it certain that nothing was done.
            connecting = not isinstance(caught, r.ConnectionError) or " connecting to " in str(caught)
            kind, text = StoreUnavailableError, "The connection to Redis broke"
            if connecting:
                kind, text = StoreUnreachableError, UNREACHABLE
        case r.ResponseError() if str(caught).startswith("WRONGTYPE"):
            kind, text = ObjectError, "The value is not a string: lists, hashes and the like are no files"
        case r.ResponseError() if "DB index" in str(caught):
            text = "Redis has no database of that number: set db"
    return kind(text, detail=redact(f"{type(caught).__name__}: {caught}", secrets))
