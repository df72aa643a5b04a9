"""Sealing every few seconds, and checkpoints every ten minutes and at the end of the day."""

import time
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from ledger.checkpoints import Signer, load_signer, sign_checkpoint
from ledger.sealing import BATCH, Log, seal
from loyalty import outbox
from loyalty.database import SEALER_ROLE, transaction
from loyalty.proof.logs import LOGS
from loyalty.proof.publishing import publish
from loyalty.settings import settings

PATIENCE = 30.0
SLICE_SECONDS = 20.0
LEASE = timedelta(minutes=3)

_LOG = structlog.get_logger(__name__)


@outbox.job("proof.seal", every=timedelta(seconds=5), lease=LEASE)
def seal_next(_: outbox.Event) -> None:
    """Seal what is final, for some seconds; the next period goes on where this one stopped."""
    seal_logs(SLICE_SECONDS)


@outbox.job("proof.checkpoint", every=timedelta(minutes=10), lease=LEASE)
def checkpoint(_: outbox.Event) -> None:
    """Sign what is sealed, and send it out."""
    checkpoint_logs()


@outbox.job("proof.checkpoint-of-the-day", every=outbox.Daily(hour=0), lease=LEASE)
def checkpoint_of_the_day(_: outbox.Event) -> None:
    """Seal, sign and send out what the day brought."""
    seal_logs(SLICE_SECONDS)
    checkpoint_logs()


def seal_logs(seconds: float) -> dict[str, int]:
    """Seal each log until nothing more is final or `seconds` are over; return how many rows."""
    until = time.monotonic() + seconds
    return {log.name: _seal_log(log, until) for log in LOGS}


def checkpoint_logs() -> dict[str, int]:
    """Sign each log and send out what was signed; return the sizes that are signed now.

    Raises what `ledger.checkpoints.load_signer` and `sign_checkpoint` raise: without its key, or
    where the past was changed, nothing is signed.
    """
    signer = load_signer(settings().keys, settings().issuer)
    sizes = {}
    for log in LOGS:
        with transaction(SEALER_ROLE) as session:
            sizes[log.name] = _sign(session, log, signer)
    with transaction() as session:
        publish(session, settings().home)
    return sizes


def _seal_log(log: Log, until: float) -> int:
    count = 0
    while True:
        with transaction(SEALER_ROLE) as session:
            sealed = seal(session, log, patience=PATIENCE)
        count += sealed
        if sealed < BATCH or time.monotonic() > until:
            break
    if count:
        _LOG.info("sealed", log=log.name, rows=count)
    return count


def _sign(session: Session, log: Log, signer: Signer) -> int:
    signed = sign_checkpoint(session, log, signer)
    return 0 if signed is None else signed.size
