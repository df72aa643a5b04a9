"""Erasing a customer: the person goes, the number stays for the ledger's sake."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import vault
from loyalty.web import NotFound


def erase(session: Session, customer_id: int, reason: vault.Reason) -> vault.Receipt:
    """Make a customer's personal data unreadable for good and return the signed receipt.

    Erasing twice returns the first receipt. Entries of the ledger keep their number and amounts.
    Raises `NotFound`.
    """
    locked = session.execute(
        text("SELECT state FROM loyalty.customers WHERE id = :id FOR NO KEY UPDATE"),
        {"id": customer_id},
    ).one_or_none()
    if locked is None:
        raise NotFound
    receipt = vault.erase(session, customer_id, reason)
    _empty_erased_rows(session, [customer_id])
    return receipt


def replay_erasures(session: Session, path: Path | None = None) -> list[int]:
    """Erase again, after a restore, whoever was erased since the backup; return their ids.

    Ids of the erased are never given to anybody else, also where the backup is older than they
    are. Raises what `vault.replay_erasures` raises.
    """
    returned = vault.replay_erasures(session, path)
    _empty_erased_rows(session, returned)
    session.execute(
        text(
            "SELECT setval('loyalty.customers_id_seq', greatest(last_value, newest))"
            " FROM loyalty.customers_id_seq,"
            " (SELECT max(customer_id) AS newest FROM vault.erasures) AS erased"
            " WHERE newest IS NOT NULL"
        )
    )
    return returned


def _empty_erased_rows(session: Session, customer_ids: list[int]) -> None:
    session.execute(
        text(
            "UPDATE loyalty.customers SET state = 'erased',"
            " name = NULL, phone = NULL, email = NULL, birthday = NULL"
            " WHERE id = ANY(:ids) AND state <> 'erased'"
        ),
        {"ids": customer_ids},
    )
