"""The form of a campaign: flat fields as a browser sends them, to its document and back.

What the form cannot show (criteria within criteria, rules with caps, further variants: all of
which the API takes) stays as it was in the version that is edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import EXCLUDE, Schema, fields, validate

from campaigns.audience import CATALOGUE
from campaigns.contents import WITH_SUBJECT
from campaigns.form_places import place
from campaigns.form_words import DRAW_TEXTS, name_field
from campaigns.rules import CHANNELS, LANGUAGES, PARTS, TYPES
from campaigns.schemas import CampaignDocumentSchema
from loyalty.criteria import Operator, Type
from loyalty.web import Refused, validation

ROWS = (1, 2, 3, 4)
PRIZES = (1, 2, 3)
VARIANT = "a"
KEPT = "kept"
LONGEST = 6_000

Document = Mapping[str, Any]
Entered = Mapping[str, str]

_DOCUMENT = CampaignDocumentSchema()
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_LOCAL = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]")
_SEPARATORS = re.compile(r"[,，、\s]+")


class CampaignForm(Schema):
    """Everything that the form sends is text; what it means is for the document's own schema."""

    class Meta:
        """The form's own fields alone are read."""

        unknown = EXCLUDE

    code = fields.String(load_default="")
    type = fields.String(load_default="points_bonus", validate=validate.OneOf(TYPES))
    version = fields.String(load_default="")


def _field_names() -> Iterator[str]:
    yield from ("name_zh", "name_en", "purpose", "join", "offer", "times", "points", "series")
    yield from ("benefit", "quota", "product", "starts_at", "ends_at", "quiet_from", "quiet_until")
    yield from ("cap_day", "cap_week", "budget", "budget_unit", "control", "is_public")
    yield from ("drawn_at", "redeem_until", "programme")
    yield from (f"{name}_{row}" for row in ROWS for name in ("field", "is", "value"))
    yield from (f"channel_{channel}" for channel in CHANNELS)
    for channel in CHANNELS:
        for language in LANGUAGES:
            yield f"{channel}_{language}_body"
            if channel in WITH_SUBJECT:
                yield f"{channel}_{language}_subject"
    for language in LANGUAGES:
        yield from (f"draw_{name}_{language}" for name in DRAW_TEXTS)
        yield from (f"prize_{row}_name_{language}" for row in PRIZES)
    yield from (f"prize_{row}_{name}" for row in PRIZES for name in ("count", "value"))


FIELDS = tuple(_field_names())
Form = CampaignForm.from_dict(
    {
        name: fields.String(load_default="", validate=validate.Length(max=LONGEST))
        for name in FIELDS
    },
    name="WholeCampaignForm",
)


def load(entered: Entered, zone: ZoneInfo, kept: Document | None = None) -> dict[str, Any]:
    """Return the document that a form writes. Raises `Refused`, its errors naming the fields."""
    raw = write(entered, zone, kept or {})
    try:
        loaded = validation.load_body(_DOCUMENT, raw)
    except Refused as refused:
        raise Refused(refused.code, errors=[_in_form(one) for one in refused.errors]) from None
    document: dict[str, Any] = _DOCUMENT.dump(loaded)
    return document


