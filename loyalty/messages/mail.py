"""Mail by SMTP: the adapter that talks to the mail gateway."""

import smtplib
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate
from typing import Any
from urllib.parse import unquote, urlsplit

from loyalty.messages.gateways import Gateways
from loyalty.messages.handover import Kind, Receipt
from loyalty.messages.rules import Message

TIMEOUT_SECONDS = 3.0
PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


class MailGateway:
    """One connection to the mail gateway, opened when needed and kept while it works."""

    name = "smtp"

    def __init__(self, gateways: Gateways) -> None:
        """Prepare without connecting."""
        self._address = urlsplit(gateways.smtp_url)
        self._from = gateways.mail_from
        self._sender = gateways.sender.name
        self._connection: smtplib.SMTP | None = None

    def is_ready(self) -> bool:
        """Return whether the mail gateway answers."""
        try:
            self._connect()
        except (OSError, smtplib.SMTPException):
            self.close()
            return False
        return True

    def hand_over(self, message: Message, reference: str) -> Receipt:
        """Give `message` to the gateway.

        What fails before its content is sent did not leave; what fails after it, nobody knows.
        """
        try:
            content = self._compose(message, reference).as_bytes(policy=SMTP)
            self._address_to(message.contact)
        except ValueError:  # a line end in a header: nothing that may leave
            return Receipt(Kind.REFUSED, "header")
        except smtplib.SMTPResponseException as refusal:
            self.close()
            return Receipt(Kind.REFUSED, str(refusal.smtp_code))
        except (OSError, smtplib.SMTPException):
            self.close()
            return Receipt(Kind.REFUSED, "unreachable")
        return self._give(content, reference)

    def _address_to(self, contact: str) -> None:
        connection = self._connect()
        for code, answer in (connection.mail(self._from), connection.rcpt(contact)):
            if code not in (250, 251):
                raise smtplib.SMTPResponseException(code, answer)

    def _give(self, content: bytes, reference: str) -> Receipt:
        assert self._connection is not None
        try:
            code, answer = self._connection.data(content)
        except smtplib.SMTPDataError as refusal:
            self.close()
            return Receipt(Kind.REFUSED, str(refusal.smtp_code))
        except (OSError, smtplib.SMTPException):
            self.close()
            return Receipt(Kind.UNKNOWN, "no-answer")
        if code != 250:
            self.close()
            return Receipt(Kind.REFUSED, str(code), raw=answer)
        return Receipt(Kind.ACCEPTED, str(code), self.message_id(reference), answer)

    def message_id(self, reference: str) -> str:
        """Return the Message-ID of an attempt: bounces and complaints name it."""
        return f"<{reference}@{self._from.rpartition('@')[2]}>"

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> smtplib.SMTP:
        if self._connection is not None:
            try:
                if self._connection.noop()[0] == 250:
                    return self._connection
            except (OSError, smtplib.SMTPException):
                pass  # an idle connection was closed by the other side: open another
            self.close()
        self._connection = self._open()
        return self._connection

    def _open(self) -> smtplib.SMTP:
        address = self._address
        port = address.port or PORTS[address.scheme]
        kind: Any = smtplib.SMTP_SSL if address.scheme == "smtps" else smtplib.SMTP
        connection: smtplib.SMTP = kind(address.hostname, port, timeout=TIMEOUT_SECONDS)
        if address.scheme == "smtp+starttls":
            connection.starttls()
        if address.username:
            connection.login(unquote(address.username), unquote(address.password or ""))
        connection.ehlo_or_helo_if_needed()
        return connection

    def _compose(self, message: Message, reference: str) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["From"] = formataddr((self._sender, self._from))
        mail["To"] = message.contact
        mail["Subject"] = message.subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = self.message_id(reference)
        mail["Auto-Submitted"] = "auto-generated"
        for name, value in message.headers:
            mail[name] = value
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        return mail
