"""What the customer agrees to and wishes: taking back is one click, agreeing shows the notice.

The page with a notice carries a sign of which one was shown, in which language and when; with it
the consent is recorded, so what stands on record is what stood on the screen.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Blueprint, current_app, render_template
from marshmallow import Schema, ValidationError, fields, pre_load, validate, validates_schema
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from loyalty import audit, programmes
from loyalty.consent import notices, preferences, queries, receipts, recording
from loyalty.consent.notices import Notice, Purpose, Shown
from loyalty.consent.rules import CHANNELS, GRANT, GRANTED, NO_CHANNEL, PENDING
from loyalty.consent.schemas import ALL_CHANNELS, ClockTime, one_of
from loyalty.consent.snapshot import Preference
from loyalty.consent.wording import ACTIONS, CHANNEL_WORDS, FIELD_WORDS, STATUS_WORDS
from loyalty.web import Access, Caller, Kind, NotFound, Refused, cursors, ids, words
from loyalty.web.fields import Code, Text, TypedWhole
from loyalty.web.screens import screen, see
from loyalty.web.sites import Menu
from loyalty.web.words import show_zone

blueprint = Blueprint("consent_pages", __name__, template_folder="templates")

HOME = "/my/consents"
SURFACE, FORM = "my-pages", "1"
SHOWN = "notice-shown"
MECHANISM = "WEB"
A_PAGE = 50
_ME = Access.browser(Kind.CUSTOMER)
_PURPOSE = f"{HOME}/{{purpose}}"
_RECEIPTS, _RECEIPT = "/my/receipts", "/my/receipts/{consent_id}"


class AgreementForm(Schema):
    """Which channel, and the sign of the notice that was shown."""

    channel = one_of(ALL_CHANNELS, required=True)
    shown = Text(500, required=True)


class WithdrawalForm(Schema):
    """What is taken back; with nothing in it all marketing."""

    purpose = Code(load_default=None)
    channel = one_of(ALL_CHANNELS, load_default=None)


class WishesForm(Schema):
    """How the customer wishes to be contacted; what is left empty is no wish."""

    weekly_cap = TypedWhole(0, 100, load_default=None)
    hours_from = ClockTime(load_default=None)
    hours_until = ClockTime(load_default=None)
    personalisation_off = fields.String(load_default="", validate=validate.OneOf(("", "on")))

    @pre_load
    def _leave_out(self, entered: dict[str, str], **_: Any) -> dict[str, str]:
        return {name: value for name, value in entered.items() if value.strip()}

    @validates_schema
    def _check(self, wishes: dict[str, Any], **_: Any) -> None:
        if (wishes["hours_from"] is None) != (wishes["hours_until"] is None):
            raise ValidationError("hours", "hours_until")


@screen(
    blueprint,
    "GET",
    HOME,
    access=_ME,
    menu=Menu(70, "message"),
    summary=("同意", "Consent"),
)
def get_consents(session: Session, caller: Caller) -> str:
    """Show what was agreed to, by purpose and channel, and the wishes beside."""
    customer_id = _who(session, caller)
    held = _read_states(session, customer_id)
    return render_template(
        "consent/consents.html",
        purposes=[
            (purpose, notice, _list_ways(purpose, held))
            for purpose, notice in queries.list_purposes(session)
        ],
        agreed={status for status in held.values() if status in (GRANTED, PENDING)},
        wishes=preferences.read_preference(session, customer_id),
        channels=CHANNEL_WORDS,
        statuses=STATUS_WORDS,
    )


@screen(
    blueprint,
    "GET",
    _PURPOSE,
    access=_ME,
    summary=("一份告知书", "A notice"),
)
def get_purpose(session: Session, caller: Caller, purpose: str) -> str:
    """Show the notice that is in force, with a button for each way that may be agreed to."""
    customer_id = _who(session, caller)
    found, notice = _find_purpose(session, purpose)
    language = _language()
    shown_at = datetime.now(UTC).isoformat()
    return render_template(
        "consent/purpose.html",
        purpose=found,
        notice=notice,
        told=notice.fields[language],
        body=notice.body_zh if language == "zh" else notice.body_en,
        shown=cursors.sign(SHOWN, [customer_id, notice.id, language, shown_at]),
        ways=_list_ways(found, _read_states(session, customer_id)),
        channels=CHANNEL_WORDS,
        statuses=STATUS_WORDS,
        field_words=FIELD_WORDS,
    )


@screen(
    blueprint,
    "POST",
    _PURPOSE,
    access=_ME,
    form=AgreementForm,
    idempotent=True,
    again=get_purpose,
    summary=("同意", "Agree"),
    problems=("notice-not-in-force", "wrong-channel", "guardian-needed", "invalid-cursor"),
)
def post_agreement(
    session: Session, caller: Caller, purpose: str, entered: dict[str, Any]
) -> Response:
    """Record what was shown, and that the customer agreed to it; this one way and no other."""
    customer_id = _who(session, caller)
    found, notice = _find_purpose(session, purpose)
    read = cursors.read(SHOWN, entered["shown"])
    if read is None or read[:2] != [customer_id, notice.id]:
        raise Refused("notice-not-in-force")
    shown = Shown(
        customer_id=customer_id,
        notice_id=notice.id,
        channel=entered["channel"],
        lang=read[2],
        surface=SURFACE,
        form_version=FORM,
        shown_at=datetime.fromisoformat(read[3]),
    )
    (presentation,) = notices.present(session, [shown])
    event = recording.NewEvent(
        customer_id=customer_id,
        purpose=found.code,
        channel=entered["channel"],
        action=GRANT,
        notice_id=notice.id,
        presentation_id=presentation,
        separate=True,
        **_on_this_page(caller),
    )
    (recorded,) = recording.record(session, caller, [event])
    if recorded.refusal is not None:
        raise recorded.refusal
    detail = {"purpose": found.code, "channel": entered["channel"], "action": GRANT}
    audit.record(session, caller, "consent.recorded", "customer", customer_id, detail)
    return see(HOME)


@screen(
    blueprint,
    "POST",
    f"{HOME}/withdrawals",
    access=_ME,
    form=WithdrawalForm,
    idempotent=True,
    again=get_consents,
    summary=("撤回同意", "Take consent back"),
    problems=("unknown-purpose",),
)
def post_withdrawal(session: Session, caller: Caller, entered: dict[str, Any]) -> Response:
    """Take back a purpose by a channel, or all marketing at once; in force at once."""
    customer_id = _who(session, caller)
    channel = None if entered["channel"] == NO_CHANNEL else entered["channel"]
    done = recording.withdraw(
        session,
        caller,
        [customer_id],
        purpose=entered["purpose"],
        channel=channel,
        **_on_this_page(caller),
    )
    for recorded in done:
        if recorded.refusal is not None:
            raise recorded.refusal
    audit.record(session, caller, "consent.withdrawn", "customer", customer_id, dict(entered))
    return see(HOME)


@screen(
    blueprint,
    "POST",
    f"{HOME}/wishes",
    access=_ME,
    form=WishesForm,
    again=get_consents,
    summary=("设置联系偏好", "Set one's wishes"),
)
def post_wishes(session: Session, caller: Caller, entered: dict[str, Any]) -> Response:
    """Put these wishes in the place of those before; topics that were refused stay refused."""
    customer_id = _who(session, caller)
    before = preferences.read_preference(session, customer_id)
    wishes = Preference(
        weekly_cap=entered["weekly_cap"],
        topics_off=before.topics_off,
        hours_from=entered["hours_from"],
        hours_until=entered["hours_until"],
        personalisation_off=entered["personalisation_off"] == "on",
    )
    kept = preferences.set_preference(session, caller, customer_id, wishes)
    detail = {"version": kept.version}
    audit.record(session, caller, "preferences.set", "customer", customer_id, detail)
    return see(HOME)


@screen(blueprint, "GET", _RECEIPTS, access=_ME, summary=("同意回执", "Receipts"))
def get_receipts(session: Session, caller: Caller) -> str:
    """Show each act of the customer's, the newest first."""
    customer_id = _who(session, caller)
    found = receipts.list_receipts(session, customer_id, before=None, limit=A_PAGE)
    return render_template(
        "consent/receipts.html", receipts=found, channels=CHANNEL_WORDS, actions=ACTIONS
    )


