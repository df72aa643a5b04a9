"""The application as it is served, a partner, and the people of finance."""

from tests.partners.conftest import House, application, house

__all__ = ["House", "application", "house"]
