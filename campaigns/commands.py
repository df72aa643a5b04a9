"""Commands of campaigns: the sample bank's own, for whoever looks round."""

import click

from campaigns import jobs, previewing, sample
from loyalty import outbox
from loyalty.database import transaction
from loyalty.settings import settings


@click.group("campaigns")
def campaigns_group() -> None:
    """What marketing plans and sends."""


@campaigns_group.command("sample")
def open_sample() -> None:
    """Draft, preview and submit a campaign of the sample bank; nothing the second time."""
    if settings().is_production:
        raise click.ClickException("生产环境不装载样例数据 / the demo is not for production")
    with transaction() as session:
        campaign = sample.open_sample(session)
    if campaign is None:
        return
    with transaction() as session:
        preview_id = sample.start_preview(session, campaign.id)
    if preview_id is None:
        click.echo("样例活动存为草稿 / the sample's campaign is a draft: see its findings")
        return
    outbox.advance(previewing.RUN, 60)
    with transaction() as session:
        is_submitted = sample.submit(session, campaign.id, preview_id)
    state = "待审批 / waits for approval" if is_submitted else "草稿 / a draft"
    click.echo(f"样例活动 / the sample's campaign {sample.CODE}: {state}")


assert jobs, "registers what previews"
COMMANDS = (campaigns_group,)
