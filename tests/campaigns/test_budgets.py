"""A budget is drawn by each award, never beyond nothing; what it lacks is refused with the reason.

Awards at the same moment draw one after the other. What a series or benefit does not exist is
found when the campaign is saved. A campaign ends by itself when its time is over.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

import ledger
from campaigns.ending import end_due
from loyalty import coupons, points
from loyalty.database import transaction
from loyalty.points.earning import NewPurchase, Recorded, record_purchases
from loyalty.points.explaining import explain_line
from loyalty.web import Caller
from tests.callers import problem, trail
from tests.campaigns.builders import House, document, open_series

SIXTY = {
    "gives": "per_amount",
    "points": 60,
    "per": 10_000,
    "status": False,
    "names": {"zh": "每百元六十分", "en": "Sixty points for a hundred"},
}
BUDGET = text("""
SELECT w.posted FROM ledger.wallets w JOIN ledger.accounts a ON a.id = w.account_id
WHERE a.role = 'campaign_budget'
""")


def bought(house: House, customer: str, reference: str, at: datetime | None = None) -> Recorded:
    with transaction() as session:
        (outcome,) = record_purchases(
            session,
            house.programme,
            "till",
            [NewPurchase(reference, customer, at or datetime.now(UTC), 10_000)],
        )
    assert isinstance(outcome, Recorded), outcome
    return outcome


def let_go(house: House, **changed: Any) -> Any:
    """Launch a campaign that began a moment ago."""
    house.agree("C-1")
    draft, _ = house.run(**changed)
    return draft


def wait_for_start(draft: Any) -> None:
    """Wait until the campaign's first moment has come by the database's clock."""
    starts = draft["document"]["schedule"]["starts_at"]
    with transaction() as session:
        session.execute(
            text("SELECT pg_sleep_until(CAST(:at AS timestamptz) + interval '10 ms')"),
            {"at": starts},
        )


def test_awards_draw_the_budget_until_it_is_spent(house: House) -> None:
    wait_for_start(
        let_go(house, offer={"earning_rule": SIXTY}, budget={"unit": "points", "amount": 150})
    )
    at = datetime.now(UTC)
    given = [bought(house, "C-1", f"p{number}", at) for number in range(4)]
    assert [one.points for one in given] == [60, 60, 30, 0]
    codes = [[found["code"] for found in one.results] for one in given]
    assert codes == [["awarded"], ["awarded"], ["budget-low"], ["budget-spent"]]
    with transaction() as session:
        assert session.scalars(BUDGET).all() == [0]
        member = house.members["C-1"]
        why = explain_line(session, house.programme, member, 3)
        assert why is not None and "预算余 30" in why.reasons[0][0]
        moved = ledger.read_movement(
            session,
            house.programme.points_unit_id,
            datetime.now(UTC) - timedelta(days=1),
            datetime.now(UTC) + timedelta(days=1),
        )
        assert (moved.earned, moved.other, moved.closing) == (150, 0, 150)
    # What is sent again is answered from what was written, and draws nothing.
    assert bought(house, "C-1", "p2", at) == replace(given[2], replayed=True)


def test_a_refund_runs_the_award_again_with_what_the_budget_had_then(house: House) -> None:
    wait_for_start(
        let_go(house, offer={"earning_rule": SIXTY}, budget={"unit": "points", "amount": 90})
    )
    assert [bought(house, "C-1", f"p{number}").points for number in range(2)] == [60, 30]
    with transaction() as session:
        refund = points.NewRefund("r1", "p1", datetime.now(UTC), amount=5_000)
        assert points.record_refund(session, house.programme, "till", refund).points == 0
        rest = points.NewRefund("r2", "p0", datetime.now(UTC))
        assert points.record_refund(session, house.programme, "till", rest).points == 60


def test_many_at_once_never_draw_more_than_there_is(house: House) -> None:
    wait_for_start(
        let_go(house, offer={"earning_rule": SIXTY}, budget={"unit": "points", "amount": 200})
    )
    names = sorted(house.members)
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda n: bought(house, names[n % 4], f"p{n}").points, range(8)))
    assert sum(given) == 200
    with transaction() as session:
        assert session.scalars(BUDGET).all() == [0]


def test_coupons_draw_the_budget_and_who_gets_none_is_told_why(house: House) -> None:
    open_series(house)
    with transaction() as session:
        worth = coupons.find_series(session, house.programme, "twenty-off").terms.reserve
    assert worth > 0
    let_go(
        house,
        kind="coupon",
        offer={"coupon": {"series": "twenty-off"}},
        budget={"unit": "money", "amount": 3 * worth + 1},
    )
    with transaction() as session:
        refusals = session.scalars(
            text("SELECT refusal FROM campaigns.members ORDER BY customer_id")
        ).all()
        assert refusals == [None, None, None, "budget-spent"]
        assert session.scalars(BUDGET).all() == [1]


@pytest.mark.parametrize(
    ("kind", "changed", "found"),
    [
        (
            "coupon",
            {"offer": {"coupon": {"series": "nowhere"}}, "budget": {"unit": "money", "amount": 1}},
            ("/offer/coupon/series", "offer.unknown"),
        ),
        (
            "prize_draw",
            {"offer": {"benefit": {"code": "nothing", "quota": 1}}},
            ("/offer/benefit/code", "offer.unknown"),
        ),
        (
            "points_bonus",
            {"budget": {"unit": "money", "amount": 1}},
            ("/budget/unit", "budget.unit"),
        ),
    ],
)
def test_an_offer_that_there_is_not_is_found_at_once(
    house: House, kind: str, changed: Any, found: tuple[str, str]
) -> None:
    draft = house.draft(kind=kind, **changed)
    assert found in [(one["pointer"], one["rule"]) for one in draft["findings"]]
    assert not draft["is_submittable"]


def test_a_campaign_ends_when_its_time_is_over(house: House) -> None:
    draft = let_go(house)
    path = f"/v1/campaigns/{draft['campaign_id']}"
    ends_at = datetime.fromisoformat(draft["document"]["schedule"]["ends_at"])
    caller = Caller.job("test")
    with transaction() as session:
        assert end_due(session, caller, ends_at - timedelta(seconds=1)) == []
    assert house.maker.get(path).json["state"] == "running"
    with transaction() as session:
        assert len(end_due(session, caller, ends_at)) == 1
        assert end_due(session, caller, ends_at) == []
    assert house.maker.get(path).json["state"] == "ended"
    assert len(trail("campaign.ended")) == 1
    body = {"version": 1, "document": document()}
    edited = house.maker.post(f"{path}/versions", body, match=house.maker.tag(path))
    assert problem(edited) == (409, "campaign-launched")
