"""Earning rules for staff: every version with its dates, tried on past purchases, proposed."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from marshmallow import EXCLUDE, Schema, fields, validate
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from loyalty import audit, programmes
from loyalty.points import agreement, proposals, rulebook, trial
from loyalty.points.agreement import CHECKER, MAKER
from loyalty.points.rule_wording import describe
from loyalty.points.rules_schemas import MOST_DAYS, NewRuleSchema, load_document
from loyalty.programmes import Programme
from loyalty.web import Access, Caller, Kind, Refused, cursors, ids, validation
from loyalty.web.fields import TypedWhole
from loyalty.web.screens import screen, see
from loyalty.web.sites import Menu
from loyalty.web.words import show_zone

blueprint = Blueprint("rules_console", __name__, template_folder="templates")

LIST, ONE = "/console/rules", "/console/rules/{rule_id}"
A_PAGE = 50
_READERS = Access.browser(Kind.STAFF, "viewer", MAKER, CHECKER, "auditor")
_MAKERS = Access.browser(Kind.STAFF, MAKER)
_TRIERS = Access.browser(Kind.STAFF, MAKER, CHECKER)
_CURSOR = "console-rules"
_WHOLE = re.compile(r"[0-9]{1,15}")
_LOCAL = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9])T[0-2][0-9]:[0-5][0-9]")
_KEPT = ("when", "caps", "pending", "rounding", "status")
"""What the form does not show stays as it was in the version before."""

_NEW = NewRuleSchema()


class TrialForm(Schema):
    """On the purchases of how many days."""

    days = TypedWhole(1, MOST_DAYS, required=True)


class RuleForm(Schema):
    """What a rule gives and from when: text, which the rule's own schema judges."""

    class Meta:
        """The form's own fields alone are read."""

        unknown = EXCLUDE

    code = fields.String(load_default="", validate=validate.Length(max=60))
    name_zh = fields.String(load_default="", validate=validate.Length(max=60))
    name_en = fields.String(load_default="", validate=validate.Length(max=60))
    gives = fields.String(load_default="", validate=validate.Length(max=20))
    points = fields.String(load_default="", validate=validate.Length(max=12))
    per = fields.String(load_default="", validate=validate.Length(max=12))
    times = fields.String(load_default="", validate=validate.Length(max=6))
    months = fields.String(load_default="", validate=validate.Length(max=4))
    effective_from = fields.String(load_default="", validate=validate.Length(max=30))


@screen(
    blueprint,
    "GET",
    LIST,
    access=_READERS,
    menu=Menu(30, "rule", key="r", group="2-programme"),
    summary=("积分规则", "Earning rules"),
)
def get_rules(session: Session, caller: Caller) -> str:
    """List all versions of all rules, newest first, each as a sentence."""
    position = cursors.read(_CURSOR, request.args.get("cursor"))
    before = position[0] if position else None
    found = proposals.list_proposals(session, before=before, limit=A_PAGE)
    return render_template(
        "points/rules.html",
        rules=[(one, describe(one.document)) for one in found],
        older=cursors.sign(_CURSOR, [found[-1].id]) if len(found) == A_PAGE else None,
        may_make=MAKER in caller.roles,
    )


@screen(blueprint, "GET", ONE, access=_READERS, summary=("一条积分规则", "One earning rule"))
def get_rule(session: Session, caller: Caller, rule_id: int) -> str:
    """Show a version of a rule, with the form to try it on past purchases."""
    return _show(session, caller, rule_id, None)


@screen(
    blueprint,
    "POST",
    f"{ONE}/trial",
    access=_TRIERS,
    form=TrialForm,
    again=get_rule,
    summary=("用历史消费试算", "Try on past purchases"),
    not_idempotent="it changes nothing, and each answer is of its moment",
)
def post_trial(session: Session, caller: Caller, rule_id: int, entered: dict[str, Any]) -> str:
    """Show who would gain, who would lose, and what it costs; write no points."""
    rule = proposals.read_proposal(session, rule_id)
    programme = programmes.find_programme(session, rule.programme)
    made = rulebook.make_rule(rule.code, rule.version, rule.document, bytes(rule.terms))
    found = trial.try_rule(session, programme, made, days=entered["days"])
    detail = {"days": entered["days"], "purchases": found.whole.purchases}
    audit.record(session, caller, "rule.tried", "rule", rule_id, detail)
    return _show(session, caller, rule_id, found)


@screen(blueprint, "GET", f"{LIST}/new", access=_MAKERS, summary=("新规则", "A new rule"))
def get_new(session: Session) -> str:
    """Show the empty form."""
    programme = programmes.choose_programme(session, None, programmes.IN_BODY)
    show_zone(programme.zone_name)
    return render_template("points/rule_form.html", rule=None, shown={}, sentence=None)


@screen(
    blueprint,
    "POST",
    LIST,
    access=_MAKERS,
    form=RuleForm,
    idempotent=True,
    confirmed=True,
    again=get_new,
    summary=("提出新规则", "Propose a new rule"),
)
def post_new(session: Session, caller: Caller, entered: dict[str, str]) -> Response:
    """Write the first version of a rule and put it up for approval."""
    programme = programmes.choose_programme(session, None, programmes.IN_BODY)
    return _propose(session, caller, programme, entered, {})


