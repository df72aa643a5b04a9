"""Reaching other people's servers without being led astray: one POST, bounded in every way.

The address is judged where the connection is made: names are resolved once, what they resolve to
is judged, and just that is connected to, so no answer of a name server can change in between.
No redirect is followed, nothing is unpacked, and a clock ends what does not end by itself.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Timer
from urllib.parse import urlsplit

SECONDS = 15.0
CONNECT_SECONDS = 5.0
MOST_BYTES = 64 * 1024
PORTS = frozenset({443, 8443})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Not told apart by every Python: protocol assignments (a cloud keeps its metadata there), relays.
_APART = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forbidden(ValueError):
    """The address is none that we talk to; the word says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of it: `answered` with a status, or in a word why there is none."""

    outcome: str
    status: int | None
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How far we go. `to_loopback` is for tests: any port and plain HTTP, this machine alone."""

    to_loopback: bool = False
    seconds: float = SECONDS
    most_bytes: int = MOST_BYTES

    def check_url(self, url: str) -> tuple[str, int, str]:
        """Return host, port and path of an address that may be tried. Raises `Forbidden`."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise Forbidden("malformed") from None
        if not url.isascii() or not url.isprintable() or " " in url or len(url) > 2000 or not host:
            raise Forbidden("malformed")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise Forbidden("credentials")
        if parts.scheme != "https" and not (self.to_loopback and parts.scheme == "http"):
            raise Forbidden("scheme")
        chosen = port or (443 if parts.scheme == "https" else 80)
        if chosen not in PORTS and not self.to_loopback:
            raise Forbidden("port")
        return host, chosen, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def check_address(self, address: str) -> None:
        """Accept an address on the public internet. Raises `Forbidden`."""
        found = _inner(ipaddress.ip_address(address.partition("%")[0]))
        if self.to_loopback and found.is_loopback:
            return
        if any(found in network for network in _APART):
            raise Forbidden("address")
        if not found.is_global or found.is_multicast or found.is_reserved or found.is_unspecified:
            raise Forbidden("address")

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a connection to what `host` resolves to, if all of that may be talked to.

        Raises `Forbidden` or `OSError`; a name that does not resolve is an `OSError`.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, place in found:
            self.check_address(str(place[0]))
        family, kind, protocol, _, place = found[0]
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(min(CONNECT_SECONDS, self.seconds))
            connection.connect(place)
            self.check_address(connection.getpeername()[0])
        except BaseException:
            connection.close()
            raise
        return connection


def _inner(address: Address) -> Address:
    """Return the address that an address of a transition mechanism stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[12:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


class _Connection(http.client.HTTPConnection):
    """A connection of ours whose socket is already made, and judged."""

    def __init__(self, host: str, port: int, made: socket.socket) -> None:
        super().__init__(host, port)
        self.sock = made

    def connect(self) -> None:
        """Never again: a new connection would not be judged."""
        raise http.client.NotConnected


def post(url: str, body: bytes, headers: Mapping[str, str], reach: Reach) -> Reached:
    """Send `body` and return what came of it; raises nothing that the other side can cause."""
    started = time.monotonic()
    outcome, status = _post(url, body, headers, reach)
    return Reached(outcome, status, int((time.monotonic() - started) * 1000))


def _post(
    url: str, body: bytes, headers: Mapping[str, str], reach: Reach
) -> tuple[str, int | None]:
    try:
        host, port, path = reach.check_url(url)
        raw = reach.connect(host, port)
    except Forbidden as forbidden:
        return f"forbidden-{forbidden}", None
    except (OSError, UnicodeError):  # a name that cannot be encoded does not resolve either
        return "unreachable", None
    held, is_over = [raw], Event()
    clock = Timer(reach.seconds, _cut, [held, is_over])
    clock.daemon = True
    clock.start()
    try:
        raw.settimeout(reach.seconds)
        if url.lower().startswith("https:"):
            held[0] = secured = _secure(raw, host)
            secured.do_handshake()
        told = _talk(_Connection(host, port, held[0]), path, body, headers, reach)
        # An answer that the clock ended may look whole: what ends with the connection does.
        return ("cut", None) if is_over.is_set() else told
    except ssl.SSLError:
        return "insecure", None
    except (OSError, http.client.HTTPException):
        return "cut" if is_over.is_set() else "broken", None
    finally:
        clock.cancel()
        held[0].close()


def _secure(raw: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    return context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)


def _cut(held: list[socket.socket], is_over: Event) -> None:
    is_over.set()
    with suppress(OSError):  # it may have ended by itself
        socket.socket.shutdown(held[0], socket.SHUT_RDWR)  # beneath TLS, which would ask first


def _talk(
    connection: _Connection, path: str, body: bytes, headers: Mapping[str, str], reach: Reach
) -> tuple[str, int | None]:
    connection.request("POST", path, body, {**headers, "Accept-Encoding": "identity"})
    answer = connection.getresponse()
    if len(answer.read(reach.most_bytes + 1)) > reach.most_bytes:
        return "too-large", answer.status
    return "answered", answer.status
