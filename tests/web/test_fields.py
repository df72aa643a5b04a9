"""A field takes one spelling of one thing."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from loyalty.web.fields import (
    Amount,
    Day,
    Instant,
    Lines,
    PublicId,
    Reference,
    Text,
    Truth,
)


class Everything(Schema):
    """One of each."""

    at = Instant()
    on = Day()
    text = Text(5)
    lines = Text(5, lines=True)
    reference = Reference()
    truth = Truth()


def load(**values: Any) -> Any:
    return next(iter(Everything().load(values).values()))


@pytest.mark.parametrize(
    "spelling",
    ["2026-03-01T04:00:00Z", "2026-03-01T12:00:00+08:00", "2026-03-01T08:00:00.000+04:00",
     "2026-02-28T18:00:00-10:00"],
)  # fmt: skip
def test_an_instant_is_the_same_in_every_offset(spelling: str) -> None:
    assert load(at=spelling) == datetime(2026, 3, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "spelling",
    ["2026-03-01T04:00:00", "2026-03-01", "2026-03-01 04:00:00Z", "20260301T040000Z", 1772337600,
     "2026-03-01T04:00:00+0800", "2026-02-30T04:00:00Z", "2026-03-01T24:00:00Z", "", None,
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-01T04:00:00Z\n",
     "２026-03-01T04:00:00Z", "2026-03-01t04:00:00z", "2026-W09-7T04:00:00Z"],
)  # fmt: skip
def test_what_is_not_an_instant_with_an_offset_is_refused(spelling: object) -> None:
    with pytest.raises(ValidationError):
        load(at=spelling)


def test_an_instant_is_shown_in_utc_with_z() -> None:
    shown = Everything().dump({"at": datetime(2026, 3, 1, 4, tzinfo=UTC)})
    assert shown == {"at": "2026-03-01T04:00:00Z"}


@pytest.mark.parametrize("spelling", ["2026-02-29", "2026-3-1", "20260301", "2026-W09-7", 20260301])
def test_what_is_not_a_day_is_refused(spelling: object) -> None:
    assert load(on="2028-02-29") == date(2028, 2, 29)
    with pytest.raises(ValidationError):
        load(on=spelling)


@pytest.mark.parametrize("value", ["", "123456", "a\nb", "a\rb", "a\x1b", 5, None, "a\x7f", "\x85"])
def test_a_text_has_a_length_and_no_control_characters(value: object) -> None:
    with pytest.raises(ValidationError):
        load(text=value)


def test_line_ends_are_taken_only_where_lines_are_meant() -> None:
    assert load(lines="a\nb\tc") == "a\nb\tc"
    with pytest.raises(ValidationError):
        load(lines="a\rb")


@pytest.mark.parametrize("value", [" a", "a ", "a\u200bb", "a\u202eb", "x" * 101, "a\u3000b", ""])
def test_a_reference_has_nothing_invisible(value: str) -> None:
    assert load(reference="订单 2026/0001-Ü") == "订单 2026/0001-Ü"
    with pytest.raises(ValidationError):
        load(reference=value)


@pytest.mark.parametrize("value", ["true", 1, 0, None, "yes"])
def test_only_true_and_false_are_truths(value: object) -> None:
    assert load(truth=False) is False
    with pytest.raises(ValidationError):
        load(truth=value)


class Line(Schema):
    """A line with every kind of presence."""

    amount = Amount(required=True)
    note = Text(5, load_default=None, allow_none=True)
    at = Instant(data_key="when")
    owner = PublicId("cus", attribute="owner_id")


class Quick(Schema):
    """Lines by the short loop."""

    lines = Lines(Line, maximum=4, required=True)


class Slow(Schema):
    """The same lines by marshmallow alone."""

    lines = fields.List(fields.Nested(Line), required=True)


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [1, 0, "1", None, True, 1.5, "x", "123456", "2026-01-01T00:00:00Z", "cus_000000000000h", {}, []]
)
KEYS = st.sampled_from(["amount", "note", "when", "at", "owner", "owner_id", "other"])
LINES = st.lists(st.one_of(st.dictionaries(KEYS, VALUES), VALUES), min_size=1, max_size=4)


def outcome(schema: Schema, content: Any) -> Any:
    try:
        return "loaded", schema.load(content)
    except ValidationError as error:
        return "refused", error.messages


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given(LINES)
def test_lines_load_or_fail_exactly_like_nested_objects(lines: list[Any]) -> None:
    content = {"lines": lines}
    assert outcome(Quick(), content) == outcome(Slow(), content)


@pytest.mark.parametrize("lines", [[], [{"amount": 1}] * 5, {}, "x", None, 5])
def test_lines_are_a_list_of_a_bounded_length(lines: Any) -> None:
    with pytest.raises(ValidationError):
        Quick().load({"lines": lines})
