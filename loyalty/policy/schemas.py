"""Packs and rules as JSON."""

from typing import Any

from marshmallow import Schema, fields, validate

from loyalty.policy.packs import SEVERITIES, STATUSES, Pack, RuleText
from loyalty.web.fields import Instant, Reference, Text, Whole, dump_instant

LONGEST_PACK = 900_000


class NewPolicyPackSchema(Schema):
    """A pack's text, byte by byte as it was signed, and its signature (Ed25519, base64)."""

    pack = Text(LONGEST_PACK, lines=True, required=True)
    signature = Text(200, required=True)


class PolicyPackSchema(Schema):
    """A pack: which rules hold from when. `sha256` is that of its text."""

    version = Reference(required=True)
    jurisdiction = Reference(required=True)
    effective_from = Instant(required=True)
    sha256 = fields.String(required=True)
    rules = Whole(0, 10_000, required=True)
    enforced = Whole(0, 10_000, required=True)


class PolicyReasonSchema(Schema):
    """What staff and customers read where a rule fires."""

    zh = fields.String(required=True)
    en = fields.String(required=True)


class PolicyRuleSchema(Schema):
    """One rule. `status` says who sees to it, `why` the reason of that."""

    id = Reference(required=True)
    group = fields.String(required=True)
    source = fields.String(required=True)
    evidence = fields.String(required=True)
    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    statement = fields.String(required=True)
    fires_when = fields.String(required=True)
    reason = fields.Nested(PolicyReasonSchema, required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    why = fields.String(required=True)
    stages = fields.List(fields.String(), required=True)
    parameters = fields.Dict(required=True)


class PolicyRulesSchema(Schema):
    """All rules of the pack in force, in the catalogue's order."""

    pack = fields.Nested(PolicyPackSchema, required=True)
    rules = fields.List(fields.Nested(PolicyRuleSchema), required=True)


def dump_pack(pack: Pack) -> dict[str, Any]:
    """Return a pack as JSON."""
    return {
        "version": pack.version,
        "jurisdiction": pack.jurisdiction,
        "effective_from": dump_instant(pack.effective_from),
        "sha256": pack.sha256.hex(),
        "rules": len(pack.rules),
        "enforced": sum(rule.status == "enforced" for rule in pack.rules),
    }


def dump_rule(rule: RuleText) -> dict[str, Any]:
    """Return a rule as JSON."""
    return {
        "id": rule.id,
        "group": rule.group,
        "source": rule.source,
        "evidence": rule.evidence,
        "severity": rule.severity,
        "statement": rule.statement,
        "fires_when": rule.fires_when,
        "reason": dict(rule.reason),
        "status": rule.status,
        "why": rule.why,
        "stages": list(rule.when),
        "parameters": {name: value for name, value in rule.parameters.items() if name != "words"},
    }