@screen(blueprint, "GET", _RECEIPT, access=_ME, summary=("一份同意回执", "One receipt"))
def get_receipt(session: Session, caller: Caller, consent_id: int) -> str:
    """Show one act with the text that was on the screen when it was done."""
    found = receipts.read_receipt(session, _who(session, caller), consent_id)
    return render_template(
        "consent/receipt.html",
        receipt=found,
        text=_text_of(session, found["pii_processing"]["privacy_notice"]),
        channels=CHANNEL_WORDS,
        actions=ACTIONS,
        statuses=STATUS_WORDS,
    )


@screen(
    blueprint,
    "GET",
    f"{_RECEIPT}/download",
    access=_ME,
    summary=("下载同意回执", "Download a receipt"),
)
def get_receipt_download(session: Session, caller: Caller, consent_id: int) -> Response:
    """Answer the receipt as a file, in the fields of ISO/IEC TS 27560."""
    found = receipts.read_receipt(session, _who(session, caller), consent_id)
    response = current_app.response_class(
        orjson.dumps(found, option=orjson.OPT_INDENT_2), content_type="application/json"
    )
    response.headers["Content-Disposition"] = 'attachment; filename="receipt.json"'
    return response


def _who(session: Session, caller: Caller) -> int:
    assert caller.customer_id is not None, "these pages are for customers alone"
    found = programmes.find_membership(session, caller.customer_id)
    if found is not None:
        show_zone(found[0].zone_name)
    return caller.customer_id


