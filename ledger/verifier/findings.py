"""What the verifier found: rows that are not what they were, in the order they were met."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT = 100

LIMITS = (
    "that what was first written was true, or complete",
    "that rows not sealed yet are as they were first written",
    "that nothing was rewritten after the last checkpoint that left the house: compare with"
    " exported checkpoints (--checkpoints)",
    "anything about rows that no leaf covers: accounts that nothing was posted to, terms that no"
    " digest names, and tables other than those of the ledger, the audit trail, consent events"
    " and decisions",
)


@dataclass(frozen=True)
class Finding:
    """One row that is wrong: its table, its key, and what is wrong with it."""

    table: str
    key: Mapping[str, Any]
    what: str

    def __str__(self) -> str:
        key = ", ".join(f"{name} {value}" for name, value in self.key.items())
        return f"{self.table} ({key}): {self.what}"


@dataclass
class Report:
    """Counts of what was checked, and the findings, first one first."""

    checked: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    count: int = 0
    unproved: list[str] = field(default_factory=lambda: list(LIMITS))

    def find(self, table: str, key: Mapping[str, Any], what: str) -> None:
        """Note that a row is wrong."""
        self.count += 1
        if len(self.findings) < KEPT:
            self.findings.append(Finding(table, key, what))

    def add(self, name: str, count: int = 1) -> None:
        """Count what was checked."""
        self.checked[name] = self.checked.get(name, 0) + count

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON can say it."""
        findings = [asdict(finding) for finding in self.findings]
        return {
            "ok": not self.count,
            "first": findings[0] if findings else None,
            "findings": findings,
            "count": self.count,
            "checked": self.checked,
            "not_proved": self.unproved,
        }
