"""A cursor leads on from where a page ended, and only one that we signed is followed."""

import pytest
from flask import Flask

from loyalty.web import Refused, cursors


def test_a_cursor_leads_back_to_its_position(app: Flask) -> None:
    assert cursors.read("things", cursors.sign("things", [5, "x"])) == [5, "x"]
    assert cursors.read("things", None) is None


@pytest.mark.parametrize("change", ["", "A", "=", "é", "-", "\x00"])
def test_a_cursor_that_we_did_not_sign_is_refused(app: Flask, change: str) -> None:
    cursor = cursors.sign("things", [5])
    for forged in (change + cursor[1:], change + cursor, cursor[:-4] + change, change):
        if forged != cursor:
            with pytest.raises(Refused):
                cursors.read("things", forged)


def test_a_cursor_of_another_list_is_refused(app: Flask) -> None:
    with pytest.raises(Refused):
        cursors.read("others", cursors.sign("things", [5]))


def test_a_page_links_to_the_next_until_the_last(app: Flask) -> None:
    rows = list(range(7))
    seen: list[int] = []
    cursor: str | None = None
    with app.test_request_context("/v1/list?size=3"):
        while True:
            position = cursors.read("things", cursor)
            start = position[0] + 1 if position else 0
            page = cursors.page_of(
                "things", rows[start : start + 4], 3,
                position=lambda row: [row], dump=lambda row: {"row": row},
            )  # fmt: skip
            seen += [item["row"] for item in page.body["items"]]
            cursor = page.body["next_cursor"]
            if cursor is None:
                break
            assert page.headers["Link"].endswith('>; rel="next"')
            assert f"size=3&cursor={cursor}" in page.headers["Link"]
    assert seen == rows
    assert "Link" not in page.headers
