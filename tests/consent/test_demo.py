"""The sample has all that a campaign needs: purposes, notices, contact points, consents, words."""

from click.testing import CliRunner

from loyalty import consent, customers, messages, staff
from loyalty.commands import main
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.demo import agreements
from tests.callers import ADMIN
from tests.servers import Database


def test_some_of_the_sample_agree_some_refuse_and_some_say_nothing(database: Database) -> None:
    with transaction() as session:
        bank = staff.add_unit(session, ADMIN, "head_office", "总行").id
        people = [NewCustomer(f"{n:05}", name="王", phone=f"1990000{n:04}") for n in range(1, 11)]
        numbers = [one.customer_id or 0 for one in customers.register(session, people)]
    for _ in range(2):
        with transaction() as session:
            agreements.open_agreements(session, bank)
            agreements.say(session, numbers)
    with transaction() as session:
        assert set(messages.SEPARATELY) < set(consent.read_purposes(session))
        assert len(consent.read_notices(session)) == len(agreements.PURPOSES)
        known = consent.read_snapshot(session, numbers, purpose="offers", channel="SMS")
        found = messages.newest_templates(session, [one.code for one in agreements.TEMPLATES])
    assert {one.standing.status for one in known.values()} == {"GRANTED", "REFUSED", None}
    assert all(
        one.standing.is_granted for one in known.values() if one.standing.status == "GRANTED"
    )
    assert all(one.contact and one.contact.verified_at for one in known.values())
    assert {one.version for one in found.values()} == {1}
    again = CliRunner().invoke(main, ["consent", "adopt-contacts"])
    assert again.output == "10 contact points\n"
