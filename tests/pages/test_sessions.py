"""A session lives as long as it should, opens one kind of page, and dies when it is told to."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from loyalty import customers, staff
from loyalty.database import transaction
from loyalty.web import ids
from loyalty.web.openapi import declared_routes
from tests.pages.conftest import Browser, Person, hidden_fields
from tests.points.builders import World
from tests.staff.conftest import ADMIN


def set_back(column: str, by: timedelta) -> None:
    with transaction() as session:
        session.execute(
            text(f"UPDATE loyalty.browser_sessions SET {column} = {column} - :by"), {"by": by}
        )


def is_in(browser: Browser) -> bool:
    answer = browser.get("/console")
    assert answer.status_code == 200 or answer.location.startswith("/console/sign-in")
    return bool(answer.status_code == 200)


def test_a_session_ends_after_a_quarter_of_an_hour_without_use(
    browser: Browser, maker: Person
) -> None:
    browser.sign_in(maker)
    set_back("seen_at", timedelta(minutes=14))
    assert is_in(browser)
    set_back("seen_at", timedelta(minutes=16))
    assert not is_in(browser)


def test_a_session_ends_after_twelve_hours_however_it_is_used(
    browser: Browser, maker: Person, database: object
) -> None:
    browser.sign_in(maker)
    with transaction() as session:
        life = session.execute(
            text("SELECT ends_at - created_at FROM loyalty.browser_sessions")
        ).scalar_one()
    assert life == timedelta(hours=12)


def test_signing_out_ends_the_session_itself(browser: Browser, maker: Person, app: Flask) -> None:
    browser.sign_in(maker)
    cookie = browser.client.get_cookie("quanyi-staff")
    assert cookie is not None
    assert browser.send("/console/sign-out", page="/console").status_code == 303
    thief = Browser(app)
    thief.client.set_cookie("quanyi-staff", cookie.value)
    assert not is_in(thief)


def test_signing_in_makes_a_new_id_whatever_the_browser_brought(
    browser: Browser, maker: Person
) -> None:
    browser.client.set_cookie("quanyi-staff", "chosen-by-somebody-else")
    browser.sign_in(maker)
    cookie = browser.client.get_cookie("quanyi-staff")
    assert cookie is not None
    assert cookie.value != "chosen-by-somebody-else"
    assert len(cookie.value) >= 43  # 256 bits
    with transaction() as session:
        stored = session.scalars(text("SELECT digest FROM loyalty.browser_sessions")).all()
    assert all(cookie.value.encode() not in bytes(digest) for digest in stored)


def test_ending_all_sessions_signs_every_device_out(app: Flask, maker: Person) -> None:
    first, second = Browser(app), Browser(app)
    first.sign_in(maker)
    maker.forget_codes()
    second.sign_in(maker)
    first.send("/console/sessions/all/end", page="/console/sessions")
    assert not is_in(first)
    assert not is_in(second)


def test_nobody_ends_the_session_of_another(app: Flask, maker: Person) -> None:
    from tests.pages.conftest import add_person  # noqa: PLC0415

    other = add_person("other", "viewer")
    mine, theirs = Browser(app), Browser(app)
    mine.sign_in(maker)
    theirs.sign_in(other)
    with transaction() as session:
        number = session.execute(
            text("SELECT id FROM loyalty.browser_sessions WHERE subject_id = :id"),
            {"id": other.id},
        ).scalar_one()
    answer = mine.send(f"/console/sessions/{number}/end", page="/console/sessions")
    assert answer.status_code == 404
    assert is_in(theirs)


def test_who_is_disabled_or_loses_a_role_is_out_at_once(browser: Browser, maker: Person) -> None:
    browser.sign_in(maker)
    with transaction() as session:
        staff.disable_staff(session, ADMIN, maker.id)
    assert not is_in(browser)


def test_a_customers_session_opens_no_page_of_staff_and_the_other_way(
    customer: Browser, maker: Person
) -> None:
    assert customer.get("/my").status_code == 200
    assert not is_in(customer)
    value = customer.client.get_cookie("quanyi-customer")
    assert value is not None
    customer.client.set_cookie("quanyi-staff", value.value)
    assert not is_in(customer)


def test_an_erased_customer_is_out_at_once(customer: Browser, world: World) -> None:
    from loyalty import vault  # noqa: PLC0415

    with transaction() as session:
        customers.erase(session, world.customers["00001"], vault.Reason.REQUEST)
    assert customer.get("/my").location.startswith("/my/sign-in")


def test_a_forged_cookie_is_nobody(browser: Browser, database: object) -> None:
    for forged in ("", "secret", "dev", "' OR 1=1 --", "é", "x" * 3000):
        browser.client.set_cookie("quanyi-staff", forged)
        assert not is_in(browser)


def test_every_form_needs_the_token_of_its_session(
    app: Flask, browser: Browser, maker: Person, customer: Browser
) -> None:
    browser.sign_in(maker)
    stranger = dict(hidden_fields(Browser(app).get("/console/sign-in").get_data(as_text=True)))
    forms = [
        route
        for route in declared_routes(app)
        if route.method == "POST" and route.media_type == "text/html"
    ]
    assert len(forms) > 5
    for route in forms:
        path = route.path.format(**dict.fromkeys(route.parameters, "1"))
        for fields in ({}, {"token": ""}, {"token": "x"}, stranger):
            answer = browser.client.post(path, data={"a": "b", **fields})
            led_away = answer.status_code == 303 and "sign-in" in answer.location
            assert answer.status_code in (403, 404) or led_away, (route.name, answer.status_code)
        token = dict(hidden_fields(browser.get("/console").get_data(as_text=True)))["token"]
        cross = browser.client.post(
            path, data={"token": token}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert cross.status_code in (303, 403, 404), route.name


def test_cookies_are_as_strict_as_the_address_allows(
    browser: Browser, maker: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = browser.sign_in(maker).headers["Set-Cookie"]
    assert given.startswith("quanyi-staff=")
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given
    browser.client.application.config["ISSUER"] = "https://points.bank.example"
    maker.forget_codes()
    browser.client.delete_cookie("quanyi-visitor")
    page = browser.client.get("/console/sign-in", base_url="https://points.bank.example")
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-quanyi-visitor=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_pages_of_people_are_kept_by_no_cache_and_framed_by_nobody(customer: Browser) -> None:
    headers = customer.get("/my").headers
    assert headers["Cache-Control"] == "no-store"
    assert "Cookie" in headers["Vary"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_passwords_do_not_cross_a_network_in_clear(browser: Browser, database: object) -> None:
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        answer = browser.client.get("/console/sign-in", headers={"Host": host})
        assert answer.status_code == 200, host
    for path in ("/console/sign-in", "/my/sign-in"):
        answer = browser.client.get(path, headers={"Host": "points.bank.example"})
        assert answer.status_code == 403


def test_nobody_is_led_to_another_site(browser: Browser, maker: Person) -> None:
    for address in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:1"):
        maker.forget_codes()
        page = browser.get("/console/sign-in").get_data(as_text=True)
        fields = dict(hidden_fields(page))
        answer = browser.client.post(
            "/console/sign-in",
            data={
                **fields,
                "next": address,
                "login": maker.login,
                "password": "lantern-plume-flint-3575",
                "code": maker.code(),
            },
        )
        assert answer.location == "/console"
        switched = browser.get("/language/en", query_string={"next": address})
        assert switched.location == "/"


def test_asking_to_be_erased_is_kept_and_told_once(customer: Browser, world: World) -> None:
    page = "/my/data"
    shown = customer.get(page).get_data(as_text=True)
    form = dict(hidden_fields(shown.split(f'action="{page}/erasure"')[1]))
    for _ in range(2):
        assert customer.client.post(f"{page}/erasure", data=form).status_code == 303
    after = customer.get(page).get_data(as_text=True)
    assert "您已要求删除" in after
    assert f'action="{page}/erasure"' not in after
    with transaction() as session:
        told = session.scalars(
            text("SELECT payload->>'customer' FROM loyalty.outbox WHERE topic = :topic"),
            {"topic": "customer.erasure_asked"},
        ).all()
    assert told == [ids.encode("cus", world.customers["00001"])]
