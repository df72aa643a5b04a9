"""The keys that sign our access tokens, and signatures made or checked with pinned algorithms.

Each key is a file of the keys folder, its name beginning with when it was made: the newest
signs, the newest two verify, so a rotation refuses no token that is still alive.
"""

import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry

from loyalty.web.keyfiles import keys_folder, read_or_create

TOKEN_TYPE = "at+jwt"  # noqa: S105 - the media type of RFC 9068
TOKEN_ALGORITHM = "Ed25519"  # noqa: S105 - names an algorithm
LIVE_KEYS = 2
_PATTERN = "access-token-*.pem"


class BadSignature(Exception):
    """A token is not what we would have signed, or not signed by whom it says."""


class PinnedAlgorithms(JWSRegistry):
    """Only these algorithms, whatever a token's header asks for; never `none`, never a MAC."""

    def __init__(self, *names: str) -> None:
        """Accept the algorithms `names`."""
        super().__init__(algorithms=names)

    def get_alg(self, name: str) -> Any:
        """Return the algorithm called `name`, if it is pinned."""
        if name not in (self.allowed or ()):
            raise BadSignature("algorithm")
        return self.algorithms[name]


_TOKENS = PinnedAlgorithms(TOKEN_ALGORITHM)


class SigningKeys:
    """The live signing keys of one folder, read again when the folder changes."""

    def __init__(self, folder: Path) -> None:
        """Keys stand in `folder`; the first is made when it is first needed."""
        self._folder = folder
        self._lock = threading.Lock()
        self._read: tuple[int, dict[str, OKPKey]] = (-1, {})

    def sign(self, claims: dict[str, Any], kind: str = TOKEN_TYPE) -> str:
        """Return `claims` as a token of this kind, signed with the newest key."""
        kid, key = list(self._keys().items())[-1]
        header = {"alg": TOKEN_ALGORITHM, "typ": kind, "kid": kid}
        return jwt.encode(header, claims, key, registry=_TOKENS)

    def open(self, token: str, kind: str = TOKEN_TYPE) -> dict[str, Any]:
        """Return the claims of a token of this kind that we signed; raises `BadSignature`."""
        header, claims = open_token(token, reversed(self._keys().values()), _TOKENS)
        if set(header) != {"alg", "typ", "kid"} or header["typ"] != kind:
            raise BadSignature("header")
        return claims

    def public(self) -> list[dict[str, Any]]:
        """Return the public halves of the live keys as JWKs, for whoever checks offline."""
        return [
            {**key.as_dict(private=False), "kid": kid, "alg": TOKEN_ALGORITHM, "use": "sig"}
            for kid, key in self._keys().items()
        ]

    def rotate(self) -> str:
        """Make a new key, which signs from now on; return its key id."""
        key = OKPKey.generate_key("Ed25519")
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        path = self._folder / f"access-token-{stamp}.pem"
        read_or_create(path, key.as_pem(private=True))
        return key.thumbprint()

    def _keys(self) -> dict[str, OKPKey]:
        changed = self._folder.stat().st_mtime_ns
        if self._read[0] != changed:
            with self._lock:
                self._read = (changed, self._load())
        return self._read[1]

    def _load(self) -> dict[str, OKPKey]:
        paths = sorted(self._folder.glob(_PATTERN))[-LIVE_KEYS:]
        if not paths:
            first = self._folder / "access-token-0.pem"
            read_or_create(first, OKPKey.generate_key("Ed25519").as_pem(private=True))
            paths = [first]
        keys = [OKPKey.import_key(path.read_bytes()) for path in paths]
        for path in paths:
            if os.name == "posix" and path.stat().st_mode & 0o077:
                raise PermissionError(f"{path} must be readable by its owner alone (mode 0600)")
        return {key.thumbprint(): key for key in keys}


_folders: dict[Path, SigningKeys] = {}


def signing_keys() -> SigningKeys:
    """Return the signing keys of this installation."""
    folder = keys_folder()
    return _folders.setdefault(folder, SigningKeys(folder))


def sign_claims(kind: str, claims: dict[str, Any]) -> str:
    """Return claims of another kind than access (`coupon+jwt`) as a token that we signed."""
    return signing_keys().sign(claims, kind)


def read_claims(kind: str, token: str) -> dict[str, Any]:
    """Return the claims of a token of this kind that we signed; raises `BadSignature`."""
    return signing_keys().open(token, kind)


def public_keys() -> list[dict[str, Any]]:
    """Return the keys with which others check what we sign."""
    return signing_keys().public()


def open_token(
    token: str, keys: Iterable[OKPKey | ECKey], registry: PinnedAlgorithms
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of `token` if one of `keys` signed it; raises `BadSignature`.

    Keys, or addresses of keys, that the token brings along are never looked at.
    """
    reason = "no key"
    for key in keys:
        try:
            opened = jwt.decode(token, key, registry=registry)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            reason = type(error).__name__
        else:
            return dict(opened.header), dict(opened.claims)
    raise BadSignature(reason)
