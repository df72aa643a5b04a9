"""The sender: the one process that holds the gateways' credentials and may hand over."""

import click
import structlog

from loyalty.database import ADAPTER_ROLE, transaction
from loyalty.messages import handover, inbox, sending
from loyalty.messages.gateways import gateways
from loyalty.messages.handover import Gateway
from loyalty.outbox import listen_for_stop, stop_requested
from loyalty.web import logs

BATCH = 100
PAUSE_SECONDS = 0.5
_LOG = structlog.get_logger(__name__)


@click.command("sender")
def run_sender() -> None:
    """Hand over what the gate let through, until stopped."""
    logs.configure()
    listen_for_stop()
    opened = sending.open_gateways(gateways())
    while not stop_requested.is_set():
        if send_due(opened) == 0:
            stop_requested.wait(PAUSE_SECONDS)


def send_due(opened: dict[str, Gateway], most: int = BATCH) -> int:
    """Hand over up to `most` messages of each way; return how many were attempted."""
    with transaction(ADAPTER_ROLE) as session:
        count = inbox.deliver(session, most)
    ready = {channel: gateway for channel, gateway in opened.items() if gateway.is_ready()}
    sent = 0
    while ready and sent < most and send_next(ready):
        sent += 1
    return count + sent


def send_next(opened: dict[str, Gateway]) -> bool:
    """Hand over one message by a gateway; return whether there was one."""
    with transaction(ADAPTER_ROLE) as session:
        attempt = sending.begin_next(session, list(opened), opened)
    if attempt is None:
        return False
    with transaction(ADAPTER_ROLE) as session:
        handover.finish(session, attempt, opened[attempt.message.channel])
    return True


COMMANDS = (run_sender,)
