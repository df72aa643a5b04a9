"""What we owe a partner follows every redemption, void and reversal to the last minor unit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
from loyalty import partners
from loyalty.database import transaction
from loyalty.partners import TakeBack, split
from loyalty.web import NotFound, Refused
from tests.partners.builders import Shop, borne, open_shop, owed, owing, redeem, take_back
from tests.servers import Database

AMOUNTS = st.integers(0, 2**53 - 1)
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=5).filter(any)


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner with an outlet."""
    return open_shop("mall")


@given(AMOUNTS, WEIGHTS)
def test_shares_add_up_and_are_off_by_less_than_one(amount: int, weights: list[int]) -> None:
    parts = split(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - amount * weight) < sum(weights)


@pytest.mark.parametrize(("amount", "weights"), [(-1, [1]), (1, [0]), (1, [2, -1]), (1, [])])
def test_shares_of_nothing_are_refused(amount: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="shares"):
        split(amount, weights)


def test_our_share_is_owed_and_the_partners_own_is_noted(shop: Shop) -> None:
    (posted,) = redeem(owing(shop, "r1", 1001, (60, 40)))
    assert isinstance(posted, ledger.Posted)
    assert (owed(shop), borne(shop)) == (601, 400)


def test_a_redemption_that_the_partner_bears_stands_in_its_log_and_owes_nothing(shop: Shop) -> None:
    redeem(owing(shop, "r1", 500, (0, 1)))
    assert (owed(shop), borne(shop)) == (0, 500)


def test_nothing_off_is_no_entry(shop: Shop) -> None:
    assert redeem(owing(shop, "r1", 0)) == []


def test_the_same_redemption_again_owes_nothing_more(shop: Shop) -> None:
    first, again = redeem(owing(shop, "r1", 700)), redeem(owing(shop, "r1", 700))
    (posted,), (replayed,) = first, again
    assert isinstance(replayed, ledger.Posted)
    assert isinstance(posted, ledger.Posted)
    assert (replayed.replayed, replayed.entry_id) == (True, posted.entry_id)
    assert owed(shop) == 700


def test_taking_back_restores_both_shares(shop: Shop) -> None:
    redeem(owing(shop, "r1", 1001, (60, 40)))
    take_back(shop, "r1", "v1", kind="void")
    assert (owed(shop), borne(shop)) == (0, 0)


@pytest.mark.parametrize("shares", [(60, 40), (1, 2), (1, 0), (0, 1), (7, 13)])
def test_parts_taken_back_one_by_one_leave_exact_shares_at_every_step(
    shop: Shop, shares: tuple[int, int]
) -> None:
    redeem(owing(shop, "r1", 100, shares))
    left = 100
    for step, part in enumerate([1, 1, 33, 7, 58]):
        assert isinstance(take_back(shop, "r1", f"b{step}", part), ledger.Posted)
        left -= part
        assert [owed(shop), borne(shop)] == split(left, shares)
    assert left == 0


def test_no_more_is_taken_back_than_was_owed(shop: Shop) -> None:
    redeem(owing(shop, "r1", 100, (60, 40)))
    for amount in (101, None, 1):
        outcome = take_back(shop, "r1", f"b{amount}", amount)
        assert isinstance(outcome, ledger.Refusal) == (amount is not None)
    assert (owed(shop), borne(shop)) == (0, 0)


def test_of_many_who_take_back_at_once_one_does(shop: Shop) -> None:
    redeem(owing(shop, "r1", 100, (60, 40)))
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda n: take_back(shop, "r1", f"b{n}", 60), range(6)))
    assert sum(isinstance(outcome, ledger.Posted) for outcome in outcomes) == 1
    assert isinstance(take_back(shop, "r1", "rest"), ledger.Posted)
    assert (owed(shop), borne(shop)) == (0, 0)


def test_what_is_taken_back_after_it_was_paid_is_the_partners_debt(shop: Shop) -> None:
    redeem(owing(shop, "r1", 100))
    with transaction() as session:
        accounts = partners.find_accounts(session, shop.partner, "CNY")
        pay = ledger.Move(accounts.payable, accounts.house.redeemed, 100)
        ledger.post(session, [ledger.Entry(accounts.payable, "test", "p", "pay", (pay,))])
    take_back(shop, "r1", "b1")
    assert owed(shop) == -100
    redeem(owing(shop, "r2", 130))
    assert owed(shop) == 30


def test_what_is_not_there_cannot_be_taken_back(shop: Shop) -> None:
    with pytest.raises(NotFound):
        take_back(shop, "r9", "b1")


def test_another_partners_redemption_cannot_be_taken_back(shop: Shop) -> None:
    redeem(owing(shop, "r1", 100))
    with pytest.raises(NotFound):
        take_back(open_shop("other"), "r1", "b1")


def test_a_currency_without_an_account_is_refused(shop: Shop) -> None:
    taking = TakeBack(shop.partner, "USD", "coupons", "r1", "b1")
    with transaction() as session, pytest.raises(Refused) as refused:
        partners.take_back(session, [taking])
    assert refused.value.code == "currency-not-settled"
