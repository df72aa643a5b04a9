"""Reaching: nothing of ours or of the cloud's is ever asked, and nothing goes on for ever.

Attacks A58 (server-side request forgery by a webhook's address) and A60 (slow or endless answers).
"""

import socket
from typing import Any

import pytest

from loyalty.messages import reaching
from loyalty.messages.reaching import Forbidden, Reach, post
from tests.messages.receivers import receiver, silent, status

PRODUCTION = Reach()
TESTS = Reach(to_loopback=True, seconds=1.0)

FORBIDDEN = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1%1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_not_the_public_internet_is_forbidden(address: str) -> None:
    with pytest.raises(Forbidden):
        PRODUCTION.check_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_the_public_internet_is_not(address: str) -> None:
    PRODUCTION.check_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://user:secret@example.com/",
        "https://example.com:22/",
        "https://example.com:6379/",
        "https:///path",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "https://ex\u0430mple.com/",
        "https://[::1",
        "https://example.com:99999/",
        "//example.com",
        "",
    ],
)
def test_addresses_that_are_not_tried(url: str) -> None:
    with pytest.raises(Forbidden):
        PRODUCTION.check_url(url)
    assert post(url, b"{}", {}, PRODUCTION).outcome.startswith("forbidden")


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::ffff:7f00:1]"]
)
def test_other_ways_to_write_this_machine_are_judged_where_they_lead(host: str) -> None:
    reached = post(f"https://{host}/", b"{}", {}, PRODUCTION)
    assert reached.outcome in ("forbidden-address", "unreachable")


def resolving(*addresses: str) -> Any:
    """Return a resolver that gives these addresses in turn, one at each question."""
    answers = iter(addresses)

    def resolve(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    return resolve


def test_a_name_that_leads_inside_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching.socket, "getaddrinfo", resolving("10.0.0.5"))
    assert post("https://inside.example/", b"{}", {}, PRODUCTION).outcome == "forbidden-address"


def test_a_name_is_resolved_once_and_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer of the name server is never asked for."""
    connected: list[Any] = []

    class Socket(socket.socket):
        def connect(self, place: Any) -> None:
            connected.append(place)
            raise ConnectionRefusedError

    monkeypatch.setattr(reaching.socket, "getaddrinfo", resolving("8.8.8.8", "127.0.0.1"))
    monkeypatch.setattr(reaching.socket, "socket", Socket)
    assert post("https://rebinding.example/", b"{}", {}, PRODUCTION).outcome == "unreachable"
    assert connected == [("8.8.8.8", 443)]


def test_one_bad_address_of_several_forbids_all(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
        for address in ("8.8.8.8", "127.0.0.1")
    ]
    monkeypatch.setattr(reaching.socket, "getaddrinfo", lambda *_, **__: both)
    assert post("https://both.example/", b"{}", {}, PRODUCTION).outcome == "forbidden-address"


def test_a_name_that_does_not_resolve_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror

    monkeypatch.setattr(reaching.socket, "getaddrinfo", fail)
    assert post("https://nowhere.example/", b"{}", {}, PRODUCTION).outcome == "unreachable"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiver(status(200)) as inside:
        with receiver(status(302, Location=inside.url)) as outside:
            reached = post(outside.url, b"{}", {}, TESTS)
        assert (reached.outcome, reached.status) == ("answered", 302)
        assert inside.got == []


def test_an_answer_that_never_comes_is_cut() -> None:
    with silent() as url:
        assert post(url, b"{}", {}, TESTS).outcome in ("cut", "broken")


def test_an_answer_that_drips_is_cut_by_the_clock() -> None:
    """Each byte comes in time, all of them do not."""

    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not kept.ended.wait(0.05):
            handler.wfile.write(b".")
            handler.wfile.flush()

    with receiver(drip) as kept:
        reached = post(kept.url, b"{}", {}, TESTS)
        assert reached.outcome == "cut"
        assert len(kept.got) == 1


def test_headers_that_drip_are_cut_by_the_clock() -> None:
    def drip(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not kept.ended.wait(0.05):
            handler.wfile.write(b"X")
            handler.wfile.flush()

    with receiver(drip) as kept:
        assert post(kept.url, b"{}", {}, TESTS).outcome == "cut"


def test_an_endless_answer_is_left_after_so_many_bytes() -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not kept.ended.is_set():
            handler.wfile.write(b"x" * 65_536)

    with receiver(endless) as kept:
        assert post(kept.url, b"{}", {}, Reach(to_loopback=True)).outcome == "too-large"


def test_what_is_packed_is_not_unpacked() -> None:
    packed = bytes(1000)
    with receiver(status(200, packed, **{"Content-Encoding": "gzip"})) as kept:
        assert post(kept.url, b"{}", {}, TESTS).outcome == "answered"
    assert kept.got[0][0]["Accept-Encoding"] == "identity"
