"""A campaign at which nothing is wrong, and for each rule what makes it fire and what does not.

A patch is `section.name` → value; a whole section is replaced under its own name. The first patch
makes the rule pass (not merely not apply), the second makes it fire.
"""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
AGO = NOW - timedelta(days=30)
LATER = NOW + timedelta(days=10)

CLEAN: dict[str, Any] = {
    "now": NOW,
    "gate": {
        "is_up": True,
        "blackout": False,
        "optout_ok": True,
        "optout_checked_at": NOW - timedelta(hours=1),
    },
    "message": {
        "kind": "MARKETING",
        "purpose": "offers",
        "channel": "SMS",
        "template_registered": True,
        "signature": "某某银行",
        "registered_name": "某某银行",
        "contact_line": "95500",
        "has_optout": True,
        "optout_get_acts": False,
        "ad_label": True,
        "port_kind": "MARKETING",
        "link_hosts": ["bank.example"],
        "own_hosts": ["bank.example"],
        "placement": "INBOX",
        "popup_close_ms": None,
        "popup_close_visible": False,
        "automated": True,
        "off_switch": True,
    },
    "recipient": {
        "status": "GRANTED",
        "mechanism": "APP",
        "granted_at": AGO,
        "refused_at": None,
        "proved": True,
        "notice_version": 2,
        "required_version": 2,
        "guardian": False,
        "channel_refused": False,
        "separately": frozenset(
            {
                ("sensitive-data", 0),
                ("financial-info-for-marketing", 0),
                ("cross-border", 0),
                ("partner-sharing", 7),
            }
        ),
        "suppressions": [],
        "contact_needed": True,
        "contact_verified_at": AGO,
        "contact_checked_at": AGO,
        "contact_dead": False,
        "prompts_since_refusal": 0,
        "last_withdrawal_at": None,
        "age_band": "ADULT",
        "capacity": "FULL",
        "risk_grade": 3,
        "assessed_at": AGO,
        "open_complaints": 0,
        "restricted": False,
        "deceased": False,
        "distress": False,
        "personalisation_off": False,
        "hours": None,
        "topics_off": frozenset({"travel"}),
        "weekly_cap": None,
        "sent": [NOW - timedelta(days=2)],
        "zone": ZoneInfo("UTC"),
    },
    "request": {
        "asked_at": NOW - timedelta(hours=1),
        "expires_at": LATER,
        "is_composed": True,
        "topics": ["cars"],
        "quiet": None,
        "caps": {},
    },
    "permit": {"issued_at": NOW - timedelta(seconds=5)},
    "content": {
        "subject": "广告:积分活动",
        "texts": ["消费满100元可得积分,详情见规则。"],
        "kind": "PLAIN",
        "blocks": frozenset({"RISK", "APR", "FULL_COST"}),
        "risk_prominent": True,
        "facts": {"name": "稳健理财", "rate": "2.1%"},
        "has_discount": True,
        "claims": [{"text": "八成客户", "source": "本行统计", "as_of": "2026-06"}],
        "gifts": [
            {
                "name": "杯子",
                "specification": "300ml",
                "quantity": 100,
                "period": "11月",
                "way": "邮寄",
                "value": 2000,
                "current_price": 2000,
            }
        ],
        "was_price": 100,
        "lowest_deal_7d": 100,
        "portraits": [{"release": "doc-1"}],
        "made_by_ai": True,
        "ai_label": True,
        "kinds_on_page": ["FUND", "INSURANCE"],
        "zoned": True,
        "shared_by_staff": True,
        "is_approved": True,
        "staff_licensed": True,
    },
    "product": {
        "kind": "WEALTH",
        "facts": {"name": "稳健理财", "rate": "2.1%", "provider": "某某理财"},
        "risk_grade": 2,
        "has_return": True,
        "needs_assessment": True,
        "is_private": False,
    },
    "offer": {
        "addon_ticked": False,
        "partner_id": 7,
        "partner_gets_personal_data": True,
        "partner_listed": True,
        "partner_roles": ["DELIVERS"],
        "terms_depend_on": ["tier"],
        "published_terms": ["tier"],
        "earn_rule": {"gives": "fixed", "points": 50},
        "tier_on_deposits": False,
        "gift_on_tier": False,
        "legal_opinion": None,
        "voucher_terms": True,
        "rules_hash": "ab",
        "published_hash": "ab",
        "terms_change": {
            "noticed_at": NOW,
            "effective_at": NOW + timedelta(days=60),
            "cuts_vested_value": False,
        },
        "membership": {
            "paid": True,
            "written_terms": "doc",
            "refund_days": 7,
            "no_price_rise": True,
            "transferable": True,
        },
    },
    "draw": {
        "prizes": [5_000_000],
        "notice": dict.fromkeys(
            (
                *("kinds", "conditions", "way", "draw_time", "draw_way", "amounts", "names"),
                *("number", "odds", "redeem_time", "redeem_way", "delivery", "waiver"),
                *("organiser", "contact"),
            ),
            "…",
        ),
        "started_at": AGO,
        "edited": True,
        "edit_favours_customer": True,
        "seed_commitment": "ab",
        "staff_excluded": True,
        "retention_months": 24,
    },
    "campaign": {
        "significant_decision": True,
        "explanation_route": True,
        "impact_assessment": "pia-1",
        "impact_until": LATER,
        "consumer_review": "rev-1",
        "product_kinds_licensed": ["WEALTH", "CREDIT"],
        "archive_ok": True,
        "maker": "stf_1",
        "approvers": ["stf_2"],
        "hashes_match": True,
        "approved_from": AGO,
        "approved_until": LATER,
        "pack_matches": True,
        "preview_at": NOW - timedelta(hours=2),
        "preview_matches": True,
        "open_audience": True,
        "fields": [
            {
                "name": "purchase.amount",
                "marketing": True,
                "origin": "FINANCIAL",
                "financial": True,
                "sensitive": True,
            }
        ],
    },
    "vendor": {
        "contract_until": LATER,
        "purposes": ["offers"],
        "region": "US",
        "lawful_route": True,
    },
    "form": {
        "default_checked": False,
        "bundled_purposes": 1,
        "required_for_service": False,
        "is_marketing": True,
        "reads_consent": False,
        "notice_fields": {"controller": "某某银行", "purpose": "优惠"},
        "wanted_fields": ["controller", "purpose"],
        "source": "RISK_ASSESSMENT",
        "proof_complete": True,
        "receipt_issued": True,
        "assessments_1d": 1,
        "assessments_12m": 7,
    },
}

