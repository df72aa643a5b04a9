"""Customers as JSON: what is taken, what is shown, and what is shown only for a purpose."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty import vault
from loyalty.customers.models import ACTIVE, ERASED
from loyalty.customers.person import Purpose
from loyalty.customers.queries import Customer
from loyalty.customers.registration import Registered
from loyalty.customers.rules import LONGEST_EMAIL, LONGEST_NAME, MaskedPerson, Person
from loyalty.customers.wording import FAULTS
from loyalty.web import ids, validation
from loyalty.web.fields import Day, Instant, PublicId, Text, Truth, Whole, dump_instant

MOST_AT_ONCE = 1000

validation.MESSAGES.setdefault("phone", ("phone", *FAULTS["phone"]))
validation.MESSAGES.setdefault(
    "one_of_two",
    (
        "one_of_two",
        "reference 与 phone 必须给出且只能给出一项",
        "takes a reference or a phone number, one of the two",
    ),
)


class Phone(Text):
    """A telephone number in any usual form; without a country it is China's. Loads as E.164."""

    def __init__(self, **options: Any) -> None:
        super().__init__(40, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        written = super()._deserialize(value, attr, data, **kwargs)
        try:
            return vault.canonical_phone(written)
        except ValueError:
            raise ValidationError("phone") from None


class NewCustomerSchema(Schema):
    """A customer as the bank reports them. What is left out stays unknown."""

    reference = Text(64, required=True)
    name = Text(LONGEST_NAME)
    phone = Phone()
    email = Text(LONGEST_EMAIL)
    birthday = Day()
    branch_id = PublicId("unt")


class NewCustomersSchema(Schema):
    """One to a thousand customers."""

    customers = fields.List(
        fields.Nested(NewCustomerSchema),
        required=True,
        validate=validate.Length(1, MOST_AT_ONCE),
    )


class RegisteredSchema(Schema):
    """What became of one registration; `problem` says why there is no `customer_id`."""

    reference = Text(64, required=True)
    customer_id = PublicId("cus", required=True, allow_none=True)
    outcome = fields.String(
        required=True, validate=validate.OneOf(("registered", "known", "refused"))
    )
    problem = fields.String(required=True, allow_none=True)


class RegistrationSchema(Schema):
    """One result for each customer that was sent, in the same order."""

    customers = fields.List(fields.Nested(RegisteredSchema), required=True)


class MaskedPersonSchema(Schema):
    """As much of a person as suffices to recognise them."""

    name = fields.String(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    birthday = fields.String(required=True, allow_none=True)


class CustomerSchema(Schema):
    """A customer, masked; `person` is null once the customer is erased."""

    id = PublicId("cus", required=True)
    reference = Text(64, required=True)
    state = fields.String(required=True, validate=validate.OneOf((ACTIVE, ERASED)))
    registered_at = Instant(required=True)
    invented = Truth(required=True)
    branch_id = PublicId("unt", required=True, allow_none=True)
    person = fields.Nested(MaskedPersonSchema, required=True, allow_none=True)


class SearchSchema(Schema):
    """A reference or a phone number, and why one looks."""

    reference = Text(64)
    phone = Phone()
    purpose = fields.String(required=True, validate=validate.OneOf([p.value for p in Purpose]))

    @validates_schema
    def check_one(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a search for both or for neither."""
        if ("reference" in data) == ("phone" in data):
            raise ValidationError("one_of_two")


class FoundSchema(Schema):
    """The customers found; a phone number may belong to several."""

    customers = fields.List(fields.Nested(CustomerSchema), required=True)


class RevealSchema(Schema):
    """Why one needs to read the person."""

    purpose = fields.String(required=True, validate=validate.OneOf([p.value for p in Purpose]))


class PersonSchema(Schema):
    """A person in clear."""

    customer_id = PublicId("cus", required=True)
    name = fields.String(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    birthday = Day(required=True, allow_none=True)


class ErasureSchema(Schema):
    """Why a person is erased: a code, because a sentence could name them."""

    reason = fields.String(
        required=True, validate=validate.OneOf([reason.value for reason in vault.Reason])
    )


class ReceiptSchema(Schema):
    """A signed record of erasure.

    `signature` (Ed25519, hex) is over `quanyi/erasure/v1`, a zero byte, and `statement` as JSON
    with sorted keys and no spaces.
    """

    customer_id = PublicId("cus", required=True)
    erased_at = Instant(required=True)
    reason = fields.String(required=True)
    keys_destroyed = Whole(required=True)
    look_ups_destroyed = Whole(required=True)
    statement = fields.Dict(keys=fields.String(), required=True)
    signature = fields.String(required=True)
    public_key = fields.String(required=True)


class TokenRequestSchema(Schema):
    """What the customer's token shall allow."""

    scopes = fields.List(Text(64), required=True, validate=validate.Length(1, 20))


class CustomerTokenSchema(Schema):
    """A token with which one customer alone can be seen."""

    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = Whole(required=True)
    scopes = fields.List(fields.String(), required=True)


def dump_registered(result: Registered) -> dict[str, Any]:
    """Return one result in the shape of `RegisteredSchema`."""
    return {
        "reference": result.reference,
        "customer_id": None
        if result.customer_id is None
        else ids.encode("cus", result.customer_id),
        "outcome": "refused" if result.is_refused else result.outcome.value,
        "problem": result.outcome.value if result.is_refused else None,
    }


def dump_customer(customer: Customer, person: MaskedPerson | None) -> dict[str, Any]:
    """Return a customer in the shape of `CustomerSchema`."""
    return {
        "id": ids.encode("cus", customer.id),
        "reference": customer.reference,
        "state": customer.state,
        "registered_at": dump_instant(customer.registered_at),
        "invented": customer.invented,
        "branch_id": None if customer.branch_id is None else ids.encode("unt", customer.branch_id),
        "person": None
        if person is None
        else {
            "name": person.name,
            "phone": person.phone,
            "email": person.email,
            "birthday": person.birthday,
        },
    }


def dump_person(customer_id: int, person: Person) -> dict[str, Any]:
    """Return a person in the shape of `PersonSchema`."""
    return {
        "customer_id": ids.encode("cus", customer_id),
        "name": person.name,
        "phone": person.phone,
        "email": person.email,
        "birthday": None if person.birthday is None else person.birthday.isoformat(),
    }


def dump_receipt(receipt: vault.Receipt) -> dict[str, Any]:
    """Return a receipt in the shape of `ReceiptSchema`."""
    return {
        "customer_id": ids.encode("cus", receipt.customer_id),
        "erased_at": dump_instant(receipt.erased_at),
        "reason": receipt.statement["reason"],
        "keys_destroyed": receipt.statement["keys"],
        "look_ups_destroyed": receipt.statement["look_ups"],
        "statement": receipt.statement,
        "signature": receipt.signature.hex(),
        "public_key": vault.keyring().public_key.hex(),
    }