@screen(blueprint, "GET", f"{ONE}/next", access=_MAKERS, summary=("规则新版本", "Next version"))
def get_next(session: Session, rule_id: int) -> str:
    """Show the form with a version of a rule in it."""
    rule = proposals.read_proposal(session, rule_id)
    show_zone(programmes.find_programme(session, rule.programme).zone_name)
    return render_template(
        "points/rule_form.html",
        rule=rule,
        shown=_fill_in(rule.document),
        sentence=describe(rule.document),
    )


@screen(
    blueprint,
    "POST",
    f"{ONE}/next",
    access=_MAKERS,
    form=RuleForm,
    idempotent=True,
    confirmed=True,
    again=get_next,
    summary=("提出规则新版本", "Propose the next version"),
)
def post_next(session: Session, caller: Caller, rule_id: int, entered: dict[str, str]) -> Response:
    """Write the next version of a rule and put it up for approval."""
    rule = proposals.read_proposal(session, rule_id)
    programme = programmes.find_programme(session, rule.programme)
    return _propose(session, caller, programme, {**entered, "code": rule.code}, rule.document)


def _propose(
    session: Session,
    caller: Caller,
    programme: Programme,
    entered: Mapping[str, str],
    kept: Mapping[str, Any],
) -> Response:
    loaded = _load(_write(entered, programme.zone, kept))
    rule_id = rulebook.propose_rule(
        session,
        programme,
        code=loaded["code"],
        document=load_document(loaded["document"]),
        effective_from=loaded["effective_from"],
        effective_until=loaded["effective_until"],
        proposed_by=caller.id,
    )
    rule = proposals.read_proposal(session, rule_id)
    detail = {"code": rule.code, "version": rule.version, "digest": rule.digest}
    audit.record(session, caller, "rule.proposed", "rule", rule_id, detail)
    proposal = agreement.propose(session, caller, rule)
    return see(f"/console/proposals/{ids.encode('prp', proposal.id)}")


def _load(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a rule's schema makes of it. Raises `Refused`, its errors naming the fields."""
    try:
        loaded: dict[str, Any] = validation.load_body(_NEW, written)
    except Refused as refused:
        errors = [{**one, "pointer": f"/{_place(one['pointer'])}"} for one in refused.errors]
        raise Refused(refused.code, errors=errors) from None
    return loaded


def _place(pointer: str) -> str:
    """Return the form's field that a pointer into the rule leads to."""
    found = (step for step in reversed(pointer.split("/")) if step in RuleForm._declared_fields)
    return next(found, "name_zh" if "/names" in pointer else "gives")


def _write(entered: Mapping[str, str], zone: ZoneInfo, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a rule as the form writes it."""
    document: dict[str, Any] = {"gives": entered["gives"]}
    document |= {name: _whole(entered[name]) for name in ("points", "per") if entered[name]}
    if entered["times"]:
        document["times"] = [_whole(entered["times"]), 1]
    if entered["months"]:
        document["expiry"] = {"months": _whole(entered["months"]), "round": "month"}
    names = {"zh": entered["name_zh"], "en": entered["name_en"]}
    if all(names.values()):
        document["names"] = names
    if entered["gives"] != "nothing":
        document |= {name: kept[name] for name in _KEPT if name in kept}
    since = entered["effective_from"]
    return {"code": entered["code"], "document": document, "effective_from": _instant(since, zone)}


def _whole(text: str) -> int | str:
    digits = text.replace(",", "").strip()
    return int(digits) if _WHOLE.fullmatch(digits) else text


def _instant(text: str, zone: ZoneInfo) -> str:
    """Return the instant of a day and time in the programme's zone; what is neither, as it is."""
    if not _LOCAL.fullmatch(text) or text[11:13] > "23":
        return text
    return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()


def _fill_in(document: Mapping[str, Any]) -> dict[str, str]:
    shown = {name: str(document[name]) for name in ("gives", "points", "per") if name in document}
    shown |= {f"name_{language}": text for language, text in document.get("names", {}).items()}
    if "times" in document:
        shown["times"] = str(document["times"][0])
    if "months" in document.get("expiry", {}):
        shown["months"] = str(document["expiry"]["months"])
    return shown


def _show(session: Session, caller: Caller, rule_id: int, found: trial.Trial | None) -> str:
    rule = proposals.read_proposal(session, rule_id)
    show_zone(programmes.find_programme(session, rule.programme).zone_name)
    return render_template(
        "points/rule.html",
        rule=rule,
        number=ids.encode("rul", rule_id),
        sentence=describe(rule.document),
        trial=found,
        shares=_shares(found),
        may_make=MAKER in caller.roles,
        may_try=bool(_TRIERS.roles & caller.roles),
    )


def _shares(found: trial.Trial | None) -> list[tuple[str | None, trial.Share]]:
    """Return the whole (under no tier), then each tier."""
    return [] if found is None else [(None, found.whole), *sorted(found.by_tier.items())]
