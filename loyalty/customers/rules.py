"""What may be registered about a person, and how much of it is shown."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from loyalty import vault

LONGEST_NAME = 100
LONGEST_EMAIL = 254
EARLIEST_BIRTHDAY = date(1900, 1, 1)

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}")
_DIGIT_RUN = re.compile(r"[0-9](?:[ .:_-]?[0-9]){12,}")
_IDENTITY_NUMBER = re.compile(r"(?<![0-9])[1-9][0-9]{16}[0-9Xx](?![0-9])")
_CARD_DIGITS = range(13, 20)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A person as the bank reports them; everything but the reference may stay unknown.

    `invented` marks people who do not exist, for demonstrations.
    """

    reference: str
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    birthday: date | None = None
    invented: bool = False
    branch_id: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field: the field's name and a code."""

    field: str
    code: str


@dataclass(frozen=True, slots=True)
class Person:
    """Personal data in clear, or masked. Never logged: its representation shows nothing."""

    name: str | None
    phone: str | None
    email: str | None
    birthday: date | None

    def __repr__(self) -> str:
        return "Person(…)"


@dataclass(frozen=True, slots=True)
class MaskedPerson:
    """What anybody who may see the customer sees of the person."""

    name: str | None
    phone: str | None
    email: str | None
    birthday: str | None


def clean(new: NewCustomer, today: date) -> NewCustomer | list[Fault]:
    """Return the customer in canonical form, or everything that is wrong."""
    faults: list[Fault] = []

    def keep(name: str, check: Callable[[str], str], value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return check(value)
        except ValueError as refused:
            faults.append(Fault(name, str(refused)))
            return None

    cleaned = replace(
        new,
        reference=keep("reference", _reference, new.reference) or "",
        name=keep("name", _name, new.name),
        phone=keep("phone", _phone, new.phone),
        email=keep("email", _email, new.email),
    )
    if cleaned.phone is not None and cleaned.phone.removeprefix("+86") in new.reference:
        faults.append(Fault("reference", "own_phone"))
    if new.birthday is not None and not EARLIEST_BIRTHDAY <= new.birthday <= today:
        faults.append(Fault("birthday", "range"))
    return faults or cleaned


def has_card_number(text: str) -> bool:
    """Return whether 13 to 19 digits in `text`, written together or apart, pass Luhn's check."""
    for run in _DIGIT_RUN.findall(unicodedata.normalize("NFKC", text)):
        digits = [int(character) for character in run if character.isdigit()]
        if len(digits) in _CARD_DIGITS and _passes_luhn(digits):
            return True
    return False


def has_identity_number(text: str) -> bool:
    """Return whether `text` holds a resident identity number with its right last character."""
    for number in _IDENTITY_NUMBER.findall(unicodedata.normalize("NFKC", text)):
        total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
        if "10X98765432"[total % 11] == number[-1].upper():
            return True
    return False


def mask(person: Person) -> MaskedPerson:
    """Return as much of a person as suffices to recognise someone whom one talks to."""
    return MaskedPerson(
        name=None if person.name is None else person.name[:1] + "**",
        phone=None if person.phone is None else _mask_phone(person.phone),
        email=None if person.email is None else _mask_email(person.email),
        birthday=None if person.birthday is None else "****-**-**",
    )


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError("reference")
    return _without_numbers_of_people(value)


def _name(value: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", value).split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError("length")
    if not name.isprintable():
        raise ValueError("characters")
    return _without_numbers_of_people(name)


def _phone(value: str) -> str:
    try:
        return vault.canonical_phone(value)
    except ValueError:
        raise ValueError("phone") from None


def _email(value: str) -> str:
    local, _, domain = value.strip().rpartition("@")
    address = f"{local}@{domain.lower()}"
    if len(address) > LONGEST_EMAIL or not _EMAIL.fullmatch(address):
        raise ValueError("email")
    return _without_numbers_of_people(address)


def _without_numbers_of_people(value: str) -> str:
    if has_card_number(value):
        raise ValueError("card_number")
    if has_identity_number(value):
        raise ValueError("identity_number")
    return value


def _passes_luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _mask_phone(phone: str) -> str:
    if phone.startswith("+86") and len(phone) == 14:
        return f"{phone[3:6]}****{phone[-4:]}"
    return "*" * (len(phone) - 2) + phone[-2:]


def _mask_email(email: str) -> str:
    return f"{email[0]}***@{email.rpartition('@')[2]}"
