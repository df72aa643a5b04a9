"""Customers for the bank's systems, for the customers themselves and for staff."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, proposals, staff, vault
from loyalty.customers import agreement, person, queries, registration, watching
from loyalty.customers.rules import NewCustomer
from loyalty.customers.schemas import (
    CustomerSchema,
    CustomerTokenSchema,
    ErasureSchema,
    FoundSchema,
    NewCustomersSchema,
    PersonSchema,
    ReceiptSchema,
    RegistrationSchema,
    RevealSchema,
    SearchSchema,
    TokenRequestSchema,
    dump_customer,
    dump_person,
    dump_receipt,
    dump_registered,
)
from loyalty.database import transaction
from loyalty.web import Access, Caller, NotFound, Refused, endpoint

blueprint = Blueprint("customers", __name__)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers",
    access=Access.system("customers:write"),
    body=NewCustomersSchema,
    answer=RegistrationSchema,
    status=201,
    idempotent=True,
    summary=("登记客户", "Register customers"),
    problems=("reference-taken", "customer-erased"),
)
def post_customers(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Register the customers whom we do not know; a refused one does not stop the others."""
    results = registration.register(session, [NewCustomer(**new) for new in body["customers"]])
    if len(results) == 1 and results[0].is_refused:
        raise Refused(results[0].outcome.value)
    for result in results:
        if result.outcome is registration.Outcome.REGISTERED:
            assert result.customer_id is not None
            audit.record(session, caller, "customer.registered", "customer", result.customer_id)
    return {"customers": [dump_registered(result) for result in results]}


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}",
    access=Access.customer("customers:read"),
    answer=CustomerSchema,
    summary=("查看客户(脱敏)", "See a customer, masked"),
)
def get_customer(session: Session, customer_id: int) -> dict[str, Any]:
    """Answer a customer without anything that identifies the person."""
    return _dump_masked(session, [_find(session, customer_id)])[0]


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/search",
    access=Access.staff("support", "branch", "head_office", or_system="customers:search"),
    body=SearchSchema,
    answer=FoundSchema,
    not_idempotent="it changes nothing, and each look leaves a row of its own",
    summary=("按编号或电话查找客户", "Find customers by reference or phone"),
    problems=("too-many-look-ups",),
)
def post_search(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Answer the customers found, masked, and keep who looked, how and why."""
    with transaction() as session:
        watching.count(session, caller)
    with transaction() as session:
        by = "reference" if "reference" in body else "phone"
        if by == "phone":
            found = queries.find_by_phone(session, body["phone"])
        else:
            known = queries.find_by_reference(session, [body["reference"]])
            found = list(queries.customers_by_id(session, known.values()).values())
        watching.watch(session, caller, [customer.id for customer in found])
        detail = {"by": by, "purpose": body["purpose"], "found": len(found)}
        audit.record(session, caller, "customer.searched", "customers", by, detail)
        return {"customers": _dump_masked(session, found)}


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/reveal",
    access=Access.staff("support", "head_office"),
    body=RevealSchema,
    answer=PersonSchema,
    not_idempotent="it changes nothing, and an answer kept for repetition would hold the person",
    summary=("查看客户个人信息", "Read a customer's personal data"),
    problems=("customer-erased", "too-many-look-ups"),
)
def post_reveal(caller: Caller, customer_id: int, body: dict[str, Any]) -> dict[str, Any]:
    """Answer the person in clear, and keep who read it and why."""
    with transaction() as session:
        watching.count(session, caller)
    with transaction() as session:
        purpose = person.Purpose(body["purpose"])
        watching.watch(session, caller, [customer_id])
        found = person.read_person(session, customer_id, purpose)
        detail = {"purpose": purpose.value}
        audit.record(session, caller, "customer.revealed", "customer", customer_id, detail)
        return dump_person(customer_id, found)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/erasure",
    access=Access.staff("data_officer"),
    body=ErasureSchema,
    answer=proposals.ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议删除客户个人信息", "Propose to erase a customer's personal data"),
    problems=("customer-erased",),
)
def post_erasure(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose to destroy the customer's key; that is done when a second person agrees."""
    if not _find(session, customer_id).is_active:
        raise Refused("customer-erased")
    content = {"reason": body["reason"]}
    proposal = proposals.propose(
        session, caller, agreement.ERASURE, "customer", customer_id, content
    )
    return proposals.dump_proposal(proposal)


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/erasure",
    access=Access.staff("data_officer", "head_office", "compliance", "auditor"),
    answer=ReceiptSchema,
    reading=True,
    summary=("查看删除凭证", "Read the receipt of an erasure"),
)
def get_erasure(session: Session, customer_id: int) -> dict[str, Any]:
    """Answer the signed receipt of a customer's erasure; not found for who is not erased."""
    receipt = vault.find_receipt(session, customer_id)
    if receipt is None:
        raise NotFound
    return dump_receipt(receipt)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/tokens",
    access=Access.system("customers:tokens"),
    body=TokenRequestSchema,
    answer=CustomerTokenSchema,
    status=201,
    not_idempotent="every call makes a new token, and a token is never kept",
    summary=("为客户签发短期令牌", "Get a short-lived token for a customer"),
    problems=("customer-erased",),
)
def post_token(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Answer a token that sees this customer alone and allows no more than its giver may."""
    if not caller.scopes.issuperset(body["scopes"]):
        raise Refused("insufficient-scope")
    if not _find(session, customer_id).is_active:
        raise Refused("customer-erased")
    issued = staff.issue_customer_token(caller, customer_id, body["scopes"])
    detail = {"scopes": list(issued.scopes)}
    audit.record(session, caller, "customer.token_issued", "customer", customer_id, detail)
    return {
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scopes": list(issued.scopes),
    }


def _find(session: Session, customer_id: int) -> queries.Customer:
    found = queries.customers_by_id(session, [customer_id])
    if customer_id not in found:
        raise NotFound
    return found[customer_id]


def _dump_masked(session: Session, customers: list[queries.Customer]) -> list[dict[str, Any]]:
    people = person.read_masked(session, [customer.id for customer in customers])
    return [dump_customer(customer, people.get(customer.id)) for customer in customers]
