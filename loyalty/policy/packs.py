"""The policy pack: rules as data, versioned, dated and signed; which one is in force when.

What is signed is the pack's text, byte by byte. The key is outside the database, so whoever can
write there still cannot put other rules in force.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.policy.judging import Outcome, Result, decided_by_software
from loyalty.policy.lexicons import Lexicon
from loyalty.web import Refused
from loyalty.web.keyfiles import read_or_create

FORMAT = "quanyi.policy.pack/1"
DOMAIN = b"quanyi/policy-pack/v1\0"
SHIPPED = Path(__file__).parent / "pack.json"
PRIVATE_KEY = "policy.pem"
PUBLIC_KEY = "policy-public.pem"
STATUSES = ("enforced", "by people", "later")
SEVERITIES = ("block", "warn", "escalate", "none")
EFFECTS = ("deny", "defer", "reroute", "warn", "none")

_GAP = re.compile(r"\{[a-z]+\}")
_ENACT = text("""
INSERT INTO loyalty.policy_packs (version, jurisdiction, effective_from, sha256, body, signature,
    enacted_by)
VALUES (:version, :jurisdiction, :effective_from, :sha256, :body, :signature, :enacted_by)
ON CONFLICT (version) DO NOTHING RETURNING version
""")
_FIND = text("SELECT body, signature FROM loyalty.policy_packs WHERE version = :version")
_IN_FORCE = text("""
SELECT body, signature FROM loyalty.policy_packs
WHERE jurisdiction = :jurisdiction
    AND effective_from <= coalesce(CAST(:at AS timestamptz), clock_timestamp())
ORDER BY effective_from DESC, enacted_at DESC LIMIT 1
""")


class NoPack(Exception):
    """No pack is in force: nothing can be judged, so nothing is sent."""


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as the pack has it. `order` is the gate's, `when` the stages that ask it."""

    id: str
    group: str
    source: str
    evidence: str
    severity: str
    statement: str
    fires_when: str
    checked_at: str
    reason: Mapping[str, str]
    status: str
    why: str
    order: int
    when: tuple[str, ...]
    effect: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack whose signature was checked."""

    version: str
    jurisdiction: str
    effective_from: datetime
    sha256: bytes
    rules: tuple[RuleText, ...]
    by_id: Mapping[str, RuleText]
    by_stage: Mapping[str, tuple[RuleText, ...]]
    places: Mapping[str, int]

    def enforced(self, when: str) -> tuple[RuleText, ...]:
        """Return the rules that a stage asks, in the gate's order. Raises `ValueError`."""
        if when not in self.by_stage:
            raise ValueError(f"no stage is called {when}")
        return self.by_stage[when]

    def place(self, rule: str) -> int:
        """Return where a rule stands in the gate's order."""
        return self.places[rule]

    def is_warning(self, rule: str) -> bool:
        """Whether a rule warns only."""
        return self.by_id[rule].effect == "warn"

    def defers(self, result: Result) -> bool:
        """Whether what a rule found makes a message wait, and there is an end to the wait."""
        is_later = result.outcome == "fires" and "until" in result.detail
        return is_later and self.by_id[result.rule].effect == "defer"

    def explain(self, result: Result, lang: str) -> str:
        """Return the reason text of a result, with what it found filled in."""
        reason = self.by_id[result.rule].reason[lang]
        for name, value in result.detail.items():
            reason = reason.replace(f"{{{name}}}", str(value))
        return reason

    def say(self, rule: str, detail: Mapping[str, Any]) -> dict[str, str]:
        """Return a rule's reason in both languages; what `detail` does not tell is left open."""
        fired = Result(rule, Outcome.FIRES, detail)
        return {lang: _GAP.sub("…", self.explain(fired, lang)) for lang in ("zh", "en")}


STAGES = ("configure", "approve", "preview", "launch", "send", "handover", "capture")


def load_pack(body: str) -> Pack:
    """Return the pack in a text, its signature unchecked.

    Raises `Refused` with `bad-policy-pack` where it is none, or enforces a rule that no function
    decides.
    """
    try:
        content = json.loads(body)
        if content["format"] != FORMAT:
            raise ValueError(f"the format is not {FORMAT}")
        lists = {name: Lexicon.load(words) for name, words in content["lexicons"].items()}
        rules = tuple(_load_rule(rule, lists) for rule in content["rules"])
        _check_rules(rules)
        return _arrange(content, body, rules)
    except (LookupError, TypeError, ValueError) as fault:
        raise _bad("/pack", "unreadable", ("策略包无法读取", f"cannot be read: {fault}")) from None


def _load_rule(rule: Mapping[str, Any], lists: Mapping[str, Lexicon]) -> RuleText:
    parameters = dict(rule["parameters"])
    if "lexicons" in parameters:
        named = [*parameters["lexicons"], *parameters.get("of_money_products", ())]
        parameters["words"] = {name: lists[name] for name in named}
    return RuleText(**{**rule, "when": tuple(rule["when"]), "parameters": parameters})


