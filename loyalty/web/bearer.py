"""Bearer tokens: checked once, then believed for at most half a minute.

Checking a signature costs more than the rest of a small request, and whoever holds a token
sends it many times. What a token allows can be withdrawn, so nothing is believed for longer.
"""

import re
import time
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from loyalty.web.access import Caller
from loyalty.web.errors import Refused

BELIEVED_FOR = 30.0  # seconds
MOST_TOKENS = 20_000
LONGEST = 4096

_BEARER = re.compile(r"[Bb]earer ([A-Za-z0-9._~+/-]+=*)")


class Verified(NamedTuple):
    """What a valid token says: who calls, and until when (seconds since 1970)."""

    caller: Caller
    expires_at: float


Verify = Callable[[str], Verified]


class BearerTokens:
    """The tokens that this process has verified lately."""

    def __init__(self, verify: Verify, clock: Callable[[], float] = time.monotonic) -> None:
        """`verify` checks a token's signature, claims and standing, or raises `Refused`.

        `clock` counts seconds and never goes back, whatever is done to the time of day.
        """
        self._verify = verify
        self._clock = clock
        self._known: dict[bytes, tuple[float, Caller]] = {}

    def find_caller(self, header: str | None, request_id: str) -> Caller:
        """Return who sent `header` (the Authorization header).

        Raises `Refused` with `unauthenticated` where it is missing, malformed or not valid.
        """
        match = _BEARER.fullmatch(header) if header and len(header) <= LONGEST else None
        if match is None:
            raise Refused("unauthenticated")
        token = match[1]
        digest = sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known[0] > self._clock():
            return known[1].on(request_id)
        return self._remember(digest, self._verify(token)).on(request_id)

    def forget(self) -> None:
        """Believe nothing any longer: the next use of every token is checked anew."""
        self._known = {}

    def _remember(self, digest: bytes, verified: Verified) -> Caller:
        if len(self._known) >= MOST_TOKENS:
            now = self._clock()
            self._known = {d: k for d, k in list(self._known.items()) if k[0] > now}
            if len(self._known) >= MOST_TOKENS:
                self.forget()
        left = min(BELIEVED_FOR, verified.expires_at - time.time())
        self._known[digest] = (self._clock() + left, verified.caller)
        return verified.caller
