"""Commands of operations: build states anew from events, and say whether they were equal."""

import click

from loyalty.consent import states
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


COMMANDS = (consent_group,)
