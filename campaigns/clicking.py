"""Clicks: a campaign's link goes by us, and says who followed it only where they agreed to that.

A link that names a customer is given to those alone who agreed to be looked at (`PURPOSE`), and
is asked again when it is followed. Everybody else's link names the arm: counted, of nobody.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns.queries import read_campaign, read_launch
from loyalty import consent, messages
from loyalty.web import NotFound
from loyalty.web.keyfiles import read_secret

PURPOSE = "usage-analysis"
NOBODY = 0
_NUMBER, _ARM, _MAC = 8, 1, 12

_CLICK = text("""
INSERT INTO campaigns.clicks (launch_id, arm, customer_id) VALUES (:launch, :arm, :customer)
ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Link:
    """What a link stands for: a launch, the place of the arm, and a customer or nobody."""

    launch_id: int
    arm: int
    customer_id: int


def observable(session: Session, customer_ids: Collection[int], channel: str) -> set[int]:
    """Return which of these customers agreed that their clicks are looked at; default is nobody."""
    if PURPOSE not in consent.read_purposes(session):
        return set()
    known = consent.read_snapshot(session, customer_ids, purpose=PURPOSE, channel=channel.upper())
    return {
        number
        for number, found in known.items()
        if found.active
        and found.standing.status == "GRANTED"
        and not found.preference.personalisation_off
    }


def address_of(link: Link) -> str:
    """Return the address that stands in a message for the campaign's link."""
    raw = b"".join(
        (
            link.launch_id.to_bytes(_NUMBER, "big"),
            link.customer_id.to_bytes(_NUMBER, "big"),
            link.arm.to_bytes(_ARM, "big"),
        )
    )
    token = base64.urlsafe_b64encode(raw + _mac(raw)).rstrip(b"=").decode()
    return f"{messages.base_url()}/v1/go/{token}"


def follow(session: Session, token: str, *, is_counted: bool = True) -> str:
    """Count a click and return where the campaign's link leads. Raises `NotFound`."""
    link = read_token(token)
    if link is None:
        raise NotFound
    launch = read_launch(session, link.launch_id)
    document = read_campaign(session, launch.campaign_id, launch.version).document
    target: str | None = document.get("link")
    if target is None or link.arm >= len(document["variants"]):
        raise NotFound
    if not is_counted:
        return target
    customer = None
    if link.customer_id != NOBODY and _may_still(session, link):
        customer = link.customer_id
    arm = document["variants"][link.arm]["name"]
    session.execute(_CLICK, {"launch": launch.id, "arm": arm, "customer": customer})
    return target


def _may_still(session: Session, link: Link) -> bool:
    channel = session.execute(
        text("SELECT channel FROM campaigns.members WHERE (launch_id, customer_id) = (:l, :c)"),
        {"l": link.launch_id, "c": link.customer_id},
    ).scalar_one_or_none()
    return channel is not None and bool(observable(session, [link.customer_id], channel))


def read_token(token: str) -> Link | None:
    """Return what a token of ours stands for, or None."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:-_MAC], raw[-_MAC:]
    if len(body) != 2 * _NUMBER + _ARM or not hmac.compare_digest(mac, _mac(body)):
        return None
    launch, customer = body[:_NUMBER], body[_NUMBER : 2 * _NUMBER]
    return Link(int.from_bytes(launch, "big"), body[-1], int.from_bytes(customer, "big"))


def _mac(body: bytes) -> bytes:
    return hmac.digest(read_secret("links"), body, sha256)[:_MAC]
