"""Background work of partners: forgetting the nonces that no longer matter."""

from datetime import timedelta

from loyalty import outbox
from loyalty.database import transaction
from loyalty.partners.signatures import forget_nonces


@outbox.job("partners.forget-nonces", every=timedelta(minutes=10))
def forget(_: outbox.Event) -> None:
    """Drop the nonces of signatures that are too old to be accepted."""
    with transaction() as session:
        forget_nonces(session)
