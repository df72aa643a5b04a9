"""Whoever is asked to agree reads in words what for: every seat of the product has a name."""

import re
from pathlib import Path

from loyalty.proposals.console import name_seat

ROOT = Path(__file__).parents[2]
SEAT = re.compile(r'Seat\.of\(\s*"([^"]+)"')


def test_every_seat_has_a_name_in_both_languages() -> None:
    seats = {
        seat
        for package in ("loyalty", "campaigns")
        for file in (ROOT / package).rglob("*.py")
        for seat in SEAT.findall(file.read_text())
    }
    assert {"business", "head_office", "consumer-protection"} <= seats
    assert [seat for seat in sorted(seats) if seat in name_seat(seat)] == []
