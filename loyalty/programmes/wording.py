"""The refusals of this slice in Chinese and English."""

from loyalty.web import declare

WHICH = ("有多个计划,请指明其一", "is required where there are several programmes")

declare(
    "programme-needed",
    422,
    title=("请指明计划", "Say which programme"),
    explanation=(
        "系统中有多个计划,无法判断是哪一个。",
        "There are several programmes, and none was named.",
    ),
    remedy=("请给出计划代码 programme。", "Give its code as `programme`."),
)
declare(
    "not-a-member",
    404,
    title=("客户未加入本计划", "Not a member"),
    explanation=(
        "该客户还不是此计划的会员,所以在其中没有积分、等级和权益。",
        "The customer has not joined this programme and so has no points, tier or benefits in it.",
    ),
    remedy=("第一笔消费会自动入会。", "The first purchase makes them a member."),
)
