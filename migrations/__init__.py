"""The shape of the database, step by step: `upgrade(url)` brings any older one up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config

FOLDER = Path(__file__).resolve().parent


def configure(url: str) -> Config:
    """Return Alembic's configuration for the database at `url` (a SQLAlchemy address)."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` up to `revision`; each step is one transaction."""
    command.upgrade(configure(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database at `url` back down to `revision` (`base`: empty)."""
    command.downgrade(configure(url), revision)