Patch = dict[str, Any]
WEEK_AGO = NOW - timedelta(days=7)
TO_FIELD = {
    "name": "x.y",
    "marketing": False,
    "origin": "CREDIT_BUREAU",
    "financial": False,
    "sensitive": False,
}
PROMPT = {"message.kind": "CONSENT_PROMPT", "recipient.status": "REFUSED"}
SERVICE = {"message.kind": "SERVICE", "offer": None, "message.port_kind": "SERVICE"}
SAYS = "content.texts"

EXAMPLES: dict[str, tuple[Patch, Patch]] = {
    "consent.marketing.required": ({}, {"recipient.status": None}),
    "consent.refused.hard": ({}, {"recipient.status": "WITHDRAWN"}),
    "consent.withdraw.immediate": (
        {"recipient.last_withdrawal_at": AGO},
        {"recipient.last_withdrawal_at": NOW},
    ),
    "consent.no-rename": (
        {"recipient.suppressions": []},
        {"recipient.suppressions": [("CONTACT_POINT", "opt-out")]},
    ),
    "consent.bank-optout-mode": ({}, {"recipient.channel_refused": True}),
    "consent.no-default-no-bundle": ({}, {"form.default_checked": True}),
    "consent.no-service-tie": ({}, {"form.required_for_service": True}),
    "notice.complete": ({}, {"form.notice_fields": {"controller": "x", "purpose": " "}}),
    "notice.version-current": ({}, {"recipient.notice_version": 1}),
    "consent.no-nagging": (
        {**PROMPT, "recipient.refused_at": NOW - timedelta(days=181)},
        {**PROMPT, "recipient.refused_at": NOW - timedelta(days=179)},
    ),
    "consent.fin-info-for-marketing": ({}, {"recipient.separately": frozenset()}),
    "consent.separate.sensitive": ({}, {"recipient.separately": frozenset()}),
    "consent.separate.third-party": (
        {},
        {"recipient.separately": frozenset({("partner-sharing", 8)})},
    ),
    "processor.contract": ({}, {"vendor.contract_until": NOW}),
    "data.cross-border": ({}, {"recipient.separately": frozenset()}),
    "minor.under14": (
        {"recipient.age_band": "UNDER_14", "recipient.guardian": True},
        {"recipient.age_band": "UNDER_14"},
    ),
    "minor.no-automated-marketing": (
        {"recipient.age_band": "UNDER_18", "message.automated": False},
        {"recipient.age_band": "UNDER_18"},
    ),
    "contact.verified": ({}, {"recipient.contact_checked_at": NOW - timedelta(days=366)}),
    "consent.import-provenance": ({}, {"form.source": "IMPORT", "form.proof_complete": False}),
    "consent.proof-kept": ({}, {"recipient.proved": False}),
    "consent.double-opt-in": (
        {"message.channel": "EMAIL", "recipient.mechanism": "SELF_FORM"},
        {
            "message.channel": "EMAIL",
            "recipient.mechanism": "SELF_FORM",
            "recipient.status": "PENDING",
        },
    ),
    "consent.receipt": ({}, {"form.receipt_issued": False}),
    "referral.no-cold-contact": ({}, {"form.source": "REFERRAL_UPLOAD"}),
    "erasure.stop-processing": ({}, {"recipient.restricted": True}),
    "suppress.deceased-or-legal": (
        {},
        {"recipient.suppressions": [("ALL", "legal-hold")]},
    ),
    "msg.sender-identity": ({}, {"message.signature": "别的名字"}),
    "msg.optout.present": ({}, {"message.has_optout": False}),
    "msg.optout.works": ({}, {"gate.optout_checked_at": NOW - timedelta(hours=25)}),
    "msg.optout.post-only": ({}, {"message.optout_get_acts": True}),
    "msg.email.ad-prefix": (
        {"message.channel": "EMAIL"},
        {"message.channel": "EMAIL", "content.subject": "积分活动(广告)"},
    ),
    "msg.ad-identifiable": (
        {"message.channel": "IN_APP"},
        {"message.channel": "IN_APP", "message.ad_label": False},
    ),
    "msg.popup.close": (
        {
            "message.placement": "POPUP",
            "message.popup_close_ms": 0,
            "message.popup_close_visible": True,
        },
        {
            "message.placement": "POPUP",
            "message.popup_close_ms": 3000,
            "message.popup_close_visible": True,
        },
    ),
    "msg.no-append": ({}, {"message.placement": "USER_IM"}),
    "msg.port-class": ({}, {"message.port_kind": "SERVICE"}),
    "msg.service.no-promo": (
        {**SERVICE, SAYS: ["您的积分将于12月31日到期。"]},
        {**SERVICE, SAYS: ["您的账单已出,点击领券立减20元。"]},
    ),
    "msg.link.own-platform": ({}, {"message.link_hosts": ["shop.example"]}),
    "time.quiet-hours": ({}, {"recipient.zone": ZoneInfo("Etc/GMT+3")}),
    "freq.cap": ({}, {"recipient.sent": [NOW - timedelta(hours=23)]}),
    "request.expired": ({}, {"request.expires_at": NOW}),
    "msg.composed": ({}, {"request.is_composed": False}),
    "preference.topic": ({}, {"request.topics": ["cars", "travel"]}),
    "time.blackout": ({}, {"gate.blackout": True}),
    "situation.complaint-open": ({}, {"recipient.open_complaints": 1}),
    "situation.distress": (
        {"product.kind": "CREDIT"},
        {"product.kind": "CREDIT", "recipient.distress": True},
    ),
    "content.superlative": ({}, {SAYS: ["全国最佳理财服务"]}),
    "content.state-names": ({}, {SAYS: ["本产品经金融监管总局批准"]}),
    "content.return-promise": ({SAYS: ["本产品不保本"]}, {SAYS: ["保本保收益"]}),
    "content.testimonial": ({}, {"content.kind": "CASE_STORY"}),
    "content.inducing": ({}, {SAYS: ["低门槛,秒到账"]}),
    "content.risk-warning": ({}, {"content.risk_prominent": False}),
    "content.key-facts-match": ({}, {"content.facts": {"rate": "2.5%"}}),
    "content.apr": (
        {"product.kind": "CREDIT"},
        {"product.kind": "CREDIT", "content.blocks": frozenset({"RISK"})},
    ),
    "content.first-period": ({}, {"content.blocks": frozenset({"RISK"})}),
    "content.category-confusion": ({SAYS: ["本产品不等同于存款"]}, {SAYS: ["和存款一样安心"]}),
    "content.zone": ({}, {"content.zoned": False}),
    "content.data-source": ({}, {"content.claims": [{"text": "八成客户"}]}),
    "content.gift": ({}, {"content.gifts": [{"name": "杯子"}]}),
    "content.price-compare": ({}, {"content.was_price": 101}),
    "content.no-tie": ({}, {"offer.addon_ticked": True}),
    "content.no-final-interpretation": (
        {SAYS: ["以最终公布的规则为准"]},
        {SAYS: ["本活动最终解释权归本行所有"]},
    ),
    "content.portrait": ({}, {"content.portraits": [{"release": "doc", "minor": True}]}),
    "content.private-product": (
        {"product.is_private": True, "campaign.open_audience": False},
        {"product.is_private": True},
    ),
    "content.staff-share": ({}, {"content.staff_licensed": False}),
    "content.ai-label": ({}, {"content.ai_label": False}),
    "suit.risk-match": ({}, {"product.risk_grade": 4}),
    "suit.assessment-valid": ({}, {"recipient.assessed_at": NOW - timedelta(days=366)}),
    "suit.assessment-limits": ({}, {"form.assessments_1d": 2}),
    "suit.age65": (
        {"recipient.age_band": "FROM_65"},
        {"recipient.age_band": "FROM_65", "product.risk_grade": 4},
    ),
    "suit.capacity": (
        {
            "recipient.capacity": "LIMITED",
            "recipient.guardian": True,
            "product.risk_grade": 1,
        },
        {"recipient.capacity": "LIMITED", "product.risk_grade": 1},
    ),
    "auto.off-switch": ({}, {"recipient.personalisation_off": True}),
    "auto.equal-terms": ({}, {"offer.terms_depend_on": ["tier", "device"]}),
    "auto.explain": ({}, {"campaign.explanation_route": False}),
    "auto.pia": ({}, {"campaign.impact_until": NOW}),
    "audience.attribute-allow-list": ({}, {"campaign.fields": [TO_FIELD]}),
    "audience.credit-report": ({}, {"campaign.fields": [TO_FIELD]}),
    "audience.antifraud": ({}, {"campaign.fields": [{**TO_FIELD, "origin": "FRAUD_MONITOR"}]}),
    "audience.preview-fresh": ({}, {"campaign.preview_at": NOW - timedelta(hours=25)}),
    "promo.deposit-reward": ({}, {"offer.earn_rule": {"when": {"value": ["5812", "6012"]}}}),
    "promo.aum-tier": (
        {
            "offer.tier_on_deposits": True,
            "offer.gift_on_tier": True,
            "offer.legal_opinion": "doc",
        },
        {"offer.tier_on_deposits": True, "offer.gift_on_tier": True},
    ),
    "promo.draw.max": ({}, {"draw.prizes": [100, 5_000_001]}),
    "promo.draw.disclose": ({}, {"draw.notice": {"kinds": "…"}}),
    "promo.draw.frozen": ({}, {"draw.edit_favours_customer": False}),
    "promo.draw.honest": ({}, {"draw.staff_excluded": False}),
    "promo.draw.archive": ({}, {"draw.retention_months": 23}),
    "promo.points-prize": ({}, {"offer.voucher_terms": False}),
    "promo.honour": ({}, {"offer.published_hash": "cd"}),
    "promo.rule-change": (
        {},
        {
            "offer.terms_change": {
                "noticed_at": NOW,
                "effective_at": NOW + timedelta(days=29),
                "cuts_vested_value": False,
            }
        },
    ),
    "promo.prepaid": ({}, {"offer.membership": {"paid": True, "written_terms": "doc"}}),
    "gov.maker-checker": ({}, {"campaign.approvers": ["stf_2", "stf_1"]}),
    "gov.consumer-review": ({}, {"campaign.consumer_review": None}),
    "gov.licence": ({}, {"campaign.product_kinds_licensed": ["FUND"]}),
    "gov.partner": ({}, {"offer.partner_roles": ["MOVES_MONEY"]}),
    "gov.approval-expiry": ({}, {"campaign.approved_until": NOW}),
    "gov.ad-archive": ({}, {"campaign.archive_ok": False}),
    "gov.gate-up": ({}, {"gate.is_up": False}),
    "visit.no-marketing": (
        {"message.kind": "VISIT", SAYS: ["请问您对处理结果满意吗?"]},
        {"message.kind": "VISIT", SAYS: ["顺便向您推荐新品理财"]},
    ),
}


def patched(patch: Patch) -> Any:
    """Return the clean facts with a patch applied."""
    facts = copy.deepcopy(CLEAN)
    for path, value in patch.items():
        section, _, name = path.partition(".")
        if name:
            facts[section][name] = value
        else:
            facts[section] = value
    return facts
