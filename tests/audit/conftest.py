"""The same application, people and systems as in the tests of staff."""

from tests.staff.conftest import app, branch, client

__all__ = ["app", "branch", "client"]
