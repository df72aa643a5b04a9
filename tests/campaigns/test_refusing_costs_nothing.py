"""Acceptance 14: who refuses marketing earns, and is given, what everybody else is (PIPL 16).

A campaign's rule counts for both, its coupons reach both; only the message differs.
"""

from sqlalchemy import text

from loyalty.database import transaction
from loyalty.points import NewPurchase, Recorded, record_purchases
from tests.campaigns.builders import House, open_series

BASE = {"gives": "fixed", "points": 100, "names": {"zh": "每笔一百", "en": "A hundred"}}


def test_who_refuses_earns_and_is_given_the_same(house: House) -> None:
    house.agree("C-1", "C-2")
    house.refuse("C-2")
    open_series(house)
    house.run(
        code="gift",
        kind="coupon",
        offer={"coupon": {"series": "twenty-off"}},
        budget={"unit": "money", "amount": 10_000_000},
    )
    draft, _ = house.run(code="bonus", offer={"earning_rule": BASE})
    starts = draft["document"]["schedule"]["starts_at"]
    with transaction() as session:
        session.execute(text("SELECT pg_sleep_until(CAST(:at AS timestamptz))"), {"at": starts})
        now = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        purchases = [NewPurchase(f"p{name}", name, now, 10_000) for name in house.members]
        earned = record_purchases(session, house.programme, "till", purchases)
        given = session.scalars(text("SELECT count(*) FROM loyalty.coupons GROUP BY customer_id"))
        asked = session.scalars(text("SELECT count(*) FROM loyalty.send_requests"))
        assert given.all() == [1] * 4
        assert asked.all() == [2]
    results = [one.results for one in earned if isinstance(one, Recorded)]
    assert len(results) == 4
    assert all(one == results[0] and one[0]["points"] == 100 for one in results)
