"""Only who shows name, password and a fresh code gets in; nothing tells which of them was wrong."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import text

from loyalty import staff
from loyalty.database import transaction
from loyalty.staff import passwords, second_factor
from loyalty.web import Refused
from tests.pages.conftest import PASSWORD, Browser, Person, hidden_fields
from tests.staff.conftest import ADMIN

SIGN_IN = "/console/sign-in"
# RFC 6238, appendix B, SHA-1, the last six digits.
VECTORS = {59: "287082", 1111111109: "081804", 1234567890: "005924", 2000000000: "279037"}


def without_tokens(page: str) -> str:
    return re.sub(r'name="token" value="[^"]*"', "", page)


def test_name_password_and_code_open_the_console(browser: Browser, maker: Person) -> None:
    answer = browser.sign_in(maker)
    assert (answer.status_code, answer.location) == (303, "/console")
    assert browser.get("/console").status_code == 200


@pytest.mark.parametrize("seconds", VECTORS)
def test_codes_are_those_of_the_standard(seconds: int) -> None:
    assert second_factor.code_at(b"12345678901234567890", seconds // 30) == VECTORS[seconds]


def test_a_wrong_name_password_or_code_all_look_the_same(app: Flask, maker: Person) -> None:
    pages = set()
    for wrong in (
        {"login": "nobody"},
        {"password": "lantern-plume-flint-3576"},
        {"code": "000000" if maker.code() != "000000" else "000001"},
    ):
        fields = {"login": maker.login, "password": PASSWORD, "code": maker.code(), **wrong}
        answer = Browser(app).send(SIGN_IN, **fields)
        assert answer.status_code == 403
        page = without_tokens(answer.get_data(as_text=True))
        pages.add(page.replace(f'value="{fields["login"]}"', ""))
    assert len(pages) == 1


def test_a_code_opens_once(app: Flask, maker: Person) -> None:
    code = maker.code()
    first = Browser(app).send(SIGN_IN, login=maker.login, password=PASSWORD, code=code)
    again = Browser(app).send(SIGN_IN, login=maker.login, password=PASSWORD, code=code)
    assert (first.status_code, again.status_code) == (303, 403)


def test_the_sixth_try_is_refused_even_where_it_is_right_and_for_unknown_names_too(
    app: Flask, maker: Person
) -> None:
    for login in (maker.login, "nobody"):
        browser = Browser(app)
        statuses = [
            browser.send(SIGN_IN, login=login, password="x" * 12, code="1").status_code
            for _ in range(5)
        ]
        assert statuses == [403] * 5
        last = browser.send(SIGN_IN, login=login, password=PASSWORD, code=maker.code())
        assert last.status_code == 429


def test_a_burst_of_parallel_tries_gets_no_further(app: Flask, maker: Person) -> None:
    def try_once(number: int) -> int:
        fields = {"login": maker.login, "password": f"wrong-{number:012}", "code": "1"}
        return int(Browser(app).send(SIGN_IN, **fields).status_code)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(try_once, range(16)))
    assert statuses.count(403) == 5
    assert statuses.count(429) == 11


def test_a_forwarded_address_does_not_count_as_another(browser: Browser, maker: Person) -> None:
    page = browser.get(SIGN_IN).get_data(as_text=True)
    for number in range(6):
        answer = browser.client.post(
            SIGN_IN,
            data={**dict(hidden_fields(page)), "login": "maker", "password": "x", "code": "1"},
            headers={"X-Forwarded-For": f"10.0.0.{number}"},
        )
    assert answer.status_code == 429


def test_what_was_entered_stays_but_for_the_password(browser: Browser) -> None:
    answer = browser.send(SIGN_IN, login="someone", password="hunter2hunter2", code="123456")
    page = answer.get_data(as_text=True)
    assert 'value="someone"' in page
    assert "hunter2" not in page
    assert "123456" not in page


@pytest.mark.parametrize(
    "weak",
    [
        *("short", "password1234", "Passw0rd!2026", "qwertyuiop12", "aaaaaaaaaaaaaaa"),
        *("quanyi-loyalty-2026", "maker-maker-maker", "123456789012", "zhongguo2026!!"),
        *("Diamond-Platinum-Gold", "admin-admin-admin", "abcdefghijklmno", "0987654321098765"),
    ],
)
def test_guessable_passwords_are_refused(weak: str) -> None:
    with pytest.raises(Refused, match="weak-password"):
        passwords.hash_password(weak, "maker")


@pytest.mark.parametrize(
    "good", [PASSWORD, "correct horse battery staple", "一行白鹭上青天窗含西岭千秋雪"]
)
def test_long_unrelated_words_are_taken(good: str) -> None:
    assert passwords.is_password(passwords.hash_password(good, "maker"), good)


def test_an_invitation_sets_password_and_authenticator_once(app: Flask, maker: Person) -> None:
    with transaction() as session:
        token = staff.invite(session, ADMIN, maker.id)
    path = f"/console/invitations/{token}"
    page = Browser(app).get(path).get_data(as_text=True)
    written = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert written is not None
    code = second_factor.code_now(written[1])
    new = "walnut-thistle-fjord-0417"
    refused = Browser(app).send(path, password="password1234", repeated="password1234", code=code)
    assert refused.status_code == 422
    differ = Browser(app).send(path, password=new, repeated=new + "x", code=code)
    assert differ.status_code == 422
    taken = Browser(app).send(path, password=new, repeated=new, code=code)
    assert (taken.status_code, taken.location) == (303, "/console")
    assert Browser(app).get(path).status_code == 404
    old = Browser(app).send(SIGN_IN, login="maker", password=PASSWORD, code=maker.code())
    assert old.status_code == 403


def test_secrets_of_authenticators_are_sealed_in_the_database(maker: Person) -> None:
    with transaction() as session:
        stored = session.execute(
            text("SELECT second_factor, password FROM loyalty.staff_credentials")
        ).one()
    assert maker.secret not in bytes(stored.second_factor)
    assert stored.password.startswith("$argon2id$")
