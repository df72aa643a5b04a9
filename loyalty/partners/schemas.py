"""Partners as JSON."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.partners.credentials import SCOPES
from loyalty.partners.models import ACTIVE, ENDED, STATES
from loyalty.partners.rules import WEEKDAYS, are_hours
from loyalty.web import ids
from loyalty.web.fields import Code, Instant, PublicId, Reference, Text, Truth, dump_instant

MOST_OUTLETS = 50
MOST_LIMITS = 200
MOST_SPANS = 4
REASONS = ("contract", "fraud", "dispute", "insolvency", "review_passed", "request", "other")
Currency = validate.Regexp(r"[A-Z]{3}\Z")
Zone = validate.OneOf(("Asia/Shanghai", "Asia/Hong_Kong", "Asia/Macau", "Asia/Taipei", "UTC"))


class PartnerNameSchema(Schema):
    """The same in Chinese and in English."""

    zh = Text(100, required=True)
    en = Text(100, required=True)


def _check_hours(hours: dict[str, Any]) -> None:
    if not are_hours(hours):
        raise ValidationError("opening_hours")


class OpeningHours(fields.Dict):
    """By weekday, pairs of times such as ["09:00", "21:30"]; a day that is missing is closed.

    Hours past midnight are two: until 24:00, and from 00:00 of the next day.
    """

    def __init__(self, **options: Any) -> None:
        times = fields.List(fields.String(), validate=validate.Length(2, 2))
        super().__init__(
            keys=fields.String(validate=validate.OneOf(WEEKDAYS)),
            values=fields.List(times, validate=validate.Length(0, MOST_SPANS)),
            validate=_check_hours,
            allow_none=True,
            **options,
        )


class NewOutletSchema(Schema):
    """An outlet to be opened. Without opening hours it takes coupons whenever it is open."""

    code = Code(required=True)
    name = fields.Nested(PartnerNameSchema, required=True)
    address = Text(300, required=True)
    zone = fields.String(load_default="Asia/Shanghai", validate=Zone)
    opening_hours = OpeningHours(load_default=None)


class NewPartnerSchema(Schema):
    """A partner to be opened, with its first outlets, once another person has agreed."""

    code = Code(required=True)
    name = fields.Nested(PartnerNameSchema, required=True)
    currency = fields.String(load_default="CNY", validate=Currency)
    outlets = fields.List(
        fields.Nested(NewOutletSchema),
        load_default=list,
        validate=validate.Length(0, MOST_OUTLETS),
    )

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        codes = [outlet["code"] for outlet in content["outlets"]]
        if len(codes) != len(set(codes)):
            raise ValidationError("repeated", "outlets")


class OutletChangesSchema(Schema):
    """What is to change of an outlet; what is left out stays. Null hours: always open."""

    name = fields.Nested(PartnerNameSchema)
    address = Text(300)
    opening_hours = OpeningHours()
    is_open = Truth()

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if not content:
            raise ValidationError("Missing data for required field.", "is_open")


class SuspensionSchema(Schema):
    """Why a partner is suspended at once."""

    reason = fields.String(required=True, validate=validate.OneOf(REASONS))


class StateChangeSchema(Schema):
    """The state that a partner is to have once another person has agreed."""

    state = fields.String(required=True, validate=validate.OneOf((ACTIVE, ENDED)))
    reason = fields.String(required=True, validate=validate.OneOf(REASONS))


class NewPartnerClientSchema(Schema):
    """A client to be added once another person has agreed; null limits: all of the partner's."""

    name = Code(required=True)
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        required=True,
        validate=validate.Length(1, len(SCOPES)),
    )
    series = fields.List(
        Reference(), load_default=None, allow_none=True, validate=validate.Length(0, MOST_LIMITS)
    )
    outlets = fields.List(
        PublicId("otl"),
        load_default=None,
        allow_none=True,
        validate=validate.Length(0, MOST_LIMITS),
    )
    signature_required = Truth(load_default=True)
    sandbox = Truth(load_default=False)


class ClientKeySchema(Schema):
    """A public key (JWK): Ed25519 or P-256, for assertions and for signed calls."""

    kty = fields.String(required=True, validate=validate.OneOf(("OKP", "EC")))
    crv = fields.String(required=True, validate=validate.OneOf(("Ed25519", "P-256")))
    x = Text(100, required=True)
    y = Text(100)


class NewClerkSchema(Schema):
    """Somebody who is to work at an outlet's counter."""

    outlet_id = PublicId("otl", required=True)
    login = Reference(required=True)
    name = Text(100, required=True)