def _in_form(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is wrong with the document as something wrong with a field of the form."""
    field = place(error["pointer"])
    label, (zh, en) = name_field(field), error["detail"]
    return {**error, "pointer": f"/{field}", "detail": (f"{label.zh}:{zh}", f"{label.en}: {en}")}


def load_what_can_be(
    entered: Entered, zone: ZoneInfo, kept: Document | None = None
) -> tuple[dict[str, Any], Sequence[Mapping[str, Any]]]:
    """Return the document without those parts that are wrong, and what is wrong with them."""
    raw = {"names": {"zh": "-", "en": "-"}, **write(entered, zone, kept or {})}
    faults = validation_faults(raw)
    for pointer in {fault["pointer"] for fault in faults}:
        raw.pop(pointer.split("/")[1], None)
    whole = {"names": {"zh": "-", "en": "-"}, **raw}
    document: dict[str, Any] = _DOCUMENT.dump(_DOCUMENT.load(whole))
    return document, faults


def validation_faults(raw: Document) -> Sequence[Mapping[str, Any]]:
    """Return what the document's schema finds wrong, each at its pointer."""
    try:
        validation.load_body(_DOCUMENT, raw)
    except Refused as refused:
        return refused.errors
    return []


def write(entered: Entered, zone: ZoneInfo, kept: Document) -> dict[str, Any]:
    """Return the document's JSON as the form writes it; empty parts are left out."""
    parts = {
        "names": _both(entered, "name"),
        "purpose": entered.get("purpose"),
        "audience": _audience(entered, kept),
        "offer": _offer(entered, kept),
        "product": _product(entered.get("product", "")),
        "variants": _variants(entered, kept),
        "channels": [name for name in CHANNELS if entered.get(f"channel_{name}")],
        "schedule": _times(entered, zone, "starts_at", "ends_at"),
        "quiet_hours": _wholes(entered, {"from": "quiet_from", "until": "quiet_until"}),
        "caps": _wholes(entered, {"day": "cap_day", "week": "cap_week"}),
        "budget": _budget(entered),
        "draw": _draw(entered, zone),
    }
    written = {name: part for name, part in parts.items() if part}
    for name in ("partners", "impact_assessment"):
        if name in kept:
            written[name] = kept[name]
    control = _whole(entered.get("control", "") or "0")
    written["control_parts"] = control * PARTS // 100 if isinstance(control, int) else control
    return written | {"is_public": bool(entered.get("is_public"))}


def _both(entered: Entered, name: str) -> dict[str, str]:
    values = {language: entered.get(f"{name}_{language}", "").strip() for language in LANGUAGES}
    return {language: value for language, value in values.items() if value}


def _whole(text: str) -> int | str:
    digits = text.strip().replace(",", "")
    return int(digits) if _WHOLE.fullmatch(digits) else text


def _wholes(entered: Entered, names: Mapping[str, str]) -> dict[str, int | str]:
    return {key: _whole(entered[name]) for key, name in names.items() if entered.get(name)}


def _instant(text: str, zone: ZoneInfo) -> str:
    """Return the instant of a day and time in the programme's zone; what is neither, as it is."""
    if not _LOCAL.fullmatch(text):
        return text
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    except ValueError:
        return text


def _times(entered: Entered, zone: ZoneInfo, *names: str) -> dict[str, str]:
    return {name: _instant(entered[name], zone) for name in names if entered.get(name)}


def _audience(entered: Entered, kept: Document) -> Any:
    if entered.get("join") == KEPT:
        return kept.get("audience")
    tests = [test for row in ROWS if (test := _test(entered, row)) is not None]
    if len(tests) < 2:
        return tests[0] if tests else None
    return {"any" if entered.get("join") == "any" else "all": tests}


def _test(entered: Entered, row: int) -> dict[str, Any] | None:
    name = entered.get(f"field_{row}")
    if not name:
        return None
    operator = entered.get(f"is_{row}", "")
    test = {"field": name, "is": operator}
    if operator == Operator.IS_NULL:
        return test
    field = CATALOGUE.find(name)
    text = entered.get(f"value_{row}", "").strip()
    many = operator in (Operator.IN, Operator.NOT_IN, Operator.BETWEEN)
    texts = [part for part in _SEPARATORS.split(text) if part] if many else [text]
    is_number = field is not None and field.type == Type.INTEGER
    values = [_whole(part) if is_number else part for part in texts]
    return {**test, "value": values if many else values[0]}


def _offer(entered: Entered, kept: Document) -> Any:
    match entered.get("offer"):
        case "multiplier":
            times = _whole(entered.get("times", ""))
            return _rule(entered, {"gives": "multiplier", "times": [times, 1]})
        case "fixed":
            return _rule(entered, {"gives": "fixed", "points": _whole(entered.get("points", ""))})
        case "coupon":
            return {"coupon": {"series": entered.get("series", "")}}
        case "benefit":
            quota = _whole(entered.get("quota", ""))
            return {"benefit": {"code": entered.get("benefit", ""), "quota": quota}}
        case "kept":
            return kept.get("offer")
    return None


def _rule(entered: Entered, gives: dict[str, Any]) -> dict[str, Any]:
    rule = {**gives, "status": False}
    names = _both(entered, "name")
    return {"earning_rule": rule | ({"names": names} if len(names) == len(LANGUAGES) else {})}


def _product(chosen: str) -> dict[str, Any] | None:
    code, _, version = chosen.partition("@")
    return {"code": code, "version": _whole(version)} if code else None


def _variants(entered: Entered, kept: Document) -> list[Any]:
    contents: dict[str, Any] = {}
    for channel in CHANNELS:
        for language in LANGUAGES:
            words = _words(entered, channel, language)
            if words and entered.get(f"channel_{channel}"):
                contents.setdefault(channel, {})[language] = words
    first, *others = kept.get("variants") or [{"name": VARIANT, "weight": 1}]
    return [{**first, "contents": contents}, *others] if contents else []


def _words(entered: Entered, channel: str, language: str) -> dict[str, str]:
    words = {
        part: entered.get(f"{channel}_{language}_{part}", "").replace("\r\n", "\n").strip()
        for part in ("subject", "body")
    }
    return {part: text for part, text in words.items() if text}


def _budget(entered: Entered) -> dict[str, Any] | None:
    amount = entered.get("budget", "")
    if not amount:
        return None
    unit = entered.get("budget_unit") or "points"
    return {"unit": unit, "amount": _minor(amount) if unit == "money" else _whole(amount)}


def _minor(text: str) -> int | str:
    """Return an amount in yuan as minor units."""
    found = re.fullmatch(r"([0-9]{1,13})(?:\.([0-9]{1,2}))?", text.strip().replace(",", ""))
    return text if found is None else int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


def _draw(entered: Entered, zone: ZoneInfo) -> dict[str, Any] | None:
    if entered.get("type") != "prize_draw":
        return None
    texts = {name: _both(entered, f"draw_{name}") for name in DRAW_TEXTS}
    prizes = [prize for row in PRIZES if (prize := _prize(entered, row))]
    told = {name: text for name, text in texts.items() if text}
    return (
        told
        | ({"prizes": prizes} if prizes else {})
        | _times(entered, zone, "drawn_at", "redeem_until")
    )


def _prize(entered: Entered, row: int) -> dict[str, Any]:
    names = _both(entered, f"prize_{row}_name")
    count, value = entered.get(f"prize_{row}_count", ""), entered.get(f"prize_{row}_value", "")
    return {"name": names, "count": _whole(count), "value": _minor(value)} if names else {}
