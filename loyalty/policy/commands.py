"""Commands of compliance: the key that packs are signed with, signing one, putting one in force."""

from pathlib import Path

import click

from loyalty import audit
from loyalty.database import transaction
from loyalty.policy import packs
from loyalty.settings import settings
from loyalty.web import Caller, Refused
from loyalty.web.errors import say

COMMAND_LINE = Caller.job("command-line")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("policy")
def policy_group() -> None:
    """The policy pack: rules as data, signed, and in force from a date."""


@policy_group.command("create-key")
def create_key() -> None:
    """Make the pair of keys for packs, unless it is there, and say where the public is."""
    click.echo(packs.create_policy_key(settings().keys))


@policy_group.command("sign")
@click.argument("pack", type=FILE, default=packs.SHIPPED)
def sign(pack: Path) -> None:
    """Print the signature of a pack; without PACK of the one that is shipped with this version."""
    body = pack.read_text("utf-8")
    try:
        packs.load_pack(body)
        click.echo(packs.sign_pack(settings().keys, body))
    except FileNotFoundError as missing:
        raise click.ClickException(
            f"{missing.filename} is missing; `loyalty policy create-key` makes it"
        ) from None
    except Refused as refusal:
        raise click.ClickException(_why(refusal)) from None


@policy_group.command("enact")
@click.argument("pack", type=FILE, default=packs.SHIPPED)
@click.option("--signature", required=True, help="As `loyalty policy sign` printed it.")
def enact(pack: Path, signature: str) -> None:
    """Put a signed pack in force from its date."""
    _enact(pack.read_text("utf-8"), signature)


@policy_group.command("install")
def install() -> None:
    """Sign the pack that is shipped with a key made here, and put it in force.

    For a machine to try things on, where it is done once. A bank's counsel signs with a key that
    is kept elsewhere.
    """
    packs.create_policy_key(settings().keys)
    body = packs.SHIPPED.read_text("utf-8")
    with transaction() as session:
        if packs.is_known(session, packs.load_pack(body).version):
            return
    _enact(body, packs.sign_pack(settings().keys, body))


def _enact(body: str, signature: str) -> None:
    try:
        with transaction() as session:
            made = packs.enact(session, settings().keys, body, signature, COMMAND_LINE.id)
            detail = {"sha256": made.sha256.hex(), "jurisdiction": made.jurisdiction}
            audit.record(session, COMMAND_LINE, "policy.enacted", "policy", made.version, detail)
    except Refused as refusal:
        raise click.ClickException(_why(refusal)) from None
    click.echo(f"{made.version}, in force from {made.effective_from:%Y-%m-%dT%H:%M:%SZ}.")


def _why(refusal: Refused) -> str:
    faults = [say(fault["detail"], "en") for fault in refusal.errors or ()]
    return "; ".join([refusal.code, *faults])


COMMANDS = (policy_group,)
