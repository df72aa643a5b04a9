"""Sending: the steps that the sender's process repeats, one transaction each."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from loyalty.messages import handover
from loyalty.messages.gateways import Gateways
from loyalty.messages.handover import Attempt, Gateway
from loyalty.messages.mail import MailGateway
from loyalty.messages.sms import SmsGateway


def open_gateways(configured: Gateways) -> dict[str, Gateway]:
    """Return the gateway of each channel that one is configured for."""
    found: dict[str, Gateway] = {}
    if configured.smtp_url:
        found["email"] = MailGateway(configured)
    if configured.sms_url:
        found["sms"] = SmsGateway(configured)
    return found


def begin_next(
    session: Session, channels: Sequence[str], gateways: dict[str, Gateway]
) -> Attempt | None:
    """Write the attempt of the oldest live permit; None where there is none."""
    claimed = handover.claim(session, channels, 1)
    if not claimed:
        return None
    (live,) = claimed
    gateway = gateways[live.row.channel]
    return handover.begin(session, live, gateway.name, handover.reference_of(live.row))
