"""A real SMTP server on this machine, which keeps what it is sent or refuses as it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from loyalty.local.processes import free_port


@dataclass
class Mailbox:
    """The handler of the server: `answers` are given to DATA in turn, then 250 for ever."""

    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    recipient: str = "250 OK"
    address: str = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, _: Any) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(to)
        return self.recipient

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answers.pop(0) if self.answers else "250 kept"
        if answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return answer


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Yield a mailbox that listens at a free port of this machine."""
    kept = Mailbox()
    controller = Controller(kept, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        port = controller.server.sockets[0].getsockname()[1]
        kept.address = f"smtp://127.0.0.1:{port}"
        yield kept
    finally:
        controller.stop()
