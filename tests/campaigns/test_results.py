"""Every number of the results opens to its rows, and leaves the house as a file of typed cells.

A click names a customer only where they agreed to it, when they were written to and when they
clicked; of the others the arm alone is counted.
"""

import csv
import io
import re
import zipfile
from typing import Any

import pytest
from flask.testing import FlaskClient

from campaigns.results import CLICKS_OF_NOBODY, FLAGS, SUMS
from loyalty.database import transaction
from loyalty.messages import read_inbox
from loyalty.messages.gateways import gateways
from loyalty.web import ids
from tests.callers import Client, add_person, problem, trail
from tests.campaigns.builders import House

LINKED = {
    "zh": {"subject": "活动 {campaign}", "body": "详情见 {link}"},
    "en": {"subject": "{campaign}", "body": "See {link}"},
}


def link_of(house: House, reference: str) -> str:
    """Return the path of the link in a member's newest message."""
    with transaction() as session:
        (message,) = read_inbox(session, house.members[reference].customer_id, None, 1)
    found = re.search(r"https?://[^/]+(/v1/go/\S+)", message.body)
    assert found is not None, message.body
    return found[1]


def run_linked(house: House) -> tuple[str, Client]:
    house.agree(*house.members)
    host = min(gateways().sender.hosts)
    target = f"https://{host}/spring"
    draft, _ = house.run(
        link=target, variants=[{"name": "a", "weight": 1, "contents": {"in_app": LINKED}}]
    )
    assert house.deliver() == len(house.members)
    return f"/v1/campaigns/{draft['campaign_id']}/results", add_person(
        house.application, "compliance"
    )


def follow(application: FlaskClient, path: str) -> None:
    answer = application.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/spring")


def counts(client: Client, path: str) -> dict[str, Any]:
    (arm,) = client.get(path).json["arms"]
    return dict(arm["counts"])


def test_clicks_name_those_alone_who_agreed(sending: House) -> None:
    house = sending
    house.agree_to_analysis("C-1", "C-2")
    path, compliance = run_linked(house)
    links = {reference: link_of(house, reference) for reference in house.members}
    for reference in ("C-1", "C-1", "C-3", "C-3"):
        follow(house.application, links[reference])
    assert house.application.head(links["C-4"]).status_code == 302  # looked at, not followed
    found = counts(compliance, path)
    assert (found["clicked"], found[CLICKS_OF_NOBODY]) == (1, 2)
    (row,) = compliance.get(f"{path}/members", what="clicked").json["items"]
    assert row["customer_id"] == ids.encode("cus", house.members["C-1"].customer_id)
    # Whoever takes it back before they click is counted as nobody.
    house._say("WITHDRAW", ["C-2"], "IN_APP", "usage-analysis")
    follow(house.application, links["C-2"])
    found = counts(compliance, path)
    assert (found["clicked"], found[CLICKS_OF_NOBODY]) == (1, 3)


def test_a_link_leads_nowhere_but_to_us(house: House) -> None:
    draft = house.draft(link="https://elsewhere.example/x")
    assert ("/link", "msg.link.own-platform") in [
        (one["pointer"], one["rule"]) for one in draft["findings"]
    ]
    for bad in ("javascript:alert(1)", "http://127.0.0.1/", "https://a b", "//x"):
        assert house.post_draft("other", link=bad).status_code == 422, bad
    for token in ("x", "AAAA", "A" * 39):
        assert house.application.get(f"/v1/go/{token}").status_code == 404


def test_every_number_opens_to_its_rows(sending: House) -> None:
    path, compliance = run_linked(sending)
    found = counts(compliance, path)
    assert (found["sent"], found["delivered"]) == (4, 4)
    for what in FLAGS:
        rows: list[Any] = []
        cursor = None
        while True:
            page = compliance.get(f"{path}/members", what=what, limit=3, **_cursor(cursor)).json
            rows += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(rows) == found[what], what
    for what in SUMS:
        rows = compliance.get(f"{path}/members", what=what).json["items"]
        assert sum(row[what] for row in rows) == found[what], what
    assert problem(compliance.get(f"{path}/members", what="nothing")) == (422, "invalid-query")


def _cursor(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"cursor": cursor}


@pytest.mark.parametrize("what", ["", "/members"])
def test_results_leave_as_files_whose_cells_are_what_they_look_like(
    sending: House, what: str
) -> None:
    path, compliance = run_linked(sending)
    with compliance.get(f"{path}{what}.csv") as sheet:
        table = list(csv.DictReader(io.StringIO(sheet.data.decode("utf-8-sig"))))
    assert len(table) == (4 if what else 1)
    assert sum(int(row["sent"]) for row in table) == 4
    assert all(row["cost"] == "0.00" for row in table)
    with compliance.get(f"{path}{what}.xlsx") as book:
        whole = book.data
    with zipfile.ZipFile(io.BytesIO(whole)) as parts:
        cells = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in cells
    assert re.search(r'<c r="[A-Z]+2"(?: s="\d+")?><v>', cells)  # a number is a number
    assert re.search(r'<c r="A2" t="(inlineStr|s)">', cells)  # and a text a text
    assert [who for who, _, _ in trail("campaign.results_exported")] == [compliance.name] * 2
    if what:
        assert problem(sending.maker.get(f"{path}{what}.csv")) == (403, "forbidden")
