"""All tables of the house in one place, for the migrations and for the tests that compare them."""

import importlib
import pkgutil

import campaigns
import ledger
import loyalty
from ledger.base import Base


def _import_models() -> None:
    for package in (ledger, loyalty, campaigns):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rsplit(".", 1)[1] == "models":
                importlib.import_module(module.name)


_import_models()
metadata = Base.metadata
