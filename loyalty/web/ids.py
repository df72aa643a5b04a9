"""Public ids: a prefix that names the kind, and the row's number in Crockford base32.

Padded to a fixed width, so that sorting the text sorts the numbers. The number is no secret:
whoever may not see a row gets the same answer as for one that does not exist.
"""

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
WIDTH = 13
GREATEST = 2**63 - 1
PREFIXES = {
    "customer": "cus",
    "campaign": "cmp",
    "preview": "cpv",
    "launch": "lch",
    "entry": "ent",
    "purchase": "pur",
    "confirmation": "con",
    "import": "imp",
    "programme": "prg",
    "application": "tap",
    "benefit": "ben",
    "usage": "use",
    "event": "aud",
    "proposal": "prp",
    "rule": "rul",
    "request": "req",
    "message": "msg",
    "webhook": "whk",
    "delivery": "dlv",
    "client": "cli",
    "staff": "stf",
    "unit": "unt",
    "notice": "ntc",
    "presentation": "prs",
    "consent": "cst",
    "suppression": "sup",
    "contact_point": "cpt",
    "partner": "prt",
    "outlet": "otl",
    "clerk": "clk",
    "statement": "stm",
    "dispute": "dsp",
    "coupon": "cpn",
    "batch": "bat",
    "redemption": "rdm",
    "hold": "hld",
    "claim": "clm",
}

_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def encode(prefix: str, number: int) -> str:
    """Return the public id of row `number` (0 … 2^63−1), for example `cus_000000000000h`."""
    if not 0 <= number <= GREATEST:
        raise ValueError("not a row number")
    characters = [ALPHABET[(number >> shift) & 31] for shift in range(60, -1, -5)]
    return f"{prefix}_{''.join(characters)}"


def decode(prefix: str, text: str) -> int:
    """Return the row number in `text`.

    Raises `ValueError` on another prefix and on every spelling but the canonical one, so that
    two texts never mean the same row.
    """
    if len(text) != len(prefix) + 1 + WIDTH or not text.startswith(f"{prefix}_"):
        raise ValueError(f"not an id that starts with {prefix}_")
    number = 0
    for character in text[-WIDTH:]:
        value = _VALUES.get(character)
        if value is None:
            raise ValueError("not in the alphabet of ids")
        number = number << 5 | value
    if number > GREATEST:
        raise ValueError("not a row number")
    return number
