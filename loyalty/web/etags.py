"""Entity tags: whether what a caller has seen is still what is here (RFC 9110, section 8.8.3).

A tag is the digest of the JSON that a route answers, so whatever changes the answer moves the
tag, and no row needs a version of its own.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from flask import request

from loyalty.web.errors import Refused

REVALIDATE = "private, no-cache"
"""How what carries a tag may be kept: by the caller alone, who asks each time whether it holds."""

ReadLocked = Callable[..., Any]
"""Takes the session and the path's parameters; holds the row until the commit and returns what
the tagged GET of it answers."""


def tag_of(answer: bytes) -> str:
    """Return the strong tag of an answer, in its quotes."""
    return f'"{sha256(answer).hexdigest()[:32]}"'


def is_known(tag: str) -> bool:
    """Return whether the caller has exactly this already, as If-None-Match says."""
    return request.if_none_match.contains_weak(tag.strip('"'))


def check_named() -> None:
    """Raise `Refused` with `precondition-required` where the request has no If-Match."""
    if not request.headers.get("If-Match", "").strip():
        raise Refused("precondition-required")


def check_unmoved(answer: bytes) -> None:
    """Raise `Refused` with `precondition-failed` where If-Match names another state than this."""
    if "If-Match" in request.headers and not request.if_match.contains(tag_of(answer).strip('"')):
        raise Refused("precondition-failed", headers={"ETag": tag_of(answer)})
