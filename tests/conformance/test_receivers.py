"""The contract of `Receivers` on real servers: pinned, encrypted to the right name, bounded in time, never led on."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.adapters.receivers import HttpReceivers
from shared.errors import AddressRefusedError, ReceiverError
from tests.receiver import Receiver, receiving

HOST = "hooks.example.org"
SECRET = "a-path-that-is-a-password"


def receivers(timeout: float = 5.0, **names: list[str]) -> HttpReceivers:
    def resolve(host: str, _port: int) -> list[str]:
        return names.get(host.replace(".", "_"), ["127.0.0.1"])

    return HttpReceivers(allow_private=True, timeout=timeout, resolve=resolve)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def port_of(receiver: Receiver) -> int:
    return int(receiver.url.rpartition(":")[2])


def test_what_is_sent_arrives_and_the_name_stays_the_name(receiver: Receiver):
    port = port_of(receiver)
    url = f"http://{HOST}:{port}/a/../b//c?x=%20&y"
    assert 200 == receivers().post(url, {"X-Key": "key"}, b'{"a":1}')

    post = receiver.next()
    assert ("/a/../b//c?x=%20&y", b'{"a":1}') == (post.path, post.body)
    assert (f"{HOST}:{port}", "key") == (post.headers["Host"], post.headers["X-Key"])


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(receiver: Receiver):
    """A name server that answers differently the second time is asked once."""
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    HttpReceivers(allow_private=True, timeout=5, resolve=resolve).post(f"http://{HOST}:{port_of(receiver)}/", {}, b"")
    assert [HOST] == asked


def test_the_next_address_of_a_name_is_tried(receiver: Receiver):
    ours = receivers(hooks_example_org=["127.0.0.2", "127.0.0.1"])
    assert 200 == ours.post(f"http://{HOST}:{port_of(receiver)}/", {}, b"")


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["169.254.169.254"], ["::1"]])
def test_what_is_not_public_is_refused_before_anything_is_sent(receiver: Receiver, addresses: list[str]):
    strict = HttpReceivers(allow_private=False, timeout=5, resolve=lambda _host, _port: addresses)
    url = f"http://{HOST}:{port_of(receiver)}/{SECRET}"
    for call in (lambda: strict.check(url), lambda: strict.post(url, {}, b"")):
        with pytest.raises(AddressRefusedError) as refused:
            call()
        assert SECRET not in str(refused.value)
    assert [] == receiver.posts


def test_loopback_by_its_real_name_is_refused(receiver: Receiver):
    """With this machine's own resolver: also numbers in other forms, which it understands."""
    strict = HttpReceivers(allow_private=False, timeout=5)
    for host in ("localhost", "127.1", "2130706433", "0x7f.1"):
        with pytest.raises(AddressRefusedError):
            strict.post(f"http://{host}:{port_of(receiver)}/", {}, b"")
    assert [] == receiver.posts


@pytest.mark.parametrize("status", [204, 302, 307, 404, 500])
def test_the_status_comes_back_and_no_redirect_is_followed(receiver: Receiver, status: int):
    receiver.answer = lambda _post: (status, {"Location": f"{receiver.url}/elsewhere"})
    assert status == receivers().post(f"{receiver.url}/first", {}, b"")
    assert ["/first"] == [post.path for post in receiver.posts]


@contextmanager
def speaking(speak: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says something else than HTTP; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                with connection:
                    speak(connection)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.close()
        thread.join(10)
        assert not thread.is_alive()


def trickle(start: bytes, more: bytes) -> Callable[[socket.socket], None]:
    """Never silent for as long as a socket's own time-out, and never done."""

    def speak(connection: socket.socket) -> None:
        connection.sendall(start)
        tick = threading.Event()
        while not tick.wait(0.02):
            connection.sendall(more)

    return speak


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "speak",
    [
        pytest.param(lambda connection: bool(connection.recv(1 << 20)) and connection.recv(1), id="silence"),
        pytest.param(trickle(b"HTTP/1.1 200 OK\r\nX: ", b"x"), id="a header without end"),
        pytest.param(trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="always continue"),
        pytest.param(trickle(b"\x16\x03\x03\x40\x00", b"\x02"), id="a handshake without end"),
    ],
)
def test_nobody_is_waited_for_longer_than_the_time_out(scheme: str, speak: Callable[[socket.socket], None]):
    with speaking(speak) as port:
        begun = time.monotonic()
        with pytest.raises(ReceiverError) as broken:
            receivers(timeout=0.5).post(f"{scheme}://{HOST}:{port}/{SECRET}", {"A": SECRET}, b"")
        assert time.monotonic() - begun < 5
    assert SECRET not in repr(broken.value)
    assert broken.value.__suppress_context__


def test_an_answer_without_end_is_not_read():
    with speaking(trickle(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000)) as port:
        assert 200 == receivers().post(f"http://{HOST}:{port}/", {}, b"")


@pytest.mark.parametrize(
    ("speak", "says"),
    [
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"), "does not speak HTTP"),
        (lambda connection: connection.close(), "broke"),
    ],
)
def test_what_is_no_receiver_is_said_to_be_none(speak: Callable[[socket.socket], None], says: str):
    with speaking(speak) as port, pytest.raises(ReceiverError, match=says):
        receivers().post(f"http://{HOST}:{port}/", {}, b"")


def test_who_can_not_be_found_or_reached(receiver: Receiver):
    def nameless(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    unknown = HttpReceivers(allow_private=False, timeout=5, resolve=nameless)
    unknown.check(f"http://{HOST}/")
    with pytest.raises(ReceiverError, match=f"The name of {HOST}:80 can't be resolved"):
        unknown.post(f"http://{HOST}/{SECRET}", {}, b"")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ReceiverError, match=f"Nothing answers at {HOST}:{port}"):
        receivers().post(f"http://{HOST}:{port}/{SECRET}", {}, b"")


# ---- TLS


def certificate(folder: Path, name: str) -> Path:
    """A certificate that vouches for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    no_password = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    path = folder / f"{name}.pem"
    path.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Receiver, list[str | None]]]:
    """A receiver with the certificate of HOST, which this process trusts; and the names it was asked for."""
    path = certificate(tmp_path, HOST)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)

    def prepare(server: object) -> None:
        server.socket = context.wrap_socket(server.socket, server_side=True)  # type: ignore[attr-defined]

    with receiving(prepare) as receiver:
        yield receiver, asked


def test_encrypted_to_the_name_at_the_checked_address(encrypted: tuple[Receiver, list[str | None]]):
    receiver, asked = encrypted
    assert 200 == receivers().post(f"https://{HOST}:{port_of(receiver)}/", {}, b"{}")
    assert HOST == receiver.next().headers["Host"].partition(":")[0]
    assert [HOST] == asked


def test_a_certificate_of_another_name_is_no_good(encrypted: tuple[Receiver, list[str | None]]):
    receiver, _ = encrypted
    with pytest.raises(ReceiverError, match=r"No trusted connection to other\.example\.org"):
        receivers().post(f"https://other.example.org:{port_of(receiver)}/{SECRET}", {}, b"{}")
    assert [] == receiver.posts


def test_a_certificate_that_nobody_vouches_for_is_no_good(
    encrypted: tuple[Receiver, list[str | None]], monkeypatch: pytest.MonkeyPatch
):
    receiver, _ = encrypted
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ReceiverError, match="No trusted connection"):
        receivers().post(f"https://{HOST}:{port_of(receiver)}/", {}, b"{}")
    assert [] == receiver.posts
