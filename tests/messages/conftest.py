"""A database in which one process may act as the gate and as the adapter, one after the other."""

import pytest

from loyalty.messages import gateways
from tests.servers import Database, forget_connections


@pytest.fixture
def both(database: Database, environment: pytest.MonkeyPatch) -> Database:
    """The test's database, with a login that may take any role; roles bind as ever."""
    environment.setenv("DATABASE_URL", database.superuser_url)
    gateways.gateways.cache_clear()
    forget_connections()
    return database
