"""What the benchmarks found: a table on the terminal, JSON and a small chart for the docs."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

DOCS = Path(__file__).resolve().parent.parent / "docs"


@dataclass
class Figure:
    """One measured thing: rates or times of several runs, and the same of its limit.

    `ratio` is of the medians; `wanted` is the least ratio that is good enough (for `at_most`
    the greatest).
    """

    name: str
    unit: str
    ours: list[float]
    limit: list[float] = field(default_factory=list)
    limit_name: str = ""
    wanted: float | None = None
    at_most: bool = False
    taken_on: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())

    @property
    def ratio(self) -> float | None:
        """Our median as a part of the limit's."""
        if not self.limit:
            return None
        return statistics.median(self.ours) / statistics.median(self.limit)

    @property
    def is_good(self) -> bool | None:
        """Whether the ratio is as wanted; None where nothing was asked."""
        if self.ratio is None or self.wanted is None:
            return None
        return self.ratio <= self.wanted if self.at_most else self.ratio >= self.wanted

    def line(self) -> str:
        """Return the figure as one line of the table."""
        ours = f"{statistics.median(self.ours):,.1f}" if self.ours else "-"
        limit = f"{statistics.median(self.limit):,.1f}" if self.limit else "-"
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else "-"
        sign = "≤" if self.at_most else "≥"
        wanted = f"{sign} {self.wanted}" if self.wanted is not None else ""
        verdict = {True: "ok", False: "MISSED", None: ""}[self.is_good]
        return (
            f"{self.name:<52} {ours:>12} {self.unit:<12} limit {limit:>12}"
            f"  ratio {ratio:>5} {wanted:<7} {verdict:<6} {self.limit_name}".rstrip()
        )


def describe_machine(url: str) -> dict[str, str]:
    """Return what the figures were measured on."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT version(), current_setting('synchronous_commit')"
        ).fetchone()
    assert row is not None
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cores": str(os.cpu_count()),
        "processor": model,
        "python": platform.python_version(),
        "postgresql": row[0].split(" on ")[0],
        "synchronous_commit": row[1],
    }


def write(machine: dict[str, str], figures: list[Figure]) -> None:
    """Write `docs/bench.json` and `docs/bench.svg`; figures not measured this time stay."""
    path = DOCS / "bench.json"
    known = {figure.name: figure for figure in _read(path)}
    merged = list((known | {figure.name: figure for figure in figures}).values())
    content = {"machine": machine, "figures": [{**asdict(f), "ratio": f.ratio} for f in merged]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (DOCS / "bench.svg").write_text(_chart(merged), encoding="utf-8")


def _read(path: Path) -> list[Figure]:
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return [Figure(**{k: v for k, v in row.items() if k != "ratio"}) for row in rows]


def _chart(figures: list[Figure]) -> str:
    shown = [f for f in figures if f.ratio is not None and not f.at_most]
    height = 34 * len(shown) + 40
    rows = []
    for index, figure in enumerate(shown):
        ratio = figure.ratio or 0.0
        top = 34 * index + 34
        width = min(ratio, 1.0) * 300
        mark = 330 + (figure.wanted or 0) * 300
        rows.append(
            f'<text x="322" y="{top + 13}" text-anchor="end">{figure.name}</text>'
            f'<rect x="330" y="{top}" width="300" height="18" fill="#e8ecf1"/>'
            f'<rect x="330" y="{top}" width="{width:.1f}" height="18" fill="#2f6f8f"/>'
            f'<line x1="{mark:.1f}" x2="{mark:.1f}" y1="{top - 3}" y2="{top + 21}"'
            ' stroke="#b3541e" stroke-width="2"/>'
            f'<text x="640" y="{top + 13}">{ratio:.2f}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 {height}" role="img"'
        ' aria-label="Our speed as a part of the limit on the same machine"'
        ' font-family="sans-serif" font-size="13" fill="#1d2733">'
        f'<rect width="700" height="{height}" fill="#ffffff"/>'
        '<text x="330" y="20">part of the limit in the same run; marks: least wanted</text>'
        f"{''.join(rows)}</svg>\n"
    )
