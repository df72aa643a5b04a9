"""The customers: registered once by the bank's reference, their personal data sealed."""

from loyalty.customers.queries import (
    Customer,
    customers_by_id,
    find_by_phone,
    find_by_reference,
)
from loyalty.customers.registration import Outcome, Registered, register
from loyalty.customers.rules import NewCustomer

__all__ = [
    "Customer",
    "NewCustomer",
    "Outcome",
    "Registered",
    "customers_by_id",
    "find_by_phone",
    "find_by_reference",
    "register",
]
