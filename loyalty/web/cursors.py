"""Pages of a list: an opaque, signed cursor says where the next one begins.

A cursor holds the sort key of the last row shown, so rows that arrive meanwhile shift nothing.
It is signed so that nobody builds one, and so that its form stays ours to change.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
from flask import current_app, request
from marshmallow import Schema

from loyalty.web.endpoints import Answer
from loyalty.web.errors import Refused
from loyalty.web.fields import QueryWhole, Text
from loyalty.web.keyfiles import read_secret

LARGEST_PAGE = 200
USUAL_PAGE = 50
_SIGNATURE_BYTES = 16

Row = TypeVar("Row")


class PageQuery(Schema):
    """The query of every list: `limit` (1 to 200, usually 50) and `cursor`."""

    limit = QueryWhole(1, LARGEST_PAGE, load_default=USUAL_PAGE)
    cursor = Text(500, load_default=None)


def sign(name: str, position: Sequence[Any]) -> str:
    """Return the cursor that stands behind `position` of the list called `name`."""
    payload = orjson.dumps([name, *position])
    return base64.urlsafe_b64encode(_signature(payload) + payload).rstrip(b"=").decode()


def read(name: str, cursor: str | None) -> list[Any] | None:
    """Return the position that `cursor` stands for, or None where the list begins.

    Raises `Refused` with `invalid-cursor` on anything that `sign` did not make for this list.
    """
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused("invalid-cursor") from None
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(payload)):
        raise Refused("invalid-cursor")
    position: list[Any] = orjson.loads(payload)
    if position.pop(0) != name:
        raise Refused("invalid-cursor")
    return position


def page_of(
    name: str,
    rows: Sequence[Row],
    limit: int,
    *,
    position: Callable[[Row], Sequence[Any]],
    dump: Callable[[Row], dict[str, Any]],
) -> Answer:
    """Return one page as `{"items": […], "next_cursor": …}` with its `Link` header.

    `rows` are up to `limit + 1` rows after the cursor: one more than is shown tells whether
    another page follows. `position` gives a row's sort key as JSON values.
    """
    shown = rows[:limit]
    following = sign(name, position(shown[-1])) if len(rows) > limit else None
    body = {"items": [dump(row) for row in shown], "next_cursor": following}
    if following is None:
        return Answer(body)
    query = urlencode({**request.args.to_dict(), "cursor": following})
    address = f"{current_app.config['ISSUER']}{request.path}?{query}"
    return Answer(body, headers={"Link": f'<{address}>; rel="next"'})


def newest(
    name: str,
    query: Mapping[str, Any],
    find: Callable[[int | None, int], Sequence[Any]],
    dump: Callable[[Any], dict[str, Any]],
) -> Answer:
    """Return one page of rows by falling number, which stands in their `id`.

    `find` is given the number below which to begin (None: the newest) and how many are wanted.
    """
    position = read(name, query["cursor"])
    found = find(position[0] if position else None, query["limit"] + 1)
    return page_of(name, found, query["limit"], position=lambda row: [row.id], dump=dump)


def _signature(payload: bytes) -> bytes:
    return hmac.digest(read_secret("cursors"), b"cursor\0" + payload, sha256)[:_SIGNATURE_BYTES]
