"""Rewards for deposits: forbidden to Chinese banks, by 银保监办发〔2018〕48号, item 2(1).

The one place where the house knows what a deposit is called; the earning rules ask here too.
"""

from collections.abc import Iterator, Mapping

DEPOSIT_REFUSAL = "promo.deposit-reward"
# Merchant categories of ISO 18245 under which money is deposited, drawn or bought, not spent.
DEPOSIT_CATEGORIES = frozenset({"6010", "6011", "6012", "6050", "6051", "6532", "6533"})
DEPOSIT_WORDS = ("存款", "储蓄", "大额存单", "deposit", "savings")

Place = tuple[str, ...]


def deposit_places(document: object, place: Place = ()) -> Iterator[Place]:
    """Yield where in a rule's document deposits would be rewarded, by any of its words."""
    match document:
        case str():
            lowered = document.casefold()
            if document in DEPOSIT_CATEGORIES or any(word in lowered for word in DEPOSIT_WORDS):
                yield place
        case Mapping():
            # A test that keeps deposits out names them as well, and is welcome.
            excludes = document.get("is") in ("ne", "not_in")
            for key, value in document.items():
                yield from deposit_places(key, (*place, key))
                if not (excludes and key == "value"):
                    yield from deposit_places(value, (*place, key))
        case list() | tuple():
            for index, value in enumerate(document):
                yield from deposit_places(value, (*place, str(index)))
