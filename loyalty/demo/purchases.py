"""The purchases of the sample: real ones, moved in time so that the last day is yesterday."""

import csv
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import loyalty

PACKED = Path(loyalty.__file__).parent / "data" / "cdnow.csv.gz"
LAST_DAY = date(1998, 6, 30)
NO_SHIFT = timedelta(0)
LAYOUT = {
    "columns": {"customer": "customer_id", "purchased_at": "purchased_on", "amount": "amount_usd"},
    "constants": {"category": "5735", "channel": "online"},
}
"""5735 is the merchant category of record shops."""


def days_until_yesterday(zone: ZoneInfo) -> timedelta:
    """Return by how much the purchases move so that the last of them were made yesterday."""
    return datetime.now(zone).date() - timedelta(days=1) - LAST_DAY


def read_references() -> list[str]:
    """Return the references of the customers who bought something, in order."""
    with gzip.open(PACKED, "rt", encoding="utf-8", newline="") as file:
        return sorted({row["customer_id"] for row in csv.DictReader(file)})


@contextmanager
def unpacked(shift: timedelta) -> Iterator[Path]:
    """Yield a CSV file of the purchases, each `shift` later than it was; it goes afterwards."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "purchases.csv"
        with (
            gzip.open(PACKED, "rt", encoding="utf-8", newline="") as packed,
            path.open("w", encoding="utf-8", newline="") as file,
        ):
            rows = csv.reader(packed)
            writer = csv.writer(file)
            header = next(rows)
            day = header.index("purchased_on")
            writer.writerow(header)
            for row in rows:
                row[day] = (date.fromisoformat(row[day]) + shift).isoformat()
                writer.writerow(row)
        yield path
