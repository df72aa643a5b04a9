"""The rulebook: proposing earning rules, agreeing to them, and which are in force when."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import ledger
from loyalty import criteria, policy
from loyalty.database import after_commit
from loyalty.points import rules
from loyalty.points.facts import CATALOGUE
from loyalty.points.wording import DEPOSIT
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused
from loyalty.web.validation import point_to

SEEN_WITHIN = 2.0  # seconds until another process' decision is seen by this one
_OWN = "points.rule_decided"

NEXT_VERSION = text("""
SELECT coalesce(max(version), 0) + 1 FROM loyalty.earning_rules
WHERE programme_id = :programme AND code = :code
""")

PROPOSE = text("""
INSERT INTO loyalty.earning_rules (programme_id, code, version, effective_from, effective_until,
    document, digest, terms, proposed_by)
VALUES (:programme, :code, :version, :since, :until, CAST(:document AS jsonb), :digest, :terms,
    :proposed_by)
ON CONFLICT (programme_id, code, version) DO NOTHING RETURNING id
""")

DECIDE = text("""
INSERT INTO loyalty.earning_rule_decisions (rule_id, digest, verdict, comment, proposed_by,
    decided_by)
VALUES (:rule, :digest, :verdict, :comment, :proposed_by, :decided_by)
ON CONFLICT (rule_id) DO NOTHING RETURNING rule_id
""")

AGREED = text("""
SELECT r.code, r.version, r.effective_from, r.effective_until, r.document, r.terms
FROM loyalty.earning_rules r JOIN loyalty.earning_rule_decisions d ON d.rule_id = r.id
WHERE r.programme_id = :programme AND d.verdict = 'approved' AND d.digest = r.digest
ORDER BY r.code, r.version DESC
""")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a rule that two people agreed on, and when it counts."""

    rule: rules.Rule
    effective_from: datetime
    effective_until: datetime | None

    def counts_at(self, at: datetime) -> bool:
        """Return whether the version is meant for purchases made at `at`."""
        if at < self.effective_from:
            return False
        return self.effective_until is None or at < self.effective_until


class Rulebook:
    """All agreed versions of a programme's rules."""

    def __init__(self, versions: list[Version]) -> None:
        self._versions = versions
        self._funded = [v for v in versions if v.rule.budget is not None]
        self.fields = frozenset[str]().union(*(v.rule.fields for v in versions))
        self.has_caps = any(v.rule.caps.keys() - {"purchase"} for v in versions)
        self.awaits_customers = any(v.rule.pending.get("about") == rules.CUSTOMER for v in versions)

    def in_force(self, at: datetime) -> list[rules.Rule]:
        """Return the rules for purchases made at `at`: of each code the newest that counts."""
        found: dict[str, rules.Rule] = {}
        for version in self._versions:
            if version.counts_at(at):
                found.setdefault(version.rule.code, version.rule)
        return [rule for rule in found.values() if rule.gives != rules.NOTHING]

    def budgets_at(self, instants: Iterable[datetime]) -> list[int]:
        """Return the wallets that pay for awards at any of these instants."""
        found = {
            version.rule.budget.wallet
            for at in instants
            for version in self._funded
            if version.rule.budget is not None and version.counts_at(at)
        }
        return sorted(found)

    def pick(self, chosen: Mapping[str, int]) -> list[rules.Rule]:
        """Return the rules of these codes in these versions, to run an award again."""
        return [v.rule for v in self._versions if chosen.get(v.rule.code) == v.rule.version]


_books: WeakKeyDictionary[Engine, dict[int, tuple[float, Rulebook]]] = WeakKeyDictionary()


