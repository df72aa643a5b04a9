"""A request as it came, for the check of its signature, and the rule that each acts only once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app, request
from sqlalchemy.orm import Session

from loyalty.database import transaction
from loyalty.web import idempotency
from loyalty.web.access import Caller
from loyalty.web.errors import Refused


class Headers:
    """The header lines of a request, in order and with repetitions."""

    def __init__(self, lines: Sequence[tuple[str, str]]) -> None:
        """Keep `lines`."""
        self._lines = lines

    def items(self) -> Sequence[tuple[str, str]]:
        """Return the lines as pairs of name and value."""
        return self._lines


@dataclass(frozen=True, slots=True)
class Message:
    """A request: its method, the address that it was sent to, its headers and its bytes.

    `url` is empty where the request was sent to another host than the one that we are known by:
    no signature fits it.
    """

    method: str
    url: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Signing:
    """How a route's messages are signed.

    `check` returns whether a signed message is new, or raises `Refused` where its signature is
    not as it must be. False says that these very bytes came before: they may get their earlier
    answer, and do nothing. `refuse_unsigned` raises `Refused` where the caller has to sign.
    """

    check: Callable[[Session, Caller, Message], bool]
    refuse_unsigned: Callable[[Session, Caller], None]


def is_signed() -> bool:
    """Return whether the request carries anything of a signature."""
    return any(name.lower().startswith("signature") for name, _ in request.headers)


def find_answer(
    signing: Signing, caller: Caller, claim: idempotency.Claim, body: bytes
) -> idempotency.Kept | None:
    """Check the request's signature; return the earlier answer if the message is not new.

    That it came is kept in a transaction of its own: whoever recorded a call that was refused
    must not be able to send it once more when it would be accepted. Raises `Refused`, also with
    `signature-replayed` where there is no earlier answer.
    """
    with transaction() as session:
        if signing.check(session, caller, _read(body)):
            return None
    with transaction() as session:
        earlier = idempotency.find(session, claim)
    if earlier is None:
        raise Refused("signature-replayed")
    return earlier


def _read(body: bytes) -> Message:
    issuer = urlsplit(current_app.config["ISSUER"])
    target = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or ""
    is_ours = request.host == issuer.netloc and target.startswith("/")
    url = f"{issuer.scheme}://{issuer.netloc}{target}" if is_ours else ""
    return Message(request.method, url, Headers(list(request.headers.items())), body)
