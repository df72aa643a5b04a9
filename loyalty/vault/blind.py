"""Looking a customer up by a value that the database does not hold in clear.

The digest is keyed, because ten thousand million phone numbers can be guessed in an afternoon by
anybody who has the key. It shows which customers share a value, nothing else.
"""

import hmac
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable

import phonenumbers
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.vault.keyfile import KeyRing, keyring

HOME_REGION = "CN"
PHONE = "phone"
ID_NUMBER = "id_number"
LONGEST = 40
# Letters would pass as a spelled number and an extension would silently be dropped.
PHONE_CHARACTERS = frozenset("0123456789+-(). ")
_PLAIN_MOBILE = re.compile(r"(?:\+86)?(1[3-9][0-9]{9})")

KIN = text("""
WITH RECURSIVE kin (customer_id, other) AS (
    SELECT id, id FROM unnest(CAST(:ids AS bigint[])) AS id
    UNION
    SELECT kin.customer_id, theirs.customer_id FROM kin
    JOIN vault.blind_indexes mine ON mine.customer_id = kin.other
    JOIN vault.blind_indexes theirs ON (theirs.field, theirs.digest) = (mine.field, mine.digest)
)
SELECT customer_id, min(other) AS oldest FROM kin GROUP BY customer_id
""")


def canonical_phone(value: str) -> str:
    """Return the number in E.164 form, however it was written; without a country it is China's.

    Raises `ValueError` on anything that is no telephone number.
    """
    written = unicodedata.normalize("NFKC", value).strip()
    plain = _PLAIN_MOBILE.fullmatch(written)
    if plain is not None:
        # Nearly every number comes like this, and reading it needs no parser.
        number = phonenumbers.PhoneNumber(country_code=86, national_number=int(plain[1]))
        return _valid(number)
    if len(written) > LONGEST or not PHONE_CHARACTERS.issuperset(written):
        raise ValueError("not a telephone number")
    try:
        number = phonenumbers.parse(written, HOME_REGION)
    except phonenumbers.NumberParseException:
        raise ValueError("not a telephone number") from None
    return _valid(number)


def _valid(number: phonenumbers.PhoneNumber) -> str:
    if not phonenumbers.is_valid_number(number):
        raise ValueError("not a telephone number in use")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def canonical_id_number(value: str) -> str:
    """Return an identity document's number as one would compare it. Raises `ValueError`."""
    written = "".join(unicodedata.normalize("NFKC", value).upper().split())
    if not (written.isascii() and written.isalnum() and len(written) <= LONGEST):
        raise ValueError("not the number of a document")
    return written


CANONICAL: dict[str, Callable[[str], str]] = {
    PHONE: canonical_phone,
    ID_NUMBER: canonical_id_number,
}


def digest(ring: KeyRing, name: str, canonical: str) -> bytes:
    """Return the look-up digest of a canonical value of the field `name`."""
    key = ring.index_key_for(name)
    if ring.hash_name == "sha256":
        return hmac.digest(key, canonical.encode(), "sha256")
    keyed = HMAC(key, hashes.SM3())
    keyed.update(canonical.encode())
    return keyed.finalize()


def digest_of(name: str, canonical: str) -> bytes:
    """Return the look-up digest of a canonical value, for a slice that keeps it in its own rows.

    Such a slice forgets it in `on_erasure`.
    """
    return digest(keyring(), name, canonical)


def index_values(session: Session, name: str, values: Iterable[tuple[int, str]]) -> None:
    """Make customers findable by a value: pairs of customer id and canonical value."""
    ring = keyring()
    pairs = [(customer_id, digest(ring, name, canonical)) for customer_id, canonical in values]
    if not pairs:
        return
    session.connection().exec_driver_sql(
        "INSERT INTO vault.blind_indexes (field, digest, customer_id)"
        " SELECT %(name)s, digest, customer_id"
        " FROM unnest(%(digests)b::bytea[], %(ids)b::bigint[]) AS fresh (digest, customer_id)"
        " ON CONFLICT DO NOTHING",
        {
            "name": name,
            "digests": [value for _, value in pairs],
            "ids": [customer_id for customer_id, _ in pairs],
        },
    )


def find_by_value(session: Session, name: str, value: str, limit: int) -> list[int]:
    """Return at most `limit` ids of customers who have this value, lowest first.

    Raises `ValueError` when the value makes no sense for the field.
    """
    canonical = CANONICAL[name](value)
    rows = session.execute(
        text(
            "SELECT customer_id FROM vault.blind_indexes"
            " WHERE field = :name AND digest = :digest ORDER BY customer_id LIMIT :limit"
        ),
        {"name": name, "digest": digest(keyring(), name, canonical), "limit": limit},
    )
    return list(rows.scalars())


def find_kin(session: Session, customer_ids: Collection[int]) -> dict[int, int]:
    """Return for each customer the lowest id among all who share a value, over any chain of them.

    A customer who shares nothing is their own.
    """
    rows = session.execute(KIN, {"ids": list(customer_ids)})
    return {row.customer_id: row.oldest for row in rows}


def forget_values(session: Session, customer_ids: Collection[int]) -> int:
    """Delete every look-up digest of the customers and return how many there were."""
    rows = session.execute(
        text("DELETE FROM vault.blind_indexes WHERE customer_id = ANY(:ids) RETURNING 1"),
        {"ids": list(customer_ids)},
    )
    return len(rows.all())
