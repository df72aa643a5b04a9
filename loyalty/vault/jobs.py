"""Background: the erasure list catches up with the database."""

from datetime import timedelta

from loyalty.database import transaction
from loyalty.outbox import Event, job
from loyalty.vault.erasure import export_erasures


@job("vault.export_erasures", every=timedelta(minutes=10))
def export(_: Event) -> None:
    """Add to the list whatever a crash between commit and list has left out.

    On a machine of its own a worker keeps a list of its own: two are better than one.
    """
    with transaction() as session:
        export_erasures(session)
