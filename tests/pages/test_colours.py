"""Words can be read on every tier's card and on every surface, in light and in dark.

The contrast of each pair of tokens is worked out as WCAG 2.2 does it, from the stylesheet.
"""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "loyalty/web/static/quanyi.css").read_text(encoding="utf-8")
TOKEN = re.compile(r"--([a-z0-9-]+): (#[0-9a-f]{6});")
LIGHT = dict(TOKEN.findall(CSS.split("@media (prefers-color-scheme: dark)")[0]))
DARK = {**LIGHT, **dict(TOKEN.findall(CSS.split("@media (prefers-color-scheme: dark)")[1]))}
TIERS = ("standard", "gold", "platinum", "diamond")
SURFACES = ("paper", "surface", "raised", "sunken")
READ = 4.5  # 1.4.3: words
SEEN = 3.0  # 1.4.11: edges of fields, marks of focus


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_worked_out_as_the_guideline_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # known to fail by a bit


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("tier", TIERS)
def test_a_tiers_card_can_be_read_at_both_ends_of_its_gradient(
    colours: dict[str, str], tier: str
) -> None:
    assert f".tier-{tier} {{ background: linear-gradient(135deg, var(--{tier}-1)" in CSS
    for end in ("1", "2"):
        assert contrast(colours[f"{tier}-ink"], colours[f"{tier}-{end}"]) >= READ, (tier, end)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_words_marks_and_edges_stand_out_from_what_they_lie_on(colours: dict[str, str]) -> None:
    pairs = [(ink, surface, READ) for ink in ("ink", "soft", "accent") for surface in SURFACES]
    pairs += [(kind, f"{kind}-soft", READ) for kind in ("good", "warn", "bad", "accent")]
    pairs += [("accent-ink", "accent", READ), ("seal-ink", "seal", SEEN)]
    pairs += [(mark, surface, SEEN) for mark in ("edge", "focus") for surface in SURFACES]
    faint = {
        (one, other): round(contrast(colours[one], colours[other]), 2)
        for one, other, least in pairs
        if contrast(colours[one], colours[other]) < least
    }
    assert not faint
