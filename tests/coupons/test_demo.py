"""The sample has a partner, series, rewards and coupons that can be used, opened once."""

from loyalty import coupons, customers, programmes, rewards, settlement
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.demo import coupons as demo
from loyalty.demo import settlement as settling
from loyalty.demo.partners import equip
from tests.servers import Database


def test_the_sample_has_one_settlement_statement_with_a_line_that_was_taken_back(
    database: Database,
) -> None:
    with transaction() as session:
        programme = programmes.open_programme(session, "sample", name_zh="样例", name_en="Sample")
        (one,) = customers.register(session, [NewCustomer("00001")])
    number, seen = one.customer_id or 0, set()
    with transaction() as session:
        demo.open_coupons(session, programme)
        demo.give_coupons(session, programme, [number])
        till = equip(session)
    for _ in range(2):
        with transaction() as session:
            done = settling.use_coupons(session, programme, till, number)
        with transaction() as session:
            settling.take_one_back(session, programme, till, done[-1])
        with transaction() as session:
            seen.add(settling.first_statement(session, till))
    assert len(seen) == 1
    with transaction() as session:
        (statement,) = settlement.list_statements(session, till.partner_id, before=2**62, limit=10)
    worth = sum(act.ours for act in done)
    assert (statement.redeemed, statement.closing) == (worth, worth - done[-1].ours)


def test_the_sample_gives_each_customer_a_coupon_of_each_series_once(database: Database) -> None:
    with transaction() as session:
        programme = programmes.open_programme(session, "sample", name_zh="样例", name_en="Sample")
        (one,) = customers.register(session, [NewCustomer("00001")])
    number = one.customer_id or 0
    for _ in range(2):
        with transaction() as session:
            demo.open_coupons(session, programme)
        with transaction() as session:
            demo.give_coupons(session, programme, [number])
    with transaction() as session:
        found = coupons.list_coupons(session, programme, number, before=None, limit=10)
        catalogue = rewards.list_rewards(session, programme, before=None, limit=10)
    assert sorted(coupon.series.code for coupon in found) == sorted(demo.SERIES)
    assert {coupon.state for coupon in found} == {"issued"}
    assert {reward.code for reward in catalogue} == set(demo.REWARDS)
