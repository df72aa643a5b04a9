"""A disputed line is never edited: what two persons agree to is a line of the next period."""

from typing import Any

import pytest

from loyalty.web import ids
from tests.callers import Client, add_person
from tests.partners.builders import (
    Shop,
    add_system,
    bearer,
    borne,
    open_shop,
    owed,
    owing,
    redeem,
    take_back,
)
from tests.servers import Database
from tests.settlement.builders import close, lines_of, statement_of
from tests.settlement.conftest import House


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner whose first period has two redemptions."""
    shop = open_shop("mall")
    redeem(owing(shop, "r1", 1000, (60, 40)), owing(shop, "r2", 500))
    close(shop)
    return shop


@pytest.fixture
def till(house: House, shop: Shop) -> Client:
    """A system of the partner's."""
    token = bearer(house.application, shop.account)["Authorization"].removeprefix("Bearer ")
    return Client(house.application, token, "till")


def path(shop: Shop, *, statement: int = 1) -> str:
    return (
        f"/v1/partners/{ids.encode('prt', shop.partner)}/statements/{ids.encode('stm', statement)}"
    )


def dispute(till: Client, shop: Shop, line: int = 1, claimed: int = 650) -> Any:
    body = {"line": line, "reason": "amount", "claimed": claimed}
    return till.post(f"{path(shop)}/disputes", body)


def decide(house: House, shop: Shop, made: Any, correction: int) -> Any:
    number = made.get_json()["dispute_id"]
    partner = ids.encode("prt", shop.partner)
    body = {"correction": correction}
    return house.manager.post(f"/v1/partners/{partner}/disputes/{number}/outcome", body)


def code(answer: Any) -> str:
    return str(answer.get_json(force=True)["type"].rsplit("/", 1)[-1])


def disputes(till: Client) -> Any:
    return till.get("/v1/partners/me/disputes").get_json()["items"]


def test_an_accepted_dispute_corrects_in_the_next_period(
    house: House, shop: Shop, till: Client
) -> None:
    before = lines_of(shop, statement_of(shop, 1))
    made = dispute(till, shop)
    assert made.status_code == 201
    assert owed(shop) == 1100
    assert house.agree(decide(house, shop, made, 50)).status_code == 200
    assert owed(shop) == 1150
    assert lines_of(shop, statement_of(shop, 1)) == before
    second = statement_of(shop, close(shop))
    (line,) = lines_of(shop, second)
    assert (line.kind, line.ours, line.cause["of"]) == ("correct", 50, 1)
    assert (second.opening, second.corrected, second.closing) == (1100, 50, 1150)
    (ended,) = disputes(till)
    assert (ended["outcome"], ended["correction"]) == ("accepted", 50)


def test_a_rejected_dispute_moves_nothing(house: House, shop: Shop, till: Client) -> None:
    assert house.agree(decide(house, shop, dispute(till, shop), 0)).status_code == 200
    assert owed(shop) == 1100
    assert disputes(till)[0]["outcome"] == "rejected"


def test_a_correction_downwards_is_not_taken_a_second_time_by_a_reversal(
    house: House, shop: Shop, till: Client
) -> None:
    house.agree(decide(house, shop, dispute(till, shop), -250))
    assert owed(shop) == 850
    take_back(shop, "r1", "p1", 1)
    assert (owed(shop), borne(shop)) == (850, 399)
    take_back(shop, "r1", "b1")
    assert (owed(shop), borne(shop)) == (500, 0)


def test_a_line_is_corrected_by_no_more_than_it_owes(
    house: House, shop: Shop, till: Client
) -> None:
    answer = house.agree(decide(house, shop, dispute(till, shop), -601))
    assert (answer.status_code, code(answer)) == (409, "correction-too-large")
    assert owed(shop) == 1100
    assert disputes(till)[0]["outcome"] is None


def test_a_line_is_disputed_once_and_decided_once(house: House, shop: Shop, till: Client) -> None:
    made = dispute(till, shop)
    assert code(dispute(till, shop)) == "line-disputed"
    first, second = (decide(house, shop, made, amount) for amount in (10, 20))
    assert house.agree(first).status_code == 200
    assert code(house.agree(second)) == "proposal-stale"
    assert code(decide(house, shop, made, 30)) == "dispute-decided"
    assert owed(shop) == 1110


@pytest.mark.parametrize("line", [2, 4, 999])
def test_only_a_line_of_the_statement_is_disputed(shop: Shop, till: Client, line: int) -> None:
    """Line 1 has two places in the log, so there is no line 2; line 3 is the last."""
    assert dispute(till, shop, line).status_code == 404
    assert dispute(till, shop, 3).status_code == 201


def test_another_partners_statement_is_not_found(house: House, shop: Shop) -> None:
    other = open_shop("other")
    token = bearer(house.application, other.account)["Authorization"].removeprefix("Bearer ")
    stranger = Client(house.application, token, "other")
    own = f"/v1/partners/me/statements/{ids.encode('stm', 1)}"
    for asked in (path(shop), own, f"{own}/lines", f"{own}/signed", f"{own}/lines.csv"):
        assert stranger.get(asked).status_code == 404
    body = {"line": 1, "reason": "amount", "claimed": 1}
    assert stranger.post(f"{own}/disputes", body).status_code == 404
    assert stranger.get("/v1/partners/me/statements").get_json()["items"] == []


def test_who_may_only_read_disputes_nothing(house: House, shop: Shop) -> None:
    account = add_system(shop.partner, "mall/reader", scopes=["settlements:read"])
    token = bearer(house.application, account)["Authorization"].removeprefix("Bearer ")
    reader = Client(house.application, token, "reader")
    assert reader.get("/v1/partners/me/statements").status_code == 200
    assert code(dispute(reader, shop)) == "insufficient-scope"


def test_nobody_decides_alone(house: House, shop: Shop, till: Client) -> None:
    both = add_person(house.application, "finance")
    made = dispute(till, shop)
    number = made.get_json()["dispute_id"]
    partner = ids.encode("prt", shop.partner)
    proposed = both.post(f"/v1/partners/{partner}/disputes/{number}/outcome", {"correction": 1})
    assert code(house.agree(proposed, both)) == "own-proposal"
    assert owed(shop) == 1100
