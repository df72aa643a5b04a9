"""Only an active partner's own client or clerk stands at one of its open outlets."""

from datetime import UTC, datetime

import pytest

from loyalty import partners
from loyalty.database import transaction
from loyalty.partners import Limits
from loyalty.partners.rules import are_hours, is_open_at
from loyalty.web import Caller, Kind, NotFound, Refused, ids
from tests.partners.builders import (
    Shop,
    add_outlet,
    add_system,
    caller_of,
    open_shop,
)
from tests.servers import Database
from tests.staff.conftest import ADMIN

MONDAY_NOON_IN_SHANGHAI = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner with an outlet."""
    return open_shop("mall")


def refusal(caller: Caller, outlet: int) -> str:
    with transaction() as session, pytest.raises(Refused) as refused:
        partners.admit(session, caller, outlet)
    return refused.value.code


def change(shop: Shop, state: str) -> None:
    with transaction() as session:
        partners.change_state(session, ADMIN, shop.partner, state, "test")


def test_a_client_stands_at_every_outlet_of_its_partner(shop: Shop) -> None:
    second = add_outlet(shop.partner, "second")
    for outlet in (shop.outlet, second):
        with transaction() as session:
            counter = partners.admit(session, shop.caller, outlet)
        assert (counter.partner_id, counter.outlet_id) == (shop.partner, outlet)
        assert counter.takes("any-series")


def test_an_outlet_of_another_partner_does_not_exist(shop: Shop) -> None:
    other = open_shop("other")
    assert refusal(shop.caller, other.outlet) == "not-found"
    assert refusal(shop.caller, 999_999) == "not-found"


def test_a_limited_client_takes_only_its_series_at_its_outlets(shop: Shop) -> None:
    second = add_outlet(shop.partner, "second")
    account = add_system(shop.partner, "mall/kiosk", Limits(["tea"], [second]))
    kiosk = caller_of(shop.partner, account)
    assert refusal(kiosk, shop.outlet) == "not-found"
    with transaction() as session:
        assert partners.may_use(session, kiosk, "tea", second)
        assert not partners.may_use(session, kiosk, "coffee", second)
        assert not partners.may_use(session, kiosk, "tea", shop.outlet)


def test_a_limit_to_somebody_elses_outlet_is_refused(shop: Shop) -> None:
    other = open_shop("other")
    with pytest.raises(NotFound):
        add_system(shop.partner, "mall/kiosk", Limits(outlets=[other.outlet]))


def test_nobody_stands_at_the_counter_of_a_partner_that_is_not_active(shop: Shop) -> None:
    change(shop, "suspended")
    assert refusal(shop.caller, shop.outlet) == "partner-not-active"
    change(shop, "active")
    with transaction() as session:
        assert partners.may_use(session, shop.caller, "tea", shop.outlet)
    change(shop, "ended")
    assert refusal(shop.caller, shop.outlet) == "partner-not-active"


@pytest.mark.parametrize(
    ("steps", "refused"),
    [(["active"], "active"), (["ended", "active"], "active"), (["suspended"] * 2, "suspended")],
)
def test_a_partners_life_goes_only_one_way(shop: Shop, steps: list[str], refused: str) -> None:
    for step in steps[:-1]:
        change(shop, step)
    with pytest.raises(Refused) as refusal_of:
        change(shop, refused)
    assert refusal_of.value.code == "state-not-allowed"


def test_the_state_is_what_the_newest_event_says(shop: Shop) -> None:
    change(shop, "suspended")
    change(shop, "active")
    with transaction() as session:
        rows = session.connection().exec_driver_sql(
            "SELECT e.number, e.state, p.state FROM loyalty.partner_events e"
            " JOIN loyalty.partners p ON p.id = e.partner_id ORDER BY e.number"
        )
        assert [tuple(row) for row in rows] == [
            (1, "active", "active"),
            (2, "suspended", "active"),
            (3, "active", "active"),
        ]


def test_a_closed_outlet_takes_nothing(shop: Shop) -> None:
    with transaction() as session:
        partners.change_outlet(session, ADMIN, shop.partner, shop.outlet, {"is_open": False})
    assert refusal(shop.caller, shop.outlet) == "outlet-closed"


def test_an_outlet_takes_coupons_in_its_opening_hours_alone(shop: Shop) -> None:
    hours = {"mon": [["09:00", "12:01"]]}
    outlet = add_outlet(shop.partner, "hours", opening_hours=hours)
    late = MONDAY_NOON_IN_SHANGHAI.replace(minute=1)
    with transaction() as session:
        partners.admit(session, shop.caller, outlet, MONDAY_NOON_IN_SHANGHAI)
        with pytest.raises(Refused) as refused:
            partners.admit(session, shop.caller, outlet, late)
    assert refused.value.code == "outlet-closed"


def test_hours_past_midnight_are_two_spans() -> None:
    hours = {"mon": [["20:00", "24:00"]], "tue": [["00:00", "02:00"]]}
    tuesday_one = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    assert is_open_at(hours, "Asia/Shanghai", tuesday_one)
    assert not is_open_at(hours, "UTC", tuesday_one)


@pytest.mark.parametrize(
    ("hours", "sound"),
    [
        ({}, True),
        ({"mon": [["09:00", "12:00"], ["12:00", "24:00"]]}, True),
        ({"mon": []}, True),
        ({"monday": []}, False),
        ({"mon": [["12:00", "09:00"]]}, False),
        ({"mon": [["09:00", "12:00"], ["11:00", "13:00"]]}, False),
        ({"mon": [["09:00", "09:00"]]}, False),
        ({"mon": [["9:00", "12:00"]]}, False),
        ({"mon": [["09:00", "25:00"]]}, False),
        ({"mon": [["09:00"]]}, False),
    ],
)
def test_opening_hours_are_in_order(hours: dict[str, list[list[str]]], sound: bool) -> None:
    assert are_hours(hours) == sound


@pytest.mark.parametrize("caller", [Caller.job("x"), Caller(Kind.SYSTEM, ids.encode("cli", 1))])
def test_nobody_but_partners_stands_at_a_counter(shop: Shop, caller: Caller) -> None:
    assert refusal(caller, shop.outlet) == "not-found"
