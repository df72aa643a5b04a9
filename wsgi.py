"""Composition root: settings in, application out. The one place that knows every slice's edge."""

from flask import Blueprint, Flask

from campaigns import api as campaigns
from campaigns import console as campaigns_console
from campaigns import draws_api as prize_draws
from campaigns import exports_api as campaign_exports
from campaigns import live_console as campaign_console
from campaigns import pages as campaign_links
from loyalty.audit import api as audit
from loyalty.audit import console as audit_console
from loyalty.benefits import api as benefits
from loyalty.benefits import console as benefits_console
from loyalty.benefits import pages as benefit_pages
from loyalty.consent import api as consent
from loyalty.consent import console as consent_console
from loyalty.consent import notices_api as notices
from loyalty.consent import pages as consent_pages
from loyalty.coupons import batches_api as coupon_batches
from loyalty.coupons import console as coupons_console
from loyalty.coupons import counter_pages as coupon_counter
from loyalty.coupons import pages as coupon_pages
from loyalty.coupons import series_api as coupon_series
from loyalty.coupons import till_api as coupon_tills
from loyalty.coupons import wallet_api as coupon_wallet
from loyalty.customers import api as customers
from loyalty.customers import console as customers_console
from loyalty.customers import pages as customer_pages
from loyalty.customers import sign_in as customer_sign_in
from loyalty.doctor import refuse_to_start_sick
from loyalty.messages import api as messages
from loyalty.messages import console as messages_console
from loyalty.messages import inbox_api as inbox
from loyalty.messages import pages as unsubscribe
from loyalty.messages import webhooks_api as webhooks
from loyalty.partners import api as partners
from loyalty.partners import pages as partner_pages
from loyalty.partners import recognise as recognise_clerk
from loyalty.points import adjustment_api as adjustments
from loyalty.points import api as points
from loyalty.points import confirmation_api as confirmations
from loyalty.points import console as points_console
from loyalty.points import import_api as imports
from loyalty.points import pages as points_pages
from loyalty.points import reports_api as points_reports
from loyalty.points import rules_api as earning_rules
from loyalty.points import rules_console
from loyalty.policy import api as policy
from loyalty.policy import console as policy_console
from loyalty.proof import api as proof
from loyalty.proposals import api as proposals
from loyalty.proposals import console as proposals_console
from loyalty.rewards import api as rewards
from loyalty.rewards import pages as reward_pages
from loyalty.settlement import api as settlement
from loyalty.staff import api as staff
from loyalty.staff import console as staff_console
from loyalty.tiers import api as tiers
from loyalty.tiers import console as tiers_console
from loyalty.tiers import pages as tier_pages
from loyalty.web import api as web
from loyalty.web import assets, health, homes, pages
from loyalty.web.app import create_app

# One line for each edge, in the order of the slices.
BLUEPRINTS: list[Blueprint] = [
    health.blueprint,
    pages.blueprint,
    assets.blueprint,
    homes.blueprint,
    web.blueprint,
    staff.blueprint,
    staff_console.blueprint,
    audit.blueprint,
    audit_console.blueprint,
    proof.blueprint,
    proposals.blueprint,
    proposals_console.blueprint,
    customers.blueprint,
    customer_pages.blueprint,
    policy.blueprint,
    policy_console.blueprint,
    customers_console.blueprint,
    messages.blueprint,
    messages_console.blueprint,
    unsubscribe.blueprint,
    inbox.blueprint,
    webhooks.blueprint,
    partners.blueprint,
    partner_pages.blueprint,
    consent.blueprint,
    consent_console.blueprint,
    consent_pages.blueprint,
    notices.blueprint,
    tiers.blueprint,
    tier_pages.blueprint,
    tiers_console.blueprint,
    benefits.blueprint,
    benefit_pages.blueprint,
    benefits_console.blueprint,
    points.blueprint,
    adjustments.blueprint,
    confirmations.blueprint,
    points_pages.blueprint,
    points_console.blueprint,
    imports.blueprint,
    points_reports.blueprint,
    earning_rules.blueprint,
    rules_console.blueprint,
    campaigns.blueprint,
    campaigns_console.blueprint,
    campaign_console.blueprint,
    coupons_console.blueprint,
    campaign_exports.blueprint,
    campaign_links.blueprint,
    prize_draws.blueprint,
    coupon_series.blueprint,
    coupon_batches.blueprint,
    coupon_wallet.blueprint,
    coupon_tills.blueprint,
    coupon_counter.blueprint,
    coupon_pages.blueprint,
    rewards.blueprint,
    reward_pages.blueprint,
    settlement.blueprint,
]


def build() -> Flask:
    """Return the application that serves every slice. Raises `Unhealthy` in production."""
    refuse_to_start_sick()
    return create_app(
        BLUEPRINTS,
        verify=staff.verify_token,
        record_denial=audit.record_denial,
        people=staff_console.people_of(
            customer=customer_sign_in.recognise, partner=recognise_clerk
        ),
    )


app = build()
