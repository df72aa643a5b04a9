"""The declarative base that every table of the house shares.

Each table says what kind it is (`append-only`, `projection` or `configuration`) and which data
class its columns have (C0 public, C1 internal, C2 identifies or describes a person, C3 secret);
house rules check both.
"""

from typing import Any, ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

APPEND_ONLY = "append-only"
PROJECTION = "projection"
CONFIGURATION = "configuration"

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Parent of all tables. Subclasses set `__kind__`, `__data_class__` and where they differ
    `mapped_column(info={"data_class": ...})`."""

    metadata = MetaData(naming_convention=NAMING)
    __kind__: ClassVar[str]
    __data_class__: ClassVar[str] = "C1"
    __table_args__: Any
