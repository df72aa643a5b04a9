"""The sample partner is opened once, and its clerk signs in with the password that is printed."""

from loyalty import partners
from loyalty.database import transaction
from loyalty.demo.partners import CLERK, clerk_password, describe, open_sample
from tests.servers import Database


def test_the_sample_partner_is_opened_once(database: Database) -> None:
    with transaction() as session:
        first = open_sample(session)
    with transaction() as session:
        assert open_sample(session) == first
        assert partners.read_partner(session, first.partner_id).state == "active"


def test_its_clerk_signs_in_as_is_printed(database: Database) -> None:
    with transaction() as session:
        printed = describe(session)
    assert clerk_password() in printed
    with transaction() as session:
        clerk = partners.verify_password(session, CLERK, clerk_password())
    assert clerk is not None
    assert clerk.login == CLERK
