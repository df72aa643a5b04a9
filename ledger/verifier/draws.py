"""Prize draws: whether the winners are those that the promised seed chooses among the tickets."""

import csv
import hashlib
import hmac
from pathlib import Path
from typing import Any

from findings import Report
from sources import Unreadable

LIMITS = (
    "that everybody who takes part by the notice has a ticket: whoever misses theirs sees it",
    "that nobody knew the seed before: it was promised before the start, not unknown to us",
)


def check_draw(published: dict[str, Any], tickets: Path, report: Report) -> None:
    """Compare a draw's published seed, hashes and winners with what they have to be."""
    report.unproved = list(LIMITS)
    held = published.get("held")
    if held is None:
        raise Unreadable("the draw was not held yet")
    rows = _read(tickets)
    key = {"launch_id": published["launch_id"]}
    seed = bytes.fromhex(held["seed"])
    if hashlib.sha256(b"quanyi.draw/1\0" + seed).hexdigest() != published["commitment"]:
        report.find("draws", key, "the seed is not the one that was promised")
    lines = "".join(f"{ticket}\n" for ticket in sorted(rows))
    digest = hashlib.sha256(b"quanyi.tickets/1\0" + lines.encode()).hexdigest()
    if digest != held["tickets_digest"] or len(rows) != held["tickets"]:
        report.find("draws", key, "the tickets are not those that were drawn from")
    _check_winners(seed, rows, published["notice"]["prizes"], report)
    report.add("tickets", len(rows))


def _check_winners(
    seed: bytes, rows: dict[str, tuple[int, int] | None], prizes: Any, report: Report
) -> None:
    ranked = sorted(rows, key=lambda ticket: (_rank(seed, ticket), ticket))
    won = [place for place, prize in enumerate(prizes) for _ in range(prize["count"])]
    due = {
        ticket: (prize, place)
        for place, (ticket, prize) in enumerate(zip(ranked, won, strict=False), 1)
    }
    for ticket, said in rows.items():
        if said != due.get(ticket):
            what = f"has prize and place {said}, and should have {due.get(ticket)}"
            report.find("winners", {"ticket": ticket}, what)
    report.add("winners", len(due))


def _rank(seed: bytes, ticket: str) -> bytes:
    return hmac.digest(seed, ticket.encode(), "sha256")


def _read(path: Path) -> dict[str, tuple[int, int] | None]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = {
            row["ticket"]: (int(row["prize"]), int(row["place"])) if row["prize"] else None
            for row in csv.DictReader(file)
        }
    if not rows:
        raise Unreadable("there are no tickets in the file")
    return rows
