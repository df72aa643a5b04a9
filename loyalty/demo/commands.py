"""Commands of the demo: loading it, and saying where to look."""

import shlex

import click

from loyalty import customers, outbox, staff
from loyalty.database import transaction
from loyalty.demo import (
    accounts,
    agreements,
    coupons,
    partners,
    people,
    purchases,
    sample,
    settlement,
)
from loyalty.points import intake
from loyalty.points.commands import apply_import, say_result, stage_file, sweep_lapsed
from loyalty.settings import CHECKOUT, settings
from loyalty.web import Caller, ids

PEOPLE_AT_ONCE = 1000
SHOWN = "10370"
"""A platinum customer with nine purchases, the last one on the last day."""
WITH_COUPONS = ("00001", "00002", "00003")
ASKED = [f"{number:05}" for number in range(1, 301)]


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
    is_new = _apply(import_id)
    _give_coupons()
    _agree()
    if not is_new:
        click.echo("样例数据已经装载 / the demo is loaded")


def _give_coupons() -> None:
    """Open the sample's series and rewards, and give some customers coupons; each once."""
    with transaction() as session:
        programme = sample.open_sample(session)
        coupons.open_coupons(session, programme)
        partners.equip(session)
        found = customers.find_by_reference(session, [SHOWN, *WITH_COUPONS])
    with transaction() as session:
        coupons.give_coupons(session, programme, sorted(found.values()))
    _settle([found[reference] for reference in WITH_COUPONS if reference in found])


def _settle(customer_ids: list[int]) -> None:
    """Use some of the coupons at the sample's partner and close its first statement; once."""
    with transaction() as session:
        programme, till = sample.open_sample(session), partners.equip(session)
        done = [
            act
            for number in customer_ids
            for act in settlement.use_coupons(session, programme, till, number)
        ]
    with transaction() as session:
        settlement.take_one_back(session, programme, till, done[-1])
    with transaction() as session:
        settlement.first_statement(session, till)


def _agree() -> None:
    """Open what customers are asked, and let some of them answer; each once."""
    with transaction() as session:
        agreements.open_agreements(session, sample.head_office(session))
        found = customers.find_by_reference(session, [SHOWN, *ASKED])
        agreements.say(session, sorted(found.values()))


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
        entries = accounts.prepare(session)
        partner_lines = partners.describe(session)
        till = partners.equip(session)
        statement = settlement.first_statement(session, till)
        till_token = partners.token_of(session, till)
        customer_code = accounts.customer_code(session, found[SHOWN])
        scopes = ("coupons:code", "coupons:read", "customers:read", "points:read", "rewards:read")
        issued = staff.issue_customer_token(Caller.job(staff.DEVELOPMENT), found[SHOWN], scopes)
    address = f"http://127.0.0.1:{settings().port}"
    minutes = issued.expires_in // 60
    customer = ids.encode("cus", found[SHOWN])
    command = shlex.quote(str(CHECKOUT / ".venv/bin/loyalty"))
    environment = shlex.quote(str(settings().home / "environment"))
    click.echo(
        f"""
权益 Quanyi 已启动 / is running

  客户页面  customers      {address}/my        客户号 number {SHOWN}  验证码 code {customer_code}
  工作台    console        {address}/console   账号、密码、验证码见下 / see below
  营销活动  campaigns      {address}/console/campaigns   样例活动待审批 / one waits for approval
  核销台    counter        {address}/counter   店员账号、密码见下 / clerk and password below
  核销接口  tills redeem   POST {address}/v1/coupons/redemptions
  接口文档  API            {address}/docs
  OpenAPI 3.1             {address}/v1/openapi.json
  健康检查  health         {address}/readyz
  错误说明  problems       {address}/problems

{partner_lines}

{_list_people(entries)}
  当前验证码 / a code now:  {command} demo code sample-checker
  再要客户验证码 / another customer:  {command} demo code 00001
  (先运行 / first:  . {environment})

一位白金客户的积分、等级、到期与原因(令牌 {minutes} 分钟内有效):
A platinum customer's points, tier, what expires when, and why (the token lives {minutes} minutes):

curl -s {address}/v1/customers/me/overview -H 'Authorization: Bearer {issued.token}' \\
  | python3 -m json.tool --no-ensure-ascii

合作方的结算单与明细 / what the partner is owed, line by line:

curl -s {address}/v1/partners/me/statements/{statement}/lines \\
  -H 'Authorization: Bearer {till_token}' \\
  | python3 -m json.tool --no-ensure-ascii

新的令牌 / a new token:

. {environment}; {command} token \\
  --customer {customer} --scope points:read
"""
    )


def _list_people(entries: dict[str, accounts.Account]) -> str:
    """Return each person of the sample with their password and the key for an authenticator."""
    rows = [
        f"  {login:<20} {account.password:<36} {account.secret}"
        for login, account in entries.items()
    ]
    heading = f"  {'账号 account':<18} {'密码 password':<34} 验证器密钥 authenticator key"
    return "\n".join([heading, *rows])


@demo_group.command("code")
@click.argument("who")
def code(who: str) -> None:
    """Print a code for WHO: a person of the sample bank, or a customer by number."""
    shown = accounts.code_of(who)
    if shown is None:
        with transaction() as session:
            found = customers.find_by_reference(session, [who])
            if who not in found:
                raise click.ClickException(f"没有这个账号或客户 / nobody is called {who}")
            shown = accounts.customer_code(session, found[who])
    click.echo(shown)


COMMANDS: list[click.Command] = [demo_group]
