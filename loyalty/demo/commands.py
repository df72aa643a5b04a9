"""Commands of the demo: loading it, and saying where to look."""

import click

from loyalty import customers, outbox, staff
from loyalty.database import transaction
from loyalty.demo import people, purchases, sample
from loyalty.points import intake
from loyalty.points.commands import apply_import, say_result, stage_file, sweep_lapsed
from loyalty.settings import CHECKOUT, settings
from loyalty.web import Caller, ids

PEOPLE_AT_ONCE = 1000
SHOWN = "10370"
"""A platinum customer with nine purchases, the last one on the last day."""


@click.group("demo")
def demo_group() -> None:
    """A sample programme with invented people and real purchases."""
    if settings().is_production:
        raise click.ClickException(
            "生产环境不装载样例数据 / the demo is not for production (QUANYI_ENV)"
        )


@demo_group.command("load")
@click.option(
    "--shift/--no-shift",
    default=True,
    show_default=True,
    help="Move the purchases so that the last of them were made yesterday.",
)
def load(shift: bool) -> None:
    """Load the sample: 23,570 customers with 69,659 purchases.

    Goes on where it was interrupted; does nothing where all of it is loaded.
    """
    with transaction() as session:
        programme = sample.open_sample(session)
        import_id = intake.find_latest(session, programme, sample.SOURCE)
    if import_id is None:
        _register()
        import_id = _stage(shift)
    if not _apply(import_id):
        click.echo("样例数据已经装载 / the demo is loaded")


def _register() -> None:
    references = purchases.read_references()
    with transaction() as session:
        known = customers.find_by_reference(session, references)
    new = [people.invent(reference) for reference in references if reference not in known]
    with click.progressbar(length=len(references), label="登记客户 Registering customers") as bar:
        bar.update(len(known))
        for start in range(0, len(new), PEOPLE_AT_ONCE):
            some = new[start : start + PEOPLE_AT_ONCE]
            with transaction() as session:
                customers.register(session, some)
            bar.update(len(some))


def _stage(shift: bool) -> int:
    with transaction() as session:
        zone = sample.open_sample(session).zone
    days = purchases.days_until_yesterday(zone) if shift else purchases.NO_SHIFT
    click.echo("CDNOW 的真实消费数据,Bruce Hardie 发布(brucehardie.com);姓名与电话均为虚构。")
    click.echo("Real purchases of CDNOW, published by Bruce Hardie; names and phones are invented.")
    if shift:
        click.echo(
            f"消费日期后移 {days.days} 天,最后一天为昨天"
            f" / moved by {days.days} days, so that the last day is yesterday"
        )
    with purchases.unpacked(days) as path:
        return stage_file(path, sample.CODE, sample.SOURCE, purchases.LAYOUT)


def _apply(import_id: int) -> bool:
    """Bring the import to its end; return whether there was anything left to do."""
    with transaction() as session:
        found = intake.find_import(session, import_id)
        if found.state == "done":
            return False
        if found.run_id is not None:
            outbox.resume_run(session, found.run_id)
    apply_import(import_id, "记录消费 Recording purchases")
    say_result(import_id)
    sweep_lapsed()
    with transaction() as session:
        shares = sample.count_tiers(session, sample.open_sample(session))
    click.echo(
        "等级 / tiers: "
        + ", ".join(f"{tier.code} {shares.get(tier.code, 0)}" for tier in sample.LADDER.tiers[1:])
    )
    return True


@demo_group.command("welcome")
def welcome() -> None:
    """Say where to look, with one command that shows a customer's points."""
    with transaction() as session:
        found = customers.find_by_reference(session, [SHOWN])
        if SHOWN not in found:
            raise click.ClickException("请先运行 / run first: loyalty demo load")
        scopes = ("customers:read", "points:read")
        issued = staff.issue_customer_token(Caller.job(staff.DEVELOPMENT), found[SHOWN], scopes)
    address = f"http://127.0.0.1:{settings().port}"
    minutes = issued.expires_in // 60
    customer = ids.encode("cus", found[SHOWN])
    click.echo(
        f"""
权益 Quanyi 已启动 / is running

  接口文档  API            {address}/docs
  OpenAPI 3.1             {address}/v1/openapi.json
  健康检查  health         {address}/readyz
  错误说明  problems       {address}/problems

一位白金客户的积分、等级、到期与原因(令牌 {minutes} 分钟内有效):
A platinum customer's points, tier, what expires when, and why (the token lives {minutes} minutes):

curl -s {address}/v1/customers/me/overview -H 'Authorization: Bearer {issued.token}' \\
  | python3 -m json.tool --no-ensure-ascii

新的令牌 / a new token:

. {settings().home / "environment"}; {CHECKOUT / ".venv/bin/loyalty"} token \\
  --customer {customer} --scope points:read
"""
    )


COMMANDS: list[click.Command] = [demo_group]
