"""The sender: the one process that holds the gateways' credentials and may hand over.

Beside it what comes back (mail reports, gateways' lists), replay and evidence.
"""

import sys
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, TextIO

import click
import orjson
import structlog

from loyalty import audit
from loyalty.database import ADAPTER_ROLE, transaction
from loyalty.messages import evidence, handover, inbound, inbox, reconciliation, sending
from loyalty.messages import replay as replaying
from loyalty.messages.gateways import gateways
from loyalty.messages.handover import Gateway
from loyalty.messages.reconciliation import Sent
from loyalty.outbox import listen_for_stop, stop_requested
from loyalty.web import Caller, NotFound, ids, logs

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


@click.group("messages")
def messages_group() -> None:
    """What was decided and sent, and what came back."""


@messages_group.command("replay")
@click.option("--days", default=31, show_default=True, help="How far back.")
def replay(days: int) -> None:
    """Decide again what was decided, from what was stored; exits with 1 where it differs."""
    until = datetime.now(UTC)
    since, after, total, different = until - timedelta(days=days), 0, 0, 0
    while True:
        with transaction() as session:
            found, count, after = replaying.replay(session, since, until, after)
        for one in found:
            click.echo(f"decision {one.decision_id}: {one.what} differs")
        total, different = total + count, different + len(found)
        if count < replaying.BATCH:
            break
    click.echo(f"{total} decisions asked again, {different} differences")
    sys.exit(1 if different else 0)


@messages_group.command("receive-mail")
@click.argument("mail", type=click.File("rb"), default="-")
def receive_mail(mail: BinaryIO) -> None:
    """Take a bounce or a complaint, as the mail server's alias for returned mail pipes it in."""
    with transaction() as session:
        report = inbound.receive_mail(session, Caller.job("messages.mail"), mail.read())
    click.echo("none of ours" if report is None else f"{report.kind} {report.reference}")


@messages_group.command("reconcile")
@click.argument("gateway")
@click.argument("lines", type=click.File("r"))
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Of which day, UTC.")
def reconcile(gateway: str, lines: TextIO, day: datetime) -> None:
    """Hold a gateway's own list of a day (JSON lines: reference, kind, code) against ours.

    Exits with 1 where the gateway knows a message that we do not: somebody went round the gate.
    """
    since = day.replace(tzinfo=UTC)
    sent = [Sent(**orjson.loads(line)) for line in lines if line.strip()]
    with transaction() as session:
        found = reconciliation.reconcile(session, gateway, sent, since, since + timedelta(days=1))
    for reference in found.unknown_here:
        _LOG.error("message_went_round_the_gate", gateway=gateway, reference=reference)
    for reference in found.unknown_there:
        _LOG.warning("message_unknown_to_gateway", gateway=gateway, reference=reference)
    click.echo(
        f"{found.matched} match, {len(found.unknown_here)} unknown here,"
        f" {len(found.unknown_there)} unknown there"
    )
    sys.exit(1 if found.unknown_here else 0)


@messages_group.command("evidence")
@click.argument("request_id", type=int)
def print_evidence(request_id: int) -> None:
    """Print what stands behind one message as JSON."""
    with transaction() as session:
        try:
            pack = evidence.evidence_of_message(session, request_id)
        except NotFound:
            raise click.ClickException(f"there is no request {request_id}") from None
    click.echo(orjson.dumps(pack, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))


@messages_group.command("customer-evidence")
@click.argument("customer_id")
def print_customer(customer_id: str) -> None:
    """Print a customer's consents, and what stands behind their newest messages, as JSON."""
    try:
        number = ids.decode("cus", customer_id)
    except ValueError as wrong:
        raise click.ClickException(str(wrong)) from None
    with transaction() as session:
        pack = evidence.evidence_of_customer(session, number)
        audit.record(session, Caller.job("messages.evidence"), "evidence.read", "customer", number)
    click.echo(orjson.dumps(pack, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))


COMMANDS = (run_sender, messages_group)
