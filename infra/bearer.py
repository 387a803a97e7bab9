"""How a request says who makes it: with a legacy token as it is, or with what a refresh token is exchanged for."""

from collections.abc import Generator
from http import HTTPStatus

import httpx


def authentication(token: str, url: str) -> httpx.Auth | None:
    """The authentication for requests to the server at `url`; none without a token."""
    if not token:
        return None
    return Refreshed(token, url) if token.startswith("eyJ") and token.count(".") == 2 else Legacy(token)


class Legacy(httpx.Auth):
    """A token that is sent with each request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds the header."""
        request.headers["Authorization"] = f"Token {self._token}"
        yield request


class Refreshed(httpx.Auth):
    """A refresh token: exchanged at the first request, and again when the server no longer takes what it gave."""

    requires_response_body = True

    def __init__(self, refresh: str, url: str) -> None:
        self._refresh, self._url = refresh, f"{url}/api/token/refresh/"
        self._access = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds the header. If the exchange is refused, its answer is what the caller gets: it says what is wrong."""
        for fresh in (False, True):
            if fresh or not self._access:
                answer = yield httpx.Request("POST", self._url, json={"refresh": self._refresh})
                if not answer.is_success:
                    return
                self._access = _access(answer)
            request.headers["Authorization"] = f"Bearer {self._access}"
            answer = yield request
            if answer.status_code != HTTPStatus.UNAUTHORIZED:
                return


def _access(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["access"])
    except (ValueError, TypeError, KeyError):
        raise httpx.RemoteProtocolError("it does not give an access token for a refresh token") from None
