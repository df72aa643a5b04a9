"""The customers: registered once by the bank's reference, their personal data sealed."""

from loyalty.customers.agreement import ERASURE
from loyalty.customers.aliases import find_persons
from loyalty.customers.erasure import erase, replay_erasures
from loyalty.customers.person import Purpose, read_masked, read_people, read_person
from loyalty.customers.queries import (
    Customer,
    customers_by_id,
    find_by_phone,
    find_by_reference,
)
from loyalty.customers.registration import Outcome, Registered, register
from loyalty.customers.rules import MaskedPerson, NewCustomer, Person
from loyalty.customers.sign_in import make_code
from loyalty.customers.watching import place_canary, watch

__all__ = [
    "ERASURE",
    "Customer",
    "MaskedPerson",
    "NewCustomer",
    "Outcome",
    "Person",
    "Purpose",
    "Registered",
    "customers_by_id",
    "erase",
    "find_by_phone",
    "find_by_reference",
    "find_persons",
    "make_code",
    "place_canary",
    "read_masked",
    "read_people",
    "read_person",
    "register",
    "replay_erasures",
    "watch",
]
