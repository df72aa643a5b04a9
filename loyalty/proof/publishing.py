"""Two roads out of the house for checkpoints: a file in a drop folder, and a line in the log.

Whoever collects the folder or the logs to a place that we cannot write to can prove later what
was there.
"""

from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from ledger.checkpoints import append_checkpoints, checkpoints_after, last_appended
from loyalty.proof.logs import LOGS

_LOG = structlog.get_logger(__name__)


def drop_file(home: Path) -> Path:
    """Return the file of JSON lines that checkpoints are appended to."""
    return home / "drop" / "checkpoints.jsonl"


def publish(session: Session, home: Path) -> int:
    """Send out every committed checkpoint that the drop file lacks; return how many.

    The file is the memory of what was sent: a crash between signing and sending is made up for
    the next time. Raises `OSError` where it cannot be written.
    """
    path = drop_file(home)
    sent = last_appended(path)
    count = 0
    for log in LOGS:
        while missing := checkpoints_after(session, log, sent.get(log.name, 0)):
            append_checkpoints(path, missing)
            for checkpoint in missing:
                _LOG.info("checkpoint", **checkpoint.as_json())
            sent[log.name] = missing[-1].size
            count += len(missing)
    return count
