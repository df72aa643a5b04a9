"""Commands of operations: a programme's ladder, and the review of its members."""

from collections import Counter
from pathlib import Path

import click
import orjson
from marshmallow import Schema, ValidationError, fields
from sqlalchemy.orm import Session

import ledger
from loyalty import audit, programmes
from loyalty.database import transaction
from loyalty.programmes import Programme
from loyalty.tiers import ladders, reviews
from loyalty.tiers.rules import Ladder, Tier
from loyalty.web import Caller, NotFound, Refused
from loyalty.web.errors import say
from loyalty.web.fields import Instant, Reference, Text, Whole

COMMAND_LINE = Caller.job("command-line")


class TierFile(Schema):
    """A tier as a file of a ladder has it."""

    code = Reference(required=True)
    name_zh = Text(50, required=True)
    name_en = Text(50, required=True)
    threshold = Whole(required=True)


class LadderFile(Schema):
    """A ladder as a file has it; what is left out is as in `Ladder`."""

    tiers = fields.List(fields.Nested(TierFile), required=True)
    window = Reference()
    window_months = Whole()
    grace_days = Whole()
    downgrade = Reference()
    effective_from = Instant(load_default=ledger.AT_ONCE)


@click.group("tiers")
def tiers_group() -> None:
    """Tiers: what they take, and who is in which."""


@tiers_group.command("set-ladder")
@click.argument("programme_code")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def set_ladder(programme_code: str, file: Path) -> None:
    """Add the ladder in a JSON file as the next version of a programme's."""
    try:
        content = LadderFile().load(orjson.loads(file.read_bytes()))
    except (ValidationError, orjson.JSONDecodeError) as error:
        raise click.ClickException(f"{file}: {error}") from None
    content["tiers"] = tuple(Tier(**tier) for tier in content["tiers"])
    with transaction() as session:
        programme = _find(session, programme_code)
        try:
            made = ladders.create_ladder(session, programme, Ladder(**content))
        except Refused as refusal:
            raise click.ClickException(say(refusal.detail or refusal.code, "en")) from None
        detail = {"version": made.version}
        audit.record(session, COMMAND_LINE, "ladder.created", "programme", programme.id, detail)
    click.echo(f"Version {made.version}, in force from {made.effective_from:%Y-%m-%dT%H:%M:%SZ}.")


@tiers_group.command("review")
@click.option("--programme", "codes", multiple=True, help="Only this programme; may be repeated.")
@click.option("--here", is_flag=True, help="Do it now and here instead of starting a run.")
@click.option("--dry-run", is_flag=True, help="Count what would change, and change nothing.")
def review(codes: tuple[str, ...], here: bool, dry_run: bool) -> None:
    """Review every member: who falls, who is kept, which assignments end."""
    with transaction() as session:
        chosen = [_find(session, code) for code in codes] or programmes.list_programmes(session)
    for programme in chosen:
        if here or dry_run:
            _review_here(programme, dry_run)
            continue
        with transaction() as session:
            number = reviews.start(session, programme, COMMAND_LINE.id)
        click.echo(f"{programme.code}: run {number} is queued.")


def _review_here(programme: Programme, dry: bool) -> None:
    with transaction() as session:
        total = reviews.count_members(session, programme)
    reasons: Counter[str] = Counter()
    after = 0
    with click.progressbar(length=total, label=programme.code) as progress:
        while (chunk := _review_chunk(programme, after, dry)) is not None:
            progress.update(chunk.customers)
            reasons += chunk.reasons
            after = chunk.last
    verb = "would change" if dry else "changed"
    click.echo(f"{programme.code}: {total} members, {sum(reasons.values())} {verb}.")
    for reason, count in sorted(reasons.items()):
        click.echo(f"  {reason}: {count}")


def _review_chunk(programme: Programme, after: int, dry: bool) -> reviews.Chunk | None:
    with transaction() as session:
        return reviews.review_next(session, programme, after, limit=reviews.CHUNK, dry=dry)


def _find(session: Session, code: str) -> Programme:
    try:
        return programmes.find_programme(session, code)
    except NotFound:
        raise click.ClickException(f"there is no programme {code}") from None


COMMANDS: list[click.Command] = [tiers_group]
