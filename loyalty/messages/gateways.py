"""Where messages leave the house, and in whose name: read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

from loyalty.messages.rules import Sender
from loyalty.settings import BadSetting, settings

SENDER_NAME = "权益示例银行"
SENDER_CONTACT = "95500"


@dataclass(frozen=True, slots=True)
class Gateways:
    """Addresses and credentials of the gateways; only the sender's process is given them."""

    sender: Sender
    base_url: str
    smtp_url: str = field(repr=False)
    mail_from: str
    sms_url: str
    sms_key_id: str
    sms_secret: str = field(repr=False)
    sms_signature: str
    sms_template: str
    sms_ports: tuple[str, ...]


def read_gateways(environ: Mapping[str, str], base_url: str) -> Gateways:
    """Return what `environ` says of gateways; a channel without an address is not served.

    Raises `BadSetting` naming the variable and the mend.
    """
    smtp_url = environ.get("SMTP_URL", "")
    if smtp_url and urlsplit(smtp_url).scheme not in ("smtp", "smtps", "smtp+starttls"):
        raise BadSetting("SMTP_URL must start with smtp://, smtps:// or smtp+starttls://")
    mail_from = environ.get("MAIL_FROM", "")
    if smtp_url and "@" not in mail_from:
        raise BadSetting("MAIL_FROM must be the address that mail comes from")
    sms_url = environ.get("SMS_URL", "")
    if sms_url and urlsplit(sms_url).scheme not in ("http", "https"):
        raise BadSetting("SMS_URL must start with https://")
    hosts = {urlsplit(base_url).hostname or "", *environ.get("OWN_HOSTS", "").split(",")} - {""}
    return Gateways(
        sender=Sender(
            environ.get("SENDER_NAME") or SENDER_NAME,
            environ.get("SENDER_CONTACT") or SENDER_CONTACT,
            frozenset(hosts),
        ),
        base_url=base_url,
        smtp_url=smtp_url,
        mail_from=mail_from,
        sms_url=sms_url,
        sms_key_id=environ.get("SMS_KEY_ID", ""),
        sms_secret=environ.get("SMS_SECRET", ""),
        sms_signature=environ.get("SMS_SIGN_NAME") or environ.get("SENDER_NAME") or SENDER_NAME,
        sms_template=environ.get("SMS_TEMPLATE_CODE", ""),
        sms_ports=_read_ports(environ.get("SMS_PORTS") or "service,marketing"),
    )


def _read_ports(text: str) -> tuple[str, ...]:
    """Return the classes of message that our SMS account is registered for."""
    ports = tuple(word.strip().upper() for word in text.split(","))
    if not set(ports) <= {"SERVICE", "MARKETING"}:
        raise BadSetting(
            "SMS_PORTS must name what the account is registered for: service,marketing"
        )
    return ports


@cache
def gateways() -> Gateways:
    """Return the gateways of this process, read on first use."""
    return read_gateways(os.environ, settings().issuer)


def base_url() -> str:
    """Return the address at which customers reach us."""
    return gateways().base_url


def own_hosts() -> frozenset[str]:
    """Return the hosts that are ours: where a message may lead."""
    return gateways().sender.hosts
