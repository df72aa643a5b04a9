"""Settlement: what partners are owed for a period, what they dispute, and what they are paid."""

from loyalty.settlement import wording as wording
from loyalty.settlement.closing import close_statement
from loyalty.settlement.disputing import decide_dispute, open_dispute
from loyalty.settlement.queries import list_lines, list_statements, read_statement
from loyalty.settlement.releasing import amount_due, release

__all__ = [
    "amount_due",
    "close_statement",
    "decide_dispute",
    "list_lines",
    "list_statements",
    "open_dispute",
    "read_statement",
    "release",
]
