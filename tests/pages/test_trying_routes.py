"""Whoever reads of a route may try it on the page: with their token, at this server, under CSP.

The token is typed, stands nowhere but in its field, and no cookie goes along.
"""

from playwright.sync_api import Browser as Chromium

from loyalty import staff
from loyalty.database import transaction
from loyalty.web import ids
from tests.pages.conftest import Person
from tests.pages.windows import open_window, session_of
from tests.points.builders import World
from tests.staff.conftest import ADMIN


def test_a_route_is_tried_where_it_is_described(
    chromium: Chromium, address: str, world: World, maker: Person
) -> None:
    with transaction() as session:
        client, _ = staff.add_client(session, ADMIN, "bank", ["purchases:write", "points:read"])
        token = staff.issue_client_token(client).token
    window = open_window(
        chromium, address, ("en", 320, "light"), staff=session_of("staff", maker.id)
    )
    window.expected |= {401, 422}
    sent: list[dict[str, str]] = []
    window.page.on("request", lambda request: sent.append(request.headers))
    page = window.open("/docs")
    ping = page.locator("#get_v1_ping")
    ping.locator("summary").click()
    ping.get_by_role("button", name="Send").click()
    ping.get_by_text("401 UNAUTHORIZED").wait_for()  # the session's cookie did not go along
    page.get_by_label("Access token").fill(token)
    ping.get_by_role("button", name="Send").click()
    ping.get_by_text('"points:read"').wait_for()

    record = page.locator("#post_v1_purchases")
    record.locator("summary").click()
    body = record.get_by_label("Body", exact=True)
    body.wait_for()
    assert '"purchased_at"' in body.input_value()
    record.get_by_role("button", name="Send").click()
    record.get_by_text("application/problem+json").wait_for()
    body.fill(
        '{"purchases": [{"reference": "tried", "customer": "00001", "amount": 700,'
        ' "purchased_at": "2026-01-02T00:00:00+08:00"}]}'
    )
    record.get_by_role("button", name="Send").click()
    record.get_by_text('"reference": "tried"').wait_for()

    points = page.locator("#get_v1_customers_customer_id_points")
    points.locator("summary").click()
    customer = ids.encode("cus", world.customers["00001"])
    points.get_by_label("customer_id (path)").fill(customer)
    points.get_by_role("button", name="Send").click()
    points.get_by_text('"available": 1241').wait_for()

    window.check()
    assert not any("cookie" in headers for headers in sent if "authorization" in headers)
    kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, location.href])")
    assert token not in kept
    window.context.close()
