"""The newest statement is paid once, to the cent, and only when two persons agreed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from loyalty import settlement
from loyalty.database import transaction
from loyalty.web import Refused, ids
from tests.callers import add_person
from tests.partners.builders import Shop, open_shop, owed, owing, redeem, take_back
from tests.servers import Database
from tests.settlement.builders import close, lines_of, statement_of
from tests.settlement.conftest import House
from tests.staff.conftest import ADMIN


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner that is owed 1,500 for its first period."""
    shop = open_shop("mall")
    redeem(owing(shop, "r1", 1000), owing(shop, "r2", 500))
    close(shop)
    return shop


def propose(house: House, shop: Shop, statement: int = 1) -> Any:
    partner, number = ids.encode("prt", shop.partner), ids.encode("stm", statement)
    return house.finance.application.post(
        f"/v1/partners/{partner}/statements/{number}/release",
        headers={
            "Authorization": f"Bearer {house.finance.token}",
            "Idempotency-Key": f"release-{statement}-{owed(shop)}",
            "Accept-Language": "en",
        },
    )


def agree(house: House, made: Any) -> Any:
    return house.agree(made, add_person(house.application, "head_office"))


def code(answer: Any) -> str:
    return str(answer.get_json(force=True)["type"].rsplit("/", 1)[-1])


def test_two_release_a_statement_and_the_payment_is_a_line_of_the_next(
    house: House, shop: Shop
) -> None:
    made = propose(house, shop)
    assert made.get_json()["content"]["amount"] == 1500
    assert owed(shop) == 1500
    assert agree(house, made).status_code == 200
    assert owed(shop) == 0
    assert statement_of(shop, 1).released == 1500
    second = statement_of(shop, close(shop))
    (line,) = lines_of(shop, second)
    assert (line.kind, line.ours) == ("pay", -1500)
    assert (second.opening, second.paid, second.closing) == (1500, 1500, 0)


def test_who_proposes_does_not_release(house: House, shop: Shop) -> None:
    assert code(house.agree(propose(house, shop))) == "own-proposal"
    assert owed(shop) == 1500


def test_a_statement_is_paid_once(house: House, shop: Shop) -> None:
    made = propose(house, shop)
    agree(house, made)
    assert code(propose(house, shop)) == "nothing-due"
    close(shop)
    assert code(propose(house, shop, 2)) == "nothing-due"


def test_of_two_proposals_one_pays(house: House, shop: Shop) -> None:
    first = propose(house, shop)
    redeem(owing(shop, "r3", 1))
    second = propose(house, shop)
    assert agree(house, first).status_code == 200
    assert code(agree(house, second)) == "proposal-stale"
    assert owed(shop) == 1


def test_only_the_newest_statement_is_paid(house: House, shop: Shop) -> None:
    made = propose(house, shop)
    redeem(owing(shop, "r3", 70))
    close(shop)
    assert code(propose(house, shop, 1)) == "newer-statement"
    assert code(agree(house, made)) == "newer-statement"
    made = propose(house, shop, 2)
    assert made.get_json()["content"]["amount"] == 1570
    agree(house, made)
    assert owed(shop) == 0


def test_what_was_reversed_meanwhile_is_not_paid(house: House, shop: Shop) -> None:
    made = propose(house, shop)
    take_back(shop, "r2", "b2")
    assert code(agree(house, made)) == "nothing-due"
    assert owed(shop) == 1000
    close(shop)
    assert propose(house, shop, 2).get_json()["content"]["amount"] == 1000


def test_a_partner_that_owes_us_is_paid_nothing(house: House, shop: Shop) -> None:
    agree(house, propose(house, shop))
    take_back(shop, "r1", "b1")
    close(shop)
    assert statement_of(shop, 2).closing == -1000
    assert code(propose(house, shop, 2)) == "nothing-due"


def test_of_many_who_pay_at_once_one_does(shop: Shop) -> None:
    def pay(_: int) -> bool:
        try:
            with transaction() as session:
                settlement.release(session, ADMIN, shop.partner, 1, 1500)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(pay, range(6))) == 1
    assert owed(shop) == 0


@pytest.mark.parametrize("amount", [1499, 1501, 0, -1500])
def test_another_amount_than_is_due_is_refused(shop: Shop, amount: int) -> None:
    with transaction() as session, pytest.raises(Refused) as refused:
        settlement.release(session, ADMIN, shop.partner, 1, amount)
    assert refused.value.code == "nothing-due"
