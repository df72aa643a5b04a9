"""Points: purchases earn them, refunds take them back, time lapses them, and each says why."""

from loyalty.points import import_wording as import_wording
from loyalty.points.confirmation import Confirmed, NewConfirmation, Unconfirmed, confirm
from loyalty.points.earning import NewPurchase, Outcome, Recorded, Refused, record_purchases
from loyalty.points.expiry import expire_inactive, expire_points, release_lapsed_holds
from loyalty.points.refunds import NewRefund, Refunded, record_refund
from loyalty.points.rule_wording import describe as describe_rule
from loyalty.points.rulebook import decide_rule, propose_rule, read_rulebook
from loyalty.points.rules_schemas import DocumentSchema, load_document

__all__ = [
    "Confirmed",
    "DocumentSchema",
    "NewConfirmation",
    "NewPurchase",
    "NewRefund",
    "Outcome",
    "Recorded",
    "Refunded",
    "Refused",
    "Unconfirmed",
    "confirm",
    "decide_rule",
    "describe_rule",
    "expire_inactive",
    "expire_points",
    "load_document",
    "propose_rule",
    "read_rulebook",
    "record_purchases",
    "record_refund",
    "release_lapsed_holds",
]
