"""Who is one person: customers who share a telephone number or a document count as one."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from loyalty import vault


def find_persons(session: Session, customer_ids: Collection[int]) -> dict[int, int]:
    """Return for each customer the number of the person behind it: its oldest alias.

    For limits per person only. However a telephone number was written, it is the same one; a
    family that shares one counts as one person, which is the price of an exact limit.
    """
    return vault.find_kin(session, customer_ids)
