"""The sample's partner has a clerk who signs in with the password that is printed."""

import pytest

from loyalty import partners
from loyalty.database import transaction
from loyalty.demo.coupons import PARTNER
from loyalty.demo.partners import CLERK, clerk_password, describe, equip
from tests.partners.builders import add_outlet, add_partner
from tests.servers import Database


@pytest.fixture
def mall(database: Database) -> int:
    """The sample's partner, as the demo's coupons open it."""
    partner = add_partner(PARTNER)
    add_outlet(partner, "first")
    return partner


def test_it_is_equipped_once(mall: int) -> None:
    with transaction() as session:
        first = equip(session)
    with transaction() as session:
        assert equip(session) == first
    assert first.partner_id == mall


def test_its_clerk_signs_in_as_is_printed(mall: int) -> None:
    with transaction() as session:
        printed = describe(session)
    assert clerk_password() in printed
    with transaction() as session:
        clerk = partners.verify_password(session, CLERK, clerk_password())
    assert clerk is not None
    assert (clerk.login, clerk.partner_id) == (CLERK, mall)
