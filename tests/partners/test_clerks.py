"""Somebody at a counter signs in with their own password, and a refusal tells nothing."""

import pytest

from loyalty import partners
from loyalty.database import transaction
from loyalty.partners import CounterClerk
from loyalty.partners.staffing import enable_clerk, reset_password
from loyalty.web import Caller, Kind, NotFound, Refused, ids
from tests.partners.builders import Shop, add_outlet, open_shop
from tests.servers import Database
from tests.staff.conftest import ADMIN


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner with an outlet."""
    return open_shop("mall")


@pytest.fixture
def clerk(shop: Shop) -> tuple[int, str]:
    """Number and password of somebody at its counter."""
    with transaction() as session:
        return partners.add_clerk(session, ADMIN, shop.partner, shop.outlet, "Wang.Fang", "王芳")


def sign_in(login: str, password: str) -> CounterClerk | None:
    with transaction() as session:
        return partners.verify_password(session, login, password)


@pytest.mark.parametrize("login", ["wang.fang", "WANG.FANG", " Wang.Fang ", "wang.fang"])
def test_the_right_password_lets_in_by_every_spelling_of_the_login(
    shop: Shop, clerk: tuple[int, str], login: str
) -> None:
    found = sign_in(login, clerk[1])
    assert found is not None
    assert (found.id, found.partner_id, found.outlet_id) == (clerk[0], shop.partner, shop.outlet)


@pytest.mark.parametrize("password", ["", "wrong", "x" * 100_000, "\0", "密码"])
def test_a_wrong_password_and_an_unknown_login_look_the_same(
    clerk: tuple[int, str], password: str
) -> None:
    assert sign_in("wang.fang", password) is None
    assert sign_in("nobody", password) is None


def test_who_is_disabled_or_whose_partner_is_suspended_is_not_let_in(
    shop: Shop, clerk: tuple[int, str]
) -> None:
    number, password = clerk
    with transaction() as session:
        enable_clerk(session, ADMIN, shop.partner, number, enabled=False)
        assert partners.find_staff(session, number) is None
    assert sign_in("wang.fang", password) is None
    with transaction() as session:
        enable_clerk(session, ADMIN, shop.partner, number, enabled=True)
    assert sign_in("wang.fang", password) is not None
    with transaction() as session:
        partners.change_state(session, ADMIN, shop.partner, "suspended", "test")
        assert partners.find_staff(session, number) is None
    assert sign_in("wang.fang", password) is None


def test_a_new_password_replaces_the_old_one(shop: Shop, clerk: tuple[int, str]) -> None:
    number, old = clerk
    with transaction() as session:
        new = reset_password(session, ADMIN, shop.partner, number)
    assert sign_in("wang.fang", old) is None
    found = sign_in("wang.fang", new)
    assert found is not None
    with transaction() as session:
        partners.change_password(session, ADMIN, found, "一个很长很好记的口令短语啊")
        with pytest.raises(Refused):
            partners.change_password(session, ADMIN, found, "short")
    assert sign_in("wang.fang", "一个很长很好记的口令短语啊") is not None


def test_a_clerk_stands_at_their_own_outlet_alone(shop: Shop, clerk: tuple[int, str]) -> None:
    second = add_outlet(shop.partner, "second")
    caller = Caller(Kind.PARTNER, ids.encode("clk", clerk[0]), partner_id=shop.partner)
    with transaction() as session:
        partners.admit(session, caller, shop.outlet)
        with pytest.raises(NotFound):
            partners.admit(session, caller, second)
        enable_clerk(session, ADMIN, shop.partner, clerk[0], enabled=False)
        with pytest.raises(NotFound):
            partners.admit(session, caller, shop.outlet)


def test_a_login_is_taken_once_over_all_partners(shop: Shop, clerk: tuple[int, str]) -> None:
    other = open_shop("other")
    with transaction() as session, pytest.raises(Refused) as refused:
        partners.add_clerk(session, ADMIN, other.partner, other.outlet, "WANG.fang", "王方")
    assert refused.value.code == "login-taken"


def test_nobody_is_added_to_another_partners_outlet(shop: Shop) -> None:
    other = open_shop("other")
    with transaction() as session, pytest.raises(NotFound):
        partners.add_clerk(session, ADMIN, shop.partner, other.outlet, "li", "李")


def test_passwords_are_kept_as_argon2id_alone(shop: Shop, clerk: tuple[int, str]) -> None:
    with transaction() as session:
        stored = session.connection().exec_driver_sql(
            "SELECT password_hash FROM loyalty.partner_staff"
        )
        assert stored.scalar_one().startswith("$argon2id$v=19$m=65536,t=3,p=4$")
