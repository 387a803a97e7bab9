"""Posts to addresses that users chose: checked, pinned to what was checked, bounded in time, never led elsewhere."""

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from shared.errors import AddressRefusedError, ReceiverError
from shared.ports import Receivers

if TYPE_CHECKING:
    from shared.adapters.receiver_connection import Connection

MAX_ADDRESSES = 4
"""Of one name that are tried."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that a gateway turns into the IPv4 address in their last bits."""
_NEVER = [ipaddress.ip_network(text) for text in ("64:ff9b:1::/48", "fec0::/10", "::/96")]
"""Reserved for networks of one's own, which the library counts as global (or does in some of its versions)."""

Resolve = Callable[[str, int], Sequence[str]]


class HttpReceivers(Receivers):
    """Receivers over HTTP.

    `allow_private`: whether addresses may be posted to that are not public. `timeout`: seconds for one post, from the
    connection to the status line. `resolve`: the addresses of a name; OSError if it has none. No proxy is used, as
    what it connects to could not be checked.
    """

    def __init__(self, *, allow_private: bool, timeout: float, resolve: Resolve | None = None) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        self._resolve = resolve or _resolve

    def check(self, url: str) -> None:
        """Raises `AddressRefusedError` for what is not public; a name that can't be resolved now is let through."""
        parts = urlsplit(url)
        try:
            addresses = self._resolve(parts.hostname or "", _port(parts))
        except (OSError, UnicodeError):
            return
        self._admit(parts, addresses)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer; redirects are not followed, the body is not read."""
        parts = urlsplit(url)
        place = _place(parts)
        try:
            addresses = self._resolve(parts.hostname or "", _port(parts))[:MAX_ADDRESSES]
        except (OSError, UnicodeError):
            raise ReceiverError(f"The name of {place} can't be resolved.") from None
        self._admit(parts, addresses)
        from shared.adapters.receiver_connection import BROKEN, Cut, open_connection  # most functions never post

        connection = open_connection(parts.scheme, parts.hostname or "", _port(parts), addresses, self._timeout)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with Cut(connection, self._timeout):
                connection.request("POST", target, body=body, headers=dict(headers), preload_content=False)
                status = int(connection.getresponse().status)
                if connection.was_cut:
                    raise TimeoutError  # the library takes the end for that of the headers
                return status
        except BROKEN as error:
            # Not chained: the library's errors quote the address, which may be as good as a password.
            raise ReceiverError(self._reason(place, connection, error)) from None

    def _admit(self, parts: SplitResult, addresses: Sequence[str]) -> None:
        """One bad address is enough: which one of several a name means is the caller's choice."""
        if not self._allow_private and not all(map(public, addresses)):
            raise AddressRefusedError(
                f"{_place(parts)} is not a public address, and webhooks may only be sent to those. "
                "Who runs this server can allow others with SLUICE_WEBHOOK_ALLOW_PRIVATE."
            )

    def _reason(self, place: str, connection: "Connection", error: Exception) -> str:
        if connection.was_cut or isinstance(error, TimeoutError):
            return f"{place} did not answer within {self._timeout:g} s."
        if connection.watched is None:
            return f"Nothing answers at {place}."
        if not connection.ready:
            return f"No trusted connection to {place}: is its certificate valid for this name?"
        return f"The connection to {place} broke, or what answers there does not speak HTTP."


def public(address: str) -> bool:
    """Whether an IP address is one of the internet's: not loopback, link-local, private, multicast or reserved."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
        if any(ip in network for network in _NEVER):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _place(parts: SplitResult) -> str:
    """What a text may say of an address."""
    return f"{parts.hostname}:{_port(parts)}"
