"""A campaign's document as it stands in the fields of its form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.form_places import NUMBERS
from campaigns.form_words import DRAW_TEXTS
from campaigns.forms import KEPT, PRIZES, ROWS, Document
from campaigns.rules import PARTS


def fill_in(document: Document, zone: ZoneInfo) -> dict[str, str]:
    """Return what stands in the form's fields for a document."""
    shown: dict[str, Any] = {
        **_said("name", document["names"]),
        "purpose": document.get("purpose") or "",
        "is_public": "1" if document.get("is_public") else "",
        "control": str(document.get("control_parts", 0) * 100 // PARTS),
        **_show_audience(document.get("audience")),
        **_show_offer(document.get("offer")),
        **_show_budget(document.get("budget")),
    }
    for name, value in (document.get("schedule") or {}).items():
        shown[name] = _local(value, zone)
    for part in ("quiet_hours", "caps"):
        for key, value in (document.get(part) or {}).items():
            shown[NUMBERS[key]] = str(value)
    product = document.get("product")
    if product:
        shown["product"] = f"{product['code']}@{product['version']}"
    shown |= {f"channel_{channel}": "1" for channel in document.get("channels", ())}
    return shown | _show_words(document) | _show_draw(document.get("draw") or {}, zone)


def _said(name: str, texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}_{language}": text for language, text in texts.items()}


def _local(value: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(value).astimezone(zone):%Y-%m-%dT%H:%M}"


def _show_words(document: Document) -> dict[str, str]:
    variants = document.get("variants") or [{"contents": {}}]
    return {
        f"{channel}_{language}_{part}": text
        for channel, languages in variants[0]["contents"].items()
        for language, words in languages.items()
        for part, text in words.items()
    }


def _show_audience(audience: Document | None) -> dict[str, str]:
    if audience is None:
        return {}
    joined = next((name for name in ("all", "any") if name in audience), "all")
    tests = audience.get(joined, [audience])
    if len(tests) > len(ROWS) or any("field" not in test for test in tests):
        return {"join": KEPT}
    shown = {"join": joined}
    for row, test in zip(ROWS, tests, strict=False):
        value = test.get("value", "")
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        shown |= {f"field_{row}": test["field"], f"is_{row}": test["is"], f"value_{row}": text}
    return shown


def _show_offer(offer: Document | None) -> dict[str, str]:
    if not offer:
        return {}
    if "coupon" in offer:
        return {"offer": "coupon", "series": offer["coupon"]["series"]}
    if "benefit" in offer:
        quota = str(offer["benefit"]["quota"])
        return {"offer": "benefit", "benefit": offer["benefit"]["code"], "quota": quota}
    rule = offer["earning_rule"]
    is_plain = rule.keys() <= {"gives", "times", "points", "status", "names"}
    if is_plain and not rule.get("status"):
        if rule["gives"] == "multiplier" and rule["times"][1] == 1:
            return {"offer": "multiplier", "times": str(rule["times"][0])}
        if rule["gives"] == "fixed":
            return {"offer": "fixed", "points": str(rule["points"])}
    return {"offer": KEPT}


def _show_budget(budget: Document | None) -> dict[str, str]:
    if not budget:
        return {}
    amount = budget["amount"]
    text = f"{amount // 100}.{amount % 100:02}" if budget["unit"] == "money" else str(amount)
    return {"budget_unit": budget["unit"], "budget": text}


def _show_draw(draw: Document, zone: ZoneInfo) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in draw.items():
        if name in DRAW_TEXTS:
            shown |= _said(f"draw_{name}", value)
        elif name != "prizes":
            shown[name] = _local(value, zone)
    for row, prize in zip(PRIZES, draw.get("prizes", ()), strict=False):
        value = f"{prize['value'] // 100}.{prize['value'] % 100:02}"
        shown |= _said(f"prize_{row}_name", prize["name"])
        shown |= {f"prize_{row}_count": str(prize["count"]), f"prize_{row}_value": value}
    return shown
