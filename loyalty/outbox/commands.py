"""Commands of operations: the two background processes, long runs, dead events."""

import click
from prometheus_client import start_http_server

from loyalty.database import transaction
from loyalty.outbox import delivery, queries, relay, runs, worker
from loyalty.outbox.models import RunRow
from loyalty.web import NotFound, logs

_metrics_port = click.option(
    "--metrics-port", type=int, help="Serve Prometheus' numbers at this port of 127.0.0.1."
)


@click.command("worker")
@_metrics_port
def run_worker(metrics_port: int | None) -> None:
    """Do background work when the doorbell rings, until stopped."""
    _begin(metrics_port)
    worker.run()


@click.command("relay")
@_metrics_port
def run_relay(metrics_port: int | None) -> None:
    """Ring for due work, keep the schedules, sweep up; until stopped."""
    _begin(metrics_port)
    relay.run()


@click.group("runs")
def runs_group() -> None:
    """Long work: imports, grants, expiry."""


@runs_group.command("list")
@click.option("--kind", help="Only runs of this kind.")
@click.option("--limit", default=20, show_default=True)
def list_runs(kind: str | None, limit: int) -> None:
    """List runs, newest first."""
    with transaction() as session:
        for row in queries.runs(session, kind=kind, limit=limit):
            click.echo(_line(row))


@runs_group.command("show")
@click.argument("run_id", type=int)
def show_run(run_id: int) -> None:
    """Show one run."""
    with transaction() as session:
        try:
            row = queries.run(session, run_id)
        except NotFound:
            raise _no_such_run(run_id) from None
        click.echo(_line(row))
        for name in ("arguments", "cursor", "created_by", "started_at", "finished_at", "error"):
            click.echo(f"  {name}: {getattr(row, name)}")


@runs_group.command("stop")
@click.argument("run_id", type=int)
def stop_run(run_id: int) -> None:
    """Stop a run after its present chunk."""
    with transaction() as session:
        try:
            click.echo(runs.stop(session, run_id))
        except NotFound:
            raise _no_such_run(run_id) from None


@runs_group.command("resume")
@click.argument("run_id", type=int)
def resume_run(run_id: int) -> None:
    """Let a stopped, paused or failed run go on."""
    with transaction() as session:
        try:
            click.echo(runs.resume(session, run_id))
        except NotFound:
            raise _no_such_run(run_id) from None


@click.group("outbox")
def outbox_group() -> None:
    """Events that follow changes."""


@outbox_group.command("dead")
@click.option("--topic", help="Only events of this topic.")
@click.option("--limit", default=50, show_default=True)
def list_dead(topic: str | None, limit: int) -> None:
    """List events that were given up."""
    with transaction() as session:
        for event in queries.dead(session, topic=topic, limit=limit):
            click.echo(
                f"{event.id}  {event.topic}  {event.aggregate}  {event.attempts} attempts"
                f"  {event.dead_at:%Y-%m-%dT%H:%M:%SZ}  {event.last_error}"
            )


@outbox_group.command("replay")
@click.argument("event_ids", type=int, nargs=-1, required=True)
def replay(event_ids: tuple[int, ...]) -> None:
    """Bring dead events back to life, due now."""
    with transaction() as session:
        click.echo(f"{len(delivery.replay(session, event_ids))} of {len(event_ids)} replayed")


COMMANDS: list[click.Command] = [run_worker, run_relay, runs_group, outbox_group]


def _begin(metrics_port: int | None) -> None:
    logs.configure()
    if metrics_port is not None:
        start_http_server(metrics_port, addr="127.0.0.1")


def _line(row: RunRow) -> str:
    total = "?" if row.total is None else str(row.total)
    return f"{row.id}  {row.kind}  {row.state}  {row.done} of {total}, {row.failed} failed"


def _no_such_run(run_id: int) -> click.ClickException:
    return click.ClickException(f"there is no run {run_id}")
