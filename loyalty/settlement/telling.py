"""What the bank and the partner are told of a settlement: that it happened, by ids alone."""

from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.web import ids


def tell(
    session: Session, topic: str, partner_id: int, statement_id: int, dispute_id: int | None = None
) -> None:
    """Tell the webhooks of a statement, or of a dispute about one of its lines."""
    payload = {
        "partner_id": ids.encode("prt", partner_id),
        "statement": ids.encode("stm", statement_id),
    }
    if dispute_id is not None:
        payload["dispute"] = ids.encode("dsp", dispute_id)
    outbox.publish(session, topic, f"statement:{statement_id}", payload)
