"""Customers for staff: found by exact number or telephone, masked, in clear only for a purpose."""

from typing import Any

from flask import Blueprint, render_template
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.customers import person, queries, watching
from loyalty.customers.pages import ERASURE_ASKED, PURPOSES
from loyalty.customers.rules import Person
from loyalty.database import transaction
from loyalty.web import Access, Caller, Kind, NotFound, ids
from loyalty.web.screens import screen
from loyalty.web.sites import Menu, panel, read_panels

blueprint = Blueprint("customers_console", __name__, template_folder="templates")

CUSTOMER = "console-customer"
SEARCH = "/console/customers"
ONE = "/console/customers/{customer_id}"
LOOKS = 20
_SEARCHERS = Access.browser(Kind.STAFF, "support", "branch", "head_office")
_REVEALERS = Access.browser(Kind.STAFF, "support", "head_office")


@panel(CUSTOMER, 5, "customers/console_erasure.html", Access.browser(Kind.STAFF))
def read_erasure(session: Session, customer_id: int) -> dict[str, Any] | None:
    """Return when a customer asked to be erased; None where they did not."""
    number = ids.encode("cus", customer_id)
    asked = audit.find_last(session, "customer", number, ERASURE_ASKED)
    return None if asked is None else {"asked": asked}


class SearchForm(Schema):
    """A customer number or a whole telephone number, and why one looks."""

    sought = fields.String(required=True, validate=validate.Length(1, 64))
    by = fields.String(required=True, validate=validate.OneOf(("reference", "phone")))
    purpose = fields.String(required=True, validate=validate.OneOf(tuple(PURPOSES)))

    @validates_schema
    def _check_phone(self, content: dict[str, Any], **_: Any) -> None:
        if content.get("by") == "phone" and not content["sought"].strip("+ -0123456789") == "":
            raise ValidationError("text", "sought")


class RevealForm(Schema):
    """Why one reads a person."""

    purpose = fields.String(required=True, validate=validate.OneOf(tuple(PURPOSES)))


@screen(
    blueprint,
    "GET",
    SEARCH,
    access=_SEARCHERS,
    menu=Menu(10, "search", key="c", group="1-customers"),
    summary=("查找客户", "Find a customer"),
)
def get_search() -> str:
    """Show the form."""
    return render_template("customers/search.html", found=None, people={}, purposes=PURPOSES)


@screen(
    blueprint,
    "POST",
    SEARCH,
    access=_SEARCHERS,
    form=SearchForm,
    again=get_search,
    summary=("查找客户", "Find a customer"),
)
def post_search(caller: Caller, entered: dict[str, Any]) -> str:
    """Show whom was found, masked, and keep who looked, how and why; nothing stands in a URL."""
    with transaction() as session:
        watching.count(session, caller)
    with transaction() as session:
        found = _search(session, entered["by"], entered["sought"].strip())
        watching.watch(session, caller, [customer.id for customer in found])
        detail = {"by": entered["by"], "purpose": entered["purpose"], "found": len(found)}
        audit.record(session, caller, "customer.searched", "customers", entered["by"], detail)
        people = person.read_masked(session, [customer.id for customer in found])
        return render_template(
            "customers/search.html", found=found, people=people, purposes=PURPOSES
        )


@screen(blueprint, "GET", ONE, access=_SEARCHERS, summary=("一位客户", "One customer"))
def get_one(session: Session, caller: Caller, customer_id: int) -> str:
    """Show a customer, masked, with what each slice knows; who opens the page stands on it."""
    return _show(session, caller, customer_id, None)


@screen(
    blueprint,
    "POST",
    f"{ONE}/reveal",
    access=_REVEALERS,
    form=RevealForm,
    confirmed=True,
    again=get_one,
    summary=("查看个人信息", "Read personal data"),
)
def post_reveal(caller: Caller, customer_id: int, entered: dict[str, Any]) -> str:
    """Show the person in clear on this one page, and keep who read it and why."""
    with transaction() as session:
        watching.count(session, caller)
    with transaction() as session:
        purpose = person.Purpose(entered["purpose"])
        watching.watch(session, caller, [customer_id])
        found = person.read_person(session, customer_id, purpose)
        detail = {"purpose": purpose.value}
        audit.record(session, caller, "customer.revealed", "customer", customer_id, detail)
        return _show(session, caller, customer_id, found)


def _show(session: Session, caller: Caller, customer_id: int, clear: Person | None) -> str:
    customer = queries.customers_by_id(session, [customer_id]).get(customer_id)
    if customer is None:
        raise NotFound
    audit.record(session, caller, "customer.opened", "customer", customer_id)
    public = ids.encode("cus", customer_id)
    return render_template(
        "customers/one.html",
        customer=customer,
        number=public,
        masked=person.read_masked(session, [customer_id]).get(customer_id),
        clear=clear,
        may_reveal=bool(_REVEALERS.roles & caller.roles),
        purposes=PURPOSES,
        looks=audit.list_looks(session, "customer", public, LOOKS),
        panels=read_panels(CUSTOMER, session, caller, customer_id=customer_id),
    )


def _search(session: Session, by: str, sought: str) -> list[queries.Customer]:
    if by == "phone":
        return queries.find_by_phone(session, sought)
    known = queries.find_by_reference(session, [sought])
    return list(queries.customers_by_id(session, known.values()).values())
