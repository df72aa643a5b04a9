"""`python -m bench`: runs the benchmarks on a private PostgreSQL and prints ratios to limits.

Rates are medians of several rounds in which ours and the limit take turns, so that a machine
that slows down slows both. Nothing here is a timed test.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg

from bench import (
    campaigns,
    coupons,
    gate,
    growth,
    http,
    importing,
    limits,
    posting,
    report,
    sealing,
)
from bench.callers import measure_rate
from bench.report import Figure
from loyalty.database import engine, forget_engines
from loyalty.settings import settings
from tests.servers import Database, Servers, announce, cloned_database, running_servers

SECTIONS = (
    "posting",
    "http",
    "import",
    "sealing",
    "coupons",
    "redeeming",
    "gate",
    "campaigns",
    "growth",
)
FUNCTION, PING = "one database function", "GET /v1/ping"
SHOPS = 4  # partners that redeem at once
USUAL = SECTIONS[:-1]  # growth fills a large ledger first, which takes minutes


@click.command()
@click.option(
    "--only",
    type=click.Choice(SECTIONS),
    multiple=True,
    help="Run these sections only; growth runs only when named.",
)
@click.option("--rounds", default=3, show_default=True, help="Rounds of each measurement.")
@click.option("--seconds", default=5.0, show_default=True, help="Seconds of each round.")
@click.option("--wallets", default=100_000, show_default=True, help="Wallets to post to.")
@click.option(
    "--transfers", default=10_000_000, show_default=True, help="Size of the large ledger."
)
@click.option("--coupons", "batch", default=1_000_000, show_default=True, help="Coupons to issue.")
@click.option(
    "--customers", "people", default=100_000, show_default=True, help="Customers to preview."
)
@click.option("--write/--no-write", default=False, help="Write docs/bench.json and docs/bench.svg.")
def main(
    only: tuple[str, ...],
    rounds: int,
    seconds: float,
    wallets: int,
    transfers: int,
    batch: int,
    people: int,
    write: bool,
) -> None:
    """Measure the ledger, the API and the import beside the limits of this machine."""
    os.environ.setdefault("QUANYI_ENV", "test")
    figures: list[Figure] = []
    machine: dict[str, str] = {}
    with running_servers() as servers:
        announce(servers)
        for section in only or USUAL:
            with cloned_database(servers) as database, _settings(database, servers.redis_url):
                machine = machine or report.describe_machine(database.superuser_url)
                click.secho(f"\n{section}", bold=True)
                match section:
                    case "posting":
                        found = _posting(database, rounds, seconds, wallets)
                    case "http":
                        found = _http(database, rounds, seconds)
                    case "import":
                        found = _import(servers, rounds)
                    case "sealing":
                        found = _sealing(database, rounds)
                    case "coupons":
                        found = _issue(database, batch)
                    case "redeeming":
                        found = _redeem(database, rounds, seconds)
                    case "gate":
                        found = _gate(database, rounds)
                    case "campaigns":
                        found = _preview(database, rounds, people)
                    case _:
                        found = _growth(database, rounds, seconds, transfers)
                figures += found
                for figure in found:
                    click.echo(figure.line())
    sizes = f"{wallets:,} wallets; {http.CUSTOMERS:,} customers over HTTP"
    machine |= {"rounds": str(rounds), "seconds": str(seconds), "sizes": sizes}
    click.echo("\n" + "\n".join(f"{name}: {value}" for name, value in machine.items()))
    if write:
        report.write(machine, figures)
        click.echo("written: docs/bench.json, docs/bench.svg")


def _gate(database: Database, rounds: int) -> list[Figure]:
    people, release = gate.fill()
    service: list[float] = []
    marketing: list[float] = []
    raw: list[float] = []
    for number in range(rounds):
        gate.ask(people, release, number, gate.SELLING)
        marketing.append(gate.decide())
        gate.ask(people, release, number, gate.SERVICE)
        service.append(gate.decide())
        raw.append(gate.write_raw(database.superuser_url))
    return [
        Figure("gate, marketing, one worker", "decisions/s", marketing, raw, wanted=0.3),
        Figure("gate, service, one worker", "decisions/s", service, raw, wanted=0.3),
    ]


def _preview(database: Database, rounds: int, people: int) -> list[Figure]:
    case = campaigns.fill(database.superuser_url, people)
    ours: list[float] = []
    raw: list[float] = []
    before = campaigns.memory()
    for number in range(1, rounds + 1):
        ours.append(campaigns.preview(case, 2 * number, people))
        raw.append(campaigns.write_raw(database.superuser_url, 2 * number, 2 * number + 1, people))
    seconds = people / max(ours)
    click.echo(
        f"{people:,} customers, {10 * people:,} consent events: {seconds:.1f} s at best;"
        f" memory {before} MiB before, {campaigns.memory()} MiB after"
    )
    return [Figure("preview, all rules, stored", "customers/s", ours, raw, wanted=0.15)]


@contextmanager
def _settings(database: Database, redis_url: str) -> Iterator[None]:
    home = Path(tempfile.mkdtemp(prefix="quanyi-bench-"))
    os.environ.update(
        DATABASE_URL=database.url,
        OWNER_DATABASE_URL=database.owner_url,
        REDIS_URL=redis_url,
        QUANYI_HOME=str(home),
        QUANYI_ISSUER="http://bench.invalid",
        QUANYI_RATES="system=60000000",  # counted as ever, and never the limit
    )
    settings.cache_clear()
    forget_engines()
    yield
    engine().dispose()
    forget_engines()
    shutil.rmtree(home)


def _environ() -> dict[str, str]:
    names = (
        "QUANYI_ENV",
        "DATABASE_URL",
        "OWNER_DATABASE_URL",
        "REDIS_URL",
        "QUANYI_HOME",
        "QUANYI_ISSUER",
        "QUANYI_RATES",
    )
    return {name: os.environ[name] for name in names}


def _take_turns(
    rounds: int, seconds: float, ours: str, limit: str, arguments: dict[str, Any], callers: Any
) -> tuple[list[float], list[float]]:
    processes, threads = callers
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        for maker, rates in ((ours, mine), (limit, theirs)):
            rates.append(
                measure_rate(
                    maker, arguments, processes=processes, threads=threads, seconds=seconds
                )
            )
    return mine, theirs


def _posting(database: Database, rounds: int, seconds: float, wallets: int) -> list[Figure]:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(limits.POST_ONE)
        connection.execute("GRANT EXECUTE ON FUNCTION ledger.bench_post TO PUBLIC")
    world = posting.open_wallets(wallets)
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    arguments = {**world, "environ": _environ(), "url": database.url}
    sixteen = (2, 8)
    ours = "bench.posting:call_post"
    limit = "bench.posting:call_limit"
    one = _take_turns(rounds, seconds, ours, limit, arguments, sixteen)
    hot = {**arguments, "wallets": world["wallets"][:1]}
    heat = _take_turns(rounds, seconds, ours, limit, hot, sixteen)
    many = {**arguments, "batch": 1000}
    batch = _take_turns(rounds, seconds, ours, "bench.posting:call_many_limit", many, (2, 1))
    single = statistics.median(one[0])
    return [
        Figure("post, one entry a call, 16 callers", "entries/s", *one, FUNCTION, wanted=0.3),
        Figure("post, one hot wallet, 16 callers", "entries/s", *heat, FUNCTION),
        Figure("post, 1,000 entries a call", "entries/s", *batch, "set-based SQL", wanted=0.3),
        Figure(
            "1,000 a call as a multiple of one a call",
            "entries/s",
            batch[0],
            [single],
            "one entry a call",
            wanted=10.0,
        ),
    ]


def _http(database: Database, rounds: int, seconds: float) -> list[Figure]:
    world = http.build_world()
    with http.serve({**_environ(), "DATABASE_URL": database.web_url}) as port:
        arguments = {**world, "port": port, "environ": _environ()}
        callers = (2, 8)
        read = _take_turns(
            rounds, seconds, "bench.http:call_points", "bench.http:call_ping", arguments, callers
        )
        write = _take_turns(
            rounds, seconds, "bench.http:call_purchase", "bench.http:call_ping", arguments, callers
        )
    return [
        Figure("GET points over HTTP", "requests/s", *read, PING, wanted=0.4),
        Figure("POST one purchase over HTTP", "requests/s", *write, PING, wanted=0.3),
    ]


def _issue(database: Database, size: int) -> list[Figure]:
    seconds = coupons.issue_batch(size)
    copied = coupons.copy_again(database.superuser_url)
    click.echo(f"{size:,} coupons in {seconds:.1f} s; COPY of the same rows {copied:.1f} s")
    ours, limit = [size / seconds], [size / copied]
    return [Figure("coupons issued in a batch", "coupons/s", ours, limit, "COPY", wanted=0.15)]


def _redeem(database: Database, rounds: int, seconds: float) -> list[Figure]:
    world = coupons.build_world(20_000, SHOPS)
    # One client stands for all tills of a partner here, far above what one may ask a minute.
    environ = {**_environ(), "DATABASE_URL": database.web_url, "QUANYI_RATES": "off"}
    figures = []
    with http.serve(environ) as port:
        for shops in (1, SHOPS):
            tills = world["tills"][:shops]
            arguments = {**world, "tills": tills, "port": port, "environ": _environ()}
            ours, limit = "bench.coupons:call_redeem", "bench.http:call_ping"
            rates = _take_turns(rounds, seconds, ours, limit, arguments, (2, 8))
            name = "POST one redemption over HTTP" + (f", {shops} partners" if shops > 1 else "")
            figures.append(Figure(name, "requests/s", *rates, PING, wanted=0.25))
    return figures


def _import(servers: Servers, rounds: int) -> list[Figure]:
    rates: list[float] = []
    limit: list[float] = []
    for _ in range(rounds):
        with cloned_database(servers) as database, _settings(database, servers.redis_url):
            seconds, purchases = importing.run_import()
            copied, rows = importing.copy_again(database.superuser_url)
        click.echo(f"{purchases:,} purchases {seconds:.1f} s, COPY of {rows:,} rows {copied:.1f} s")
        rates.append(purchases / seconds)
        limit.append(purchases / copied)
    name = "import of purchases, end to end"
    return [Figure(name, "purchases/s", rates, limit, "COPY of the same rows", wanted=0.15)]


def _sealing(database: Database, rounds: int) -> list[Figure]:
    world = posting.open_wallets(500 * rounds)
    rates = []
    for number in range(rounds):
        some = world["wallets"][number::rounds]
        seconds, sealed = sealing.seal_filled(database.superuser_url, world["issued"], some)
        rates.append(sealed / seconds)
    return [Figure("sealing, one worker", "entries/s", rates)]


def _growth(database: Database, rounds: int, seconds: float, transfers: int) -> list[Figure]:
    world = posting.open_wallets(100_000)
    small, large, *others = world["wallets"]
    # Posting goes to wallets that the filling leaves alone: what is measured is the ledger's
    # size, not theirs.
    filled, posted = others[: len(others) // 2], others[len(others) // 2 :]
    arguments = {**world, "wallets": posted, "environ": _environ(), "url": database.url}

    def rate() -> float:
        return measure_rate(
            "bench.posting:call_post", arguments, processes=2, threads=8, seconds=seconds
        )

    empty = [rate() for _ in range(rounds)]
    started = time.monotonic()
    each = max(1, (transfers - 1_001_000) // len(filled))
    fillings = [([small], 1_000), ([large], 1_000_000), (filled, each)]
    growth.fill(database.superuser_url, world["issued"], fillings, click.echo)
    click.echo(f"filled in {time.monotonic() - started:.0f} s")
    full = [rate() for _ in range(rounds)]
    few, lots = zip(*(growth.time_reads([small, large], 200) for _ in range(rounds)), strict=True)
    return [
        Figure(
            f"{name}, 1,000,000 entries beside 1,000",
            "ms",
            [times[name] for times in lots],
            [times[name] for times in few],
            wanted=1.3,
            at_most=True,
        )
        for name in few[0]
    ] + [
        Figure(
            f"time of a post, {transfers:,} transfers beside an empty ledger",
            "ms",
            [1000 * 16 / rate for rate in full],
            [1000 * 16 / rate for rate in empty],
            wanted=1.3,
            at_most=True,
        )
    ]


if __name__ == "__main__":
    main()
