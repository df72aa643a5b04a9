"""Commands of operations: build states anew from events, and say whether they were equal."""

from datetime import UTC, datetime

import click

from loyalty.consent import contacts, states
from loyalty.consent.subjects import lock
from loyalty.database import transaction

CHUNK = 1000


@click.group("consent")
def consent_group() -> None:
    """What customers agreed to: events, and the states that follow from them."""


@consent_group.command("rebuild")
def rebuild() -> None:
    """Write every state anew from its events. Exits with 1 where one was not equal."""
    after = wrong = count = 0
    while True:
        with transaction() as session:
            chunk = states.next_subjects(session, after, CHUNK)
            lock(session, chunk)
            wrong += states.rebuild(session, chunk)
        if not chunk:
            break
        count, after = count + len(chunk), chunk[-1]
    click.echo(f"{count} customers, {wrong} states that were not what their events come to")
    if wrong:
        raise click.exceptions.Exit(1)


@consent_group.command("adopt-contacts")
@click.option(
    "--verified/--not-verified",
    default=False,
    show_default=True,
    help="Say that the bank proved them to be the customers' own.",
)
def adopt_contacts(verified: bool) -> None:
    """Make contact points of the phones and addresses that customers are registered with."""
    at = datetime.now(UTC) if verified else None
    after = count = 0
    while True:
        with transaction() as session:
            chunk = contacts.next_customers(session, after, CHUNK)
            count += contacts.adopt_contacts(session, chunk, verified_at=at)
        if not chunk:
            break
        after = chunk[-1]
    click.echo(f"{count} contact points")


COMMANDS = (consent_group,)
