"""The whole application for a browser, with people who can sign in and a customer with points."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import sync_playwright
from sqlalchemy import text
from werkzeug.serving import make_server

from loyalty import customers, staff
from loyalty.database import transaction
from loyalty.staff import second_factor
from loyalty.staff.passwords import hash_password
from tests.pages.chromium import find_chromium
from tests.points.builders import World, build_world, purchase, record
from tests.servers import Database
from tests.staff.conftest import ADMIN

PASSWORD = "lantern-plume-flint-3575"


@dataclass(frozen=True)
class Person:
    """A member of staff with their authenticator."""

    id: int
    login: str
    secret: bytes

    def code(self) -> str:
        """Return a code that is good now: an authenticator would show it by now or in a moment."""
        return second_factor.code_at(self.secret, second_factor.step_now())

    def forget_codes(self) -> None:
        """Let used codes count again, in place of waiting half a minute."""
        with transaction() as session:
            session.execute(
                text("UPDATE loyalty.staff_credentials SET last_step = 0 WHERE staff_id = :id"),
                {"id": self.id},
            )


class Browser:
    """A client that keeps cookies and fills forms in as a page of ours shows them."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def send(self, path: str, page: str = "", **fields: str) -> Any:
        """Send the form of `page` (where it is another) with these fields and its hidden ones."""
        shown = self.client.get(page or path).get_data(as_text=True)
        hidden = {name: value for name, value in hidden_fields(shown) if name in ("token", "key")}
        return self.client.post(path, data={**hidden, **fields})

    def sign_in(self, person: Person) -> Any:
        return self.send(
            "/console/sign-in", login=person.login, password=PASSWORD, code=person.code()
        )


def hidden_fields(page: str) -> list[tuple[str, str]]:
    """Return names and values of the hidden fields of a page."""
    return re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)


@pytest.fixture
def app(database: Database) -> Flask:
    """The application with every slice in it."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build()


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser that nobody has used."""
    return Browser(app)


@pytest.fixture
def world(database: Database) -> World:
    """A programme that gives a point for each whole unit; 00001 has made a purchase."""
    world = build_world()
    record(world, purchase("p1", 123_456))
    return world


def add_person(login: str, *roles: str) -> Person:
    """Add a member of staff who can sign in."""
    with transaction() as session:
        unit = session.execute(
            text("SELECT id FROM loyalty.organisation_units LIMIT 1")
        ).scalar_one_or_none()
        if unit is None:
            unit = staff.add_unit(session, ADMIN, "head_office", "总行").id
        added = staff.add_staff(
            session, ADMIN, login=login, name=f"名{login}", unit_id=unit, roles=roles
        )
        secret = second_factor.new_secret()
        hashed = hash_password(PASSWORD, login)
        staff.set_credentials(session, added.id, hashed, secret)
    return Person(added.id, login, secret)


@pytest.fixture
def maker(database: Database) -> Person:
    """Somebody who makes rules."""
    return add_person("maker", "marketing_maker")


@pytest.fixture
def customer(browser: Browser, world: World) -> Browser:
    """The browser, with customer 00001 signed in."""
    with transaction() as session:
        code = customers.make_code(session, world.customers["00001"], timedelta(minutes=5))
    answer = browser.send("/my/sign-in", reference="00001", code=code)
    assert (answer.status_code, answer.location) == (303, "/my"), answer.get_data(as_text=True)
    return browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """One browser for all pages."""
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The address of the application, served for real."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