def _check_rules(rules: tuple[RuleText, ...]) -> None:
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise ValueError("a rule stands there twice")
    for rule in rules:
        known = (rule.status in STATUSES, rule.severity in SEVERITIES, rule.effect in EFFECTS)
        if not all(known) or not set(rule.when) <= set(STAGES) or set(rule.reason) != {"zh", "en"}:
            raise ValueError(f"{rule.id} says something that nobody knows")
    enforced = {rule.id for rule in rules if rule.status == "enforced"}
    if undecided := sorted(enforced - set(decided_by_software())):
        raise ValueError(f"no function decides {undecided}")


def _arrange(content: Mapping[str, Any], body: str, rules: tuple[RuleText, ...]) -> Pack:
    effective_from = datetime.fromisoformat(content["effective_from"])
    if effective_from.tzinfo is None:
        raise ValueError("effective_from lacks an offset")
    ordered = sorted((rule for rule in rules if rule.status == "enforced"), key=lambda r: r.order)
    return Pack(
        version=str(content["version"]),
        jurisdiction=str(content["jurisdiction"]),
        effective_from=effective_from.astimezone(UTC),
        sha256=hashlib.sha256(body.encode()).digest(),
        rules=rules,
        by_id=MappingProxyType({rule.id: rule for rule in rules}),
        by_stage=MappingProxyType(
            {stage: tuple(rule for rule in ordered if stage in rule.when) for stage in STAGES}
        ),
        places=MappingProxyType({rule.id: place for place, rule in enumerate(ordered)}),
    )


def _bad(pointer: str, code: str, detail: tuple[str, str]) -> Refused:
    fault = {"pointer": pointer, "code": code, "detail": detail}
    return Refused("bad-policy-pack", errors=[fault])


def create_policy_key(folder: Path) -> Path:
    """Make the pair of keys that packs are signed with, unless it is there; return the public."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = load_pem_private_key(read_or_create(folder / PRIVATE_KEY, fresh), None)
    assert isinstance(key, Ed25519PrivateKey)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    read_or_create(folder / PUBLIC_KEY, public)
    return folder / PUBLIC_KEY


def sign_pack(folder: Path, body: str) -> str:
    """Return the signature (base64) of a pack's text. Raises `FileNotFoundError` without key."""
    key = load_pem_private_key((folder / PRIVATE_KEY).read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return base64.b64encode(key.sign(DOMAIN + body.encode())).decode()


def check_pack(folder: Path, body: str, signature: str) -> Pack:
    """Return the pack in a text that our key signed. Raises `Refused` with `bad-policy-pack`."""
    public = folder / PUBLIC_KEY
    if not public.exists():
        raise _bad("/signature", "no-key", ("没有验签公钥", "there is no public key to check with"))
    return _checked(public.read_bytes(), body, signature)


@lru_cache(maxsize=8)
def _checked(public: bytes, body: str, signature: str) -> Pack:
    key = load_pem_public_key(public)
    assert isinstance(key, Ed25519PublicKey)
    try:
        key.verify(base64.b64decode(signature, validate=True), DOMAIN + body.encode())
    except (InvalidSignature, binascii.Error, ValueError):
        raise _bad("/signature", "bad-signature", ("签名无效", "is not of our key")) from None
    return load_pack(body)


def enact(session: Session, folder: Path, body: str, signature: str, enacted_by: str) -> Pack:
    """Keep a signed pack, in force from its date; the same version with the same text counts once.

    Raises `Refused`: `bad-policy-pack`, or `policy-version-taken` where it has another text.
    """
    pack = check_pack(folder, body, signature)
    written = session.execute(
        _ENACT,
        {
            "version": pack.version,
            "jurisdiction": pack.jurisdiction,
            "effective_from": pack.effective_from,
            "sha256": pack.sha256,
            "body": body,
            "signature": signature,
            "enacted_by": enacted_by,
        },
    ).one_or_none()
    if written is None:
        known = session.execute(_FIND, {"version": pack.version}).one()
        if known.body != body:
            raise Refused("policy-version-taken")
    return pack


def pack_in_force(
    session: Session, folder: Path, at: datetime | None = None, jurisdiction: str = "CN"
) -> Pack:
    """Return the pack in force at an instant, now unless said otherwise, its signature checked.

    Raises `NoPack`, or `Refused` with `bad-policy-pack` where the one in the database is not ours.
    """
    row = session.execute(_IN_FORCE, {"at": at, "jurisdiction": jurisdiction}).one_or_none()
    if row is None:
        raise NoPack(jurisdiction)
    return check_pack(folder, row.body, row.signature)


def is_known(session: Session, version: str) -> bool:
    """Return whether a pack of this version was ever put in force."""
    return session.execute(_FIND, {"version": version}).one_or_none() is not None


def find_pack(session: Session, folder: Path, version: str) -> Pack:
    """Return an enacted pack by its version, to judge old facts again. Raises `NoPack`."""
    row = session.execute(_FIND, {"version": version}).one_or_none()
    if row is None:
        raise NoPack(version)
    return check_pack(folder, row.body, row.signature)