def propose_rule(
    session: Session,
    programme: Programme,
    *,
    code: str,
    document: Mapping[str, Any],
    effective_from: datetime,
    effective_until: datetime | None = None,
    proposed_by: str,
) -> int:
    """Write a new version of a rule and return its id; it counts once a second person agreed.

    `proposed_by` is the person's id. Raises `Refused` with `promo.deposit-reward` where deposits
    would be rewarded, `version-taken` where somebody proposed the same version at the moment, or
    `InvalidCriteria` where `when` makes no sense.
    """
    _refuse_deposits(code, document)
    if document.get("when") is not None:
        criteria.parse(document["when"], CATALOGUE)
    version: int = session.execute(
        NEXT_VERSION, {"programme": programme.id, "code": code}
    ).scalar_one()
    kept = {"programme": programme.code, "rule": code, "version": version}
    for part in ("pending", "expiry"):
        kept[part] = document.get(part)
    rule_id: int | None = session.execute(
        PROPOSE,
        {
            "programme": programme.id,
            "code": code,
            "version": version,
            "since": effective_from,
            "until": effective_until,
            "document": ledger.dump_json(document),
            "digest": rules.digest_proposal(
                programme.code,
                code,
                version,
                effective_from,
                effective_until,
                document,
                proposed_by,
            ),
            "terms": ledger.keep_terms(session, kept),
            "proposed_by": proposed_by,
        },
    ).scalar_one_or_none()
    if rule_id is None:
        raise Refused("version-taken")
    return rule_id


def _refuse_deposits(code: str, document: Mapping[str, Any]) -> None:
    places = policy.deposit_places({"code": code, "document": document})
    errors = [
        {"pointer": point_to(place), "code": "deposit", "detail": DEPOSIT} for place in places
    ]
    if errors:
        raise Refused(policy.DEPOSIT_REFUSAL, errors=errors)


def decide_rule(
    session: Session,
    rule_id: int,
    verdict: str,
    *,
    decided_by: str,
    comment: str | None = None,
    digest: str | None = None,
) -> None:
    """Agree to a version of a rule (`approved`) or not (`rejected`), once and for ever.

    `digest` (hex) says what the person has read; a program that decides on what it has just
    proposed itself needs none. Raises `NotFound`, or `Refused` with `same-person`,
    `digest-differs` or `already-decided`.
    """
    row = session.execute(
        text("SELECT digest, proposed_by FROM loyalty.earning_rules WHERE id = :id"),
        {"id": rule_id},
    ).one_or_none()
    if row is None:
        raise NotFound
    if row.proposed_by == decided_by:
        raise Refused("same-person")
    if digest is not None and digest != bytes(row.digest).hex():
        raise Refused("digest-differs")
    decided = session.execute(
        DECIDE,
        {
            "rule": rule_id,
            "digest": row.digest,
            "verdict": verdict,
            "comment": comment,
            "proposed_by": row.proposed_by,
            "decided_by": decided_by,
        },
    ).one_or_none()
    if decided is None:
        raise Refused("already-decided")
    # Only this transaction sees the decision yet, so what it reads must not reach the others.
    session.info[_OWN] = True
    engine = session.get_bind().engine
    after_commit(session, lambda: _forget(engine))


def _forget(engine: Engine) -> None:
    _books.pop(engine, None)


def read_rulebook(session: Session, programme: Programme) -> Rulebook:
    """Return the programme's rulebook; what others decided counts here within two seconds."""
    if session.info.get(_OWN):
        return _read(session, programme)
    books = _books.setdefault(session.get_bind().engine, {})
    read_at, book = books.get(programme.id, (0.0, None))
    now = time.monotonic()
    if book is None or now - read_at > SEEN_WITHIN:
        book = _read(session, programme)
        books[programme.id] = (now, book)
    return book


def _read(session: Session, programme: Programme) -> Rulebook:
    versions = [
        Version(
            make_rule(row.code, row.version, row.document, row.terms),
            row.effective_from,
            row.effective_until,
        )
        for row in session.execute(AGREED, {"programme": programme.id})
    ]
    return Rulebook(versions)


def make_rule(code: str, version: int, document: Mapping[str, Any], terms: bytes) -> rules.Rule:
    """Return a rule, ready to be applied, from its document as it was stored."""
    when = document.get("when")
    parsed = None if when is None else criteria.parse(when, CATALOGUE)
    return rules.Rule(
        code=code,
        version=version,
        gives=document["gives"],
        points=document.get("points", 0),
        per=document.get("per", 1),
        rounding=document.get("rounding", "floor"),
        times=tuple(document.get("times", (1, 1))),
        status=document.get("status", True),
        caps=document.get("caps", {}),
        pending=document.get("pending", {}),
        expiry=document.get("expiry"),
        terms=terms,
        fields=frozenset() if parsed is None else frozenset(criteria.field_names(parsed)),
        judge=None if parsed is None else criteria.prepare(parsed),
        budget=rules.Budget(**document["budget"]) if "budget" in document else None,
    )
