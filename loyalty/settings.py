"""Settings: read once from the environment into a frozen object; a bad value stops the start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ("production", "development", "test")
# Requests a minute. A system carries the traffic of many people; a person clicks.
RATES: Mapping[str, int] = {"system": 60_000, "partner": 3_000, "staff": 600, "customer": 120}


class BadSetting(Exception):
    """A setting is missing or makes no sense; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment decides. Addresses are URLs, folders are absolute paths."""

    environment: str
    database_url: str
    owner_database_url: str
    redis_url: str
    home: Path
    keys: Path
    port: int
    issuer: str
    metrics_token: str
    rates: Mapping[str, int]

    @property
    def is_production(self) -> bool:
        """Whether development conveniences (tokens by command line, invented people) are off."""
        return self.environment == "production"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings that `environ` describes.

    Raises `BadSetting` naming the variable and the mend.
    """
    environment = _choice(environ, "QUANYI_ENV", ENVIRONMENTS, "production")
    home = read_home(environ)
    database_url = _url(environ, "DATABASE_URL", ("postgresql", "postgres"))
    owner_url = environ.get("OWNER_DATABASE_URL") or database_url
    port = read_port(environ)
    return Settings(
        environment=environment,
        database_url=database_url,
        owner_database_url=owner_url,
        redis_url=_url(environ, "REDIS_URL", ("redis", "rediss", "unix")),
        home=home,
        keys=Path(environ.get("QUANYI_KEYS") or home / "keys").expanduser().absolute(),
        port=port,
        issuer=environ.get("QUANYI_ISSUER") or f"http://127.0.0.1:{port}",
        metrics_token=environ.get("METRICS_TOKEN", ""),
        rates=read_rates(environ),
    )


def read_rates(environ: Mapping[str, str]) -> Mapping[str, int]:
    """Return how many requests a minute each kind of caller may send; raises `BadSetting`.

    `QUANYI_RATES` names what differs, as in `customer=60 system=200000`; 0 is without a limit,
    and `off` is none for anybody.
    """
    value = environ.get("QUANYI_RATES", "")
    if value == "off":
        return {}
    rates = dict(RATES)
    for part in value.split():
        kind, _, number = part.partition("=")
        if kind not in RATES or not (number.isascii() and number.isdigit()):
            raise BadSetting(
                f"QUANYI_RATES is {value!r}; set it to off, or to requests a minute by kind,"
                f" as in customer=60; kinds are {', '.join(RATES)}"
            )
        rates[kind] = int(number)
    return {kind: number for kind, number in rates.items() if number}


def read_home(environ: Mapping[str, str]) -> Path:
    """Return the folder that this installation keeps its own files in."""
    return Path(environ.get("QUANYI_HOME") or CHECKOUT / ".quanyi").expanduser().absolute()


def read_port(environ: Mapping[str, str]) -> int:
    """Return the port that the web processes listen on; raises `BadSetting`."""
    value = environ.get("PORT") or "8000"
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise BadSetting(f"PORT is {value!r}; set it to a number from 1 to 65535")
    return int(value)


@cache
def settings() -> Settings:
    """Return the settings of this process, read on first use."""
    return read_settings(os.environ)


def _choice(environ: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = environ.get(name) or default
    if value not in allowed:
        raise BadSetting(f"{name} is {value!r}; set it to one of {', '.join(allowed)}")
    return value


def _url(environ: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str:
    value = environ.get(name, "")
    if urlsplit(value).scheme.split("+")[0] not in schemes:
        raise BadSetting(f"{name} must be set to an address that starts with {schemes[0]}://")
    return value
