"""Where in a campaign's form stands what a pointer into its document leads to."""

from collections.abc import Sequence

from campaigns.form_words import DRAW_TEXTS

NUMBERS = {"from": "quiet_from", "until": "quiet_until", "day": "cap_day", "week": "cap_week"}
_PLAIN = frozenset({"purpose", "product", "is_public"})
_OF_OFFER = ("times", "points", "series", "benefit", "quota")
_OF_TEST = ("field", "is", "value")


def place(pointer: str) -> str:
    """Return the form's field that a pointer into the document leads to."""
    steps = pointer.strip("/").split("/")
    match steps:
        case ["names", *rest]:
            field = f"name_{rest[0] if rest else 'zh'}"
        case ["audience", *rest]:
            field = _place_in_audience(rest)
        case ["offer", *rest]:
            field = next((name for name in reversed(rest) if name in _OF_OFFER), "offer")
        case ["variants", _, "contents", channel, language, *rest]:
            field = f"{channel}_{language}_{rest[0] if rest else 'body'}"
        case ["schedule", *rest]:
            field = rest[0] if rest else "starts_at"
        case ["quiet_hours" | "caps", *rest]:
            field = NUMBERS.get(rest[0] if rest else "", "quiet_from")
        case ["draw", *rest]:
            field = _place_in_draw(rest)
        case _:
            field = _place_alone(steps)
    return field


def _place_alone(steps: Sequence[str]) -> str:
    known = {
        "variants": "in_app_zh_body",
        "channels": "channel_in_app",
        "budget": "budget_unit" if "unit" in steps else "budget",
        "control_parts": "control",
    }
    return known.get(steps[0], steps[0] if steps[0] in _PLAIN else "name_zh")


def _place_in_audience(steps: Sequence[str]) -> str:
    row = int(steps[1]) + 1 if len(steps) > 1 and steps[1].isdigit() else 1
    part = next((step for step in steps if step in _OF_TEST), "field")
    return f"{part}_{row}"


def _place_in_draw(steps: Sequence[str]) -> str:
    match steps:
        case ["prizes", row, "name", language] if row.isdigit():
            field = f"prize_{int(row) + 1}_name_{language}"
        case ["prizes", row, ("count" | "value") as part, *_] if row.isdigit():
            field = f"prize_{int(row) + 1}_{part}"
        case ["prizes", *_]:
            field = "prize_1_name_zh"
        case [("drawn_at" | "redeem_until") as name]:
            field = name
        case [name, *rest] if name in DRAW_TEXTS:
            field = f"draw_{name}_{rest[0] if rest else 'zh'}"
        case _:
            field = "draw_kinds_zh"
    return field