class ClerkChangesSchema(Schema):
    """Whether somebody may work at the counter."""

    is_enabled = Truth(required=True)


class PartnerSchema(Schema):
    """A partner; `reason` and `since` say why it is in its state, and since when."""

    partner_id = PublicId("prt", required=True)
    code = fields.String(required=True)
    name = fields.Nested(PartnerNameSchema, required=True)
    currency = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    reason = fields.String(required=True)
    since = Instant(required=True)
    opened_at = Instant(required=True)


class PartnersPageSchema(Schema):
    """One page of partners."""

    items = fields.List(fields.Nested(PartnerSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class OutletSchema(Schema):
    """An outlet."""

    outlet_id = PublicId("otl", required=True)
    code = fields.String(required=True)
    name = fields.Nested(PartnerNameSchema, required=True)
    address = fields.String(required=True)
    zone = fields.String(required=True)
    opening_hours = OpeningHours(required=True)
    is_open = Truth(required=True)


class OutletsPageSchema(Schema):
    """One page of outlets."""

    items = fields.List(fields.Nested(OutletSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PartnerClientSchema(Schema):
    """A client; of its secrets only how many are live, of its keys only their ids."""

    client_id = PublicId("cli", required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    series = fields.List(fields.String(), required=True, allow_none=True)
    outlets = fields.List(PublicId("otl"), required=True, allow_none=True)
    signature_required = Truth(required=True)
    sandbox = Truth(required=True)
    live_secrets = fields.Integer(required=True)
    key_ids = fields.List(fields.String(), required=True)
    created_at = Instant(required=True)
    revoked_at = Instant(required=True, allow_none=True)


class PartnerClientsPageSchema(Schema):
    """One page of clients."""

    items = fields.List(fields.Nested(PartnerClientSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ShownSecretSchema(Schema):
    """A secret, shown this once and never again."""

    client_id = PublicId("cli", required=True)
    secret = fields.String(required=True)


class KeyIdSchema(Schema):
    """The id (RFC 7638) under which a key was registered."""

    client_id = PublicId("cli", required=True)
    key_id = fields.String(required=True)


class ShownPasswordSchema(Schema):
    """A clerk's password, shown this once and never again."""

    clerk_id = PublicId("clk", required=True)
    password = fields.String(required=True)


class ClerkSchema(Schema):
    """Somebody at a counter."""

    clerk_id = PublicId("clk", required=True)
    outlet_id = PublicId("otl", required=True)
    login = fields.String(required=True)
    name = fields.String(required=True)
    is_enabled = Truth(required=True)


class ClerksPageSchema(Schema):
    """One page of the people at a partner's counters."""

    items = fields.List(fields.Nested(ClerkSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def dump_partner(row: Any) -> dict[str, Any]:
    """Return a partner in the shape of `PartnerSchema`."""
    return {
        "partner_id": ids.encode("prt", row.id),
        "code": row.code,
        "name": {"zh": row.name_zh, "en": row.name_en},
        "currency": row.currency,
        "state": row.state,
        "reason": row.reason,
        "since": dump_instant(row.at),
        "opened_at": dump_instant(row.opened_at),
    }


def dump_outlet(row: Any) -> dict[str, Any]:
    """Return an outlet in the shape of `OutletSchema`."""
    return {
        "outlet_id": ids.encode("otl", row.id),
        "code": row.code,
        "name": {"zh": row.name_zh, "en": row.name_en},
        "address": row.address,
        "zone": row.zone,
        "opening_hours": row.opening_hours,
        "is_open": row.is_open,
    }


def dump_client(row: Any) -> dict[str, Any]:
    """Return a client in the shape of `PartnerClientSchema`."""
    outlets = row.outlets
    return {
        "client_id": ids.encode("cli", row.id),
        "name": row.name,
        "scopes": row.scopes,
        "series": row.series,
        "outlets": None if outlets is None else [ids.encode("otl", one) for one in outlets],
        "signature_required": row.signature_required,
        "sandbox": row.sandbox,
        "live_secrets": row.secrets,
        "key_ids": row.keys,
        "created_at": dump_instant(row.created_at),
        "revoked_at": None if row.disabled_at is None else dump_instant(row.disabled_at),
    }


def dump_clerk(row: Any) -> dict[str, Any]:
    """Return a clerk in the shape of `ClerkSchema`."""
    return {
        "clerk_id": ids.encode("clk", row.id),
        "outlet_id": ids.encode("otl", row.outlet_id),
        "login": row.login,
        "name": row.name,
        "is_enabled": row.is_enabled,
    }