def _language() -> str:
    return "zh" if words.language() == "zh" else "en"


def _on_this_page(caller: Caller) -> dict[str, Any]:
    """Return how an act of this request is proved."""
    return {
        "mechanism": MECHANISM,
        "source": caller.id,
        "reference": caller.request_id,
        "proof": {"request": caller.request_id, "session": caller.token_fingerprint},
    }


def _find_purpose(session: Session, code: str) -> tuple[Purpose, Notice]:
    """Return a purpose with the notice in force. Raises `NotFound` where nothing is asked yet."""
    for purpose, notice in queries.list_purposes(session):
        if purpose.code == code and notice is not None:
            return purpose, notice
    raise NotFound


def _read_states(session: Session, customer_id: int) -> dict[tuple[str, str], str]:
    """Return what the customer's will is by purpose and channel; a partner agreed to counts."""
    states: dict[tuple[str, str], str] = {}
    for row in queries.list_states(session, customer_id):
        key = (row["purpose"], row["channel"])
        if states.get(key) != GRANTED:
            states[key] = row["status"]
    return states


def _list_ways(purpose: Purpose, held: Mapping[tuple[str, str], str]) -> list[tuple[str, str]]:
    """Return each channel of a purpose with the customer's will; nothing said means no."""
    ways = CHANNELS if purpose.by_channel else (NO_CHANNEL,)
    return [(way, held.get((purpose.code, way), "")) for way in ways]


def _text_of(session: Session, notice: Mapping[str, Any] | None) -> str:
    """Return the words of the notice that a receipt names, in the language of the screen."""
    if notice is None:
        return ""
    number = ids.decode("ntc", notice["id"])
    found = notices.read_notices(session, [number])[number]
    shown = notice["shown"]
    language = shown["language"] if shown else _language()
    return found.body_zh if language == "zh" else found.body_en
