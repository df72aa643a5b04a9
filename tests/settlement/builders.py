"""Closing and reading statements without the detour of the API."""

from datetime import UTC, datetime
from typing import Any

from loyalty import partners, settlement
from loyalty.database import transaction
from loyalty.settlement.queries import StatementLine, every_line
from tests.partners.builders import Shop
from tests.staff.conftest import ADMIN

Row = Any


def close(shop: Shop, until: datetime | None = None) -> int:
    """Close what was recorded until now, and return the statement's number."""
    with transaction() as session:
        return settlement.close_statement(
            session, ADMIN, shop.partner, "CNY", until or datetime.now(UTC)
        )


def statement_of(shop: Shop, number: int) -> Row:
    """Return a statement of this partner."""
    with transaction() as session:
        return settlement.read_statement(session, shop.partner, number)


def lines_of(shop: Shop, statement: Row) -> list[StatementLine]:
    """Return all lines of a statement."""
    with transaction() as session:
        borne = partners.find_accounts(session, shop.partner, statement.currency).borne
        return list(every_line(session, statement, borne))
