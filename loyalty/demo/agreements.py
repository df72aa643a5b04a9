"""What the sample bank asks its customers, what it told them, and what some of them said.

Everything that a campaign needs: purposes with their notices, contact points, consents and
refusals, and words for messages.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from loyalty import consent, messages
from loyalty.consent import NewEvent
from loyalty.demo.sample import DEMO, LONG_AGO
from loyalty.messages import NewTemplate

AGREED = "demo"
WITNESS = {"witness": "sample-branch"}
_APART = {"is_marketing": False, "needs_separate": True, "by_channel": False}
PURPOSES: Mapping[str, dict[str, Any]] = {
    "service": {"names": ("服务通知", "Service messages"), "is_marketing": False},
    "offers": {"names": ("优惠活动", "Offers")},
    "usage-analysis": {"names": ("使用分析", "Analysis of use"), "is_marketing": False},
    "product-news": {"names": ("产品资讯", "News on products")},
    "financial-info-for-marketing": {
        **_APART,
        "names": ("将金融信息用于营销", "Financial data used for marketing"),
        "sensitivity": "sensitive",
    },
    "sensitive-data": {
        **_APART,
        "names": ("处理敏感个人信息", "Use of sensitive data"),
        "sensitivity": "sensitive",
    },
    "partner-sharing": {**_APART, "names": ("向合作方提供个人信息", "Sharing with a partner")},
    "cross-border": {**_APART, "names": ("向境外提供个人信息", "Sending data abroad")},
}
_TOLD = {
    "controller": ("样例银行股份有限公司", "Sample Bank Co., Ltd."),
    "contact": ("个人信息保护负责人,电话 95500", "The data protection officer, phone 95500"),
    "purpose": ("{name}", "{name}"),
    "way": (
        "经您同意的渠道发送,使用前逐次核对您的授权",
        "By the channels that you agree to; your consent is looked up each time",
    ),
    "kinds": ("姓名、联系方式、会员等级和积分", "Name, phone or address, tier and points"),
    "retention": ("同意期间;撤回后只留存凭证", "While you agree; then only the proof is kept"),
    "rights": (
        "您可查阅、复制、更正、删除和转移您的信息",
        "You may see, copy, correct, delete and take away your data",
    ),
    "withdrawal": (
        "可随时在“我的授权”中一键撤回,与同意同样方便,不影响积分和权益",
        "At any time under “My consents”, as easily as you agreed; points and benefits stay",
    ),
    "necessity": ("仅用于挑选与您相关的信息", "Only to choose what may concern you"),
    "effect": ("不同意不影响任何服务", "Without it every service stays as it is"),
}
TEMPLATES = (
    NewTemplate(
        code="points-expiring",
        class_="service",
        purpose="service",
        name_zh="积分到期提醒",
        name_en="Points about to expire",
        contents={
            channel: {
                "zh": {
                    "subject": "积分到期提醒",
                    "body": "{customer_name}您好,您有 {points} 分将于 {day} 到期。",
                },
                "en": {
                    "subject": "Points about to expire",
                    "body": "Dear {customer_name}, {points} of your points expire on {day}.",
                },
            }
            for channel in ("email", "in_app")
        }
        | {
            "sms": {
                "zh": {"body": "您有 {points} 分将于 {day} 到期。"},
                "en": {"body": "{points} of your points expire on {day}."},
            }
        },
        placeholders={"customer_name": "person", "points": "whole", "day": "day"},
    ),
    NewTemplate(
        code="member-news",
        class_="marketing",
        purpose="offers",
        name_zh="会员活动",
        name_en="News for members",
        contents={
            "in_app": {
                "zh": {"subject": "会员活动", "body": "{customer_name}您好,{what}已经开始。"},
                "en": {"subject": "For members", "body": "Dear {customer_name}, {what} is open."},
            },
            "sms": {"zh": {"body": "{what}已经开始。"}, "en": {"body": "{what} is open."}},
        },
        placeholders={"customer_name": "person", "what": "text"},
    ),
)


def open_agreements(session: Session, controller_id: int) -> None:
    """Open purposes with their notices, and register words; nothing where they are there."""
    known = {notice.purpose_id for notice in consent.read_notices(session).values()}
    for code, told in PURPOSES.items():
        zh, en = told["names"]
        rest = {name: value for name, value in told.items() if name != "names"}
        purpose = consent.open_purpose(
            session, code, name_zh=zh, name_en=en, controller_id=controller_id, **rest
        )
        if purpose.id not in known:
            _publish(session, purpose)
    registered = messages.newest_templates(session, [one.code for one in TEMPLATES])
    for new in TEMPLATES:
        if new.code not in registered:
            messages.register_template(session, new, AGREED)


def _publish(session: Session, purpose: consent.Purpose) -> None:
    names = (purpose.name_zh, purpose.name_en)
    fields, bodies = [], []
    for place, name in enumerate(names):
        told = {field: words[place].replace("{name}", name) for field, words in _TOLD.items()}
        fields.append(told)
        bodies.append("\n".join([name, *told.values()]))
    consent.publish_notice(
        session,
        purpose,
        body_zh=bodies[0],
        body_en=bodies[1],
        fields={"zh": fields[0], "en": fields[1]},
        approved_by=AGREED,
        material=True,
        effective_from=LONG_AGO,
    )


def say(session: Session, customer_ids: Sequence[int]) -> None:
    """Have three in five of these customers agree to offers, one refuse, and one say nothing."""
    consent.adopt_contacts(session, customer_ids, verified_at=datetime.now(UTC))
    purpose = consent.read_purposes(session)["offers"]
    notice = max(
        number
        for number, told in consent.read_notices(session).items()
        if told.purpose_id == purpose.id
    )
    events = [
        NewEvent(
            customer_id=number,
            purpose="offers",
            channel=channel,
            action="REFUSE" if number % 5 == 1 else "GRANT",
            mechanism="BRANCH",
            source="demo",
            reference="opening",
            notice_id=notice,
            proof=WITNESS,
        )
        for number in customer_ids
        if number % 5 != 0
        for channel in ("IN_APP", "SMS")
    ]
    consent.record(session, DEMO, events)
