"""The refusals of this slice, in Chinese and English."""

from loyalty.web import declare

declare(
    "promo.deposit-reward",
    422,
    title=("不得以积分奖励存款", "Deposits cannot be rewarded"),
    explanation=(
        "银保监办发〔2018〕48 号第二条第(一)项禁止以返现、有价证券、实物等方式吸收存款;"
        "此规则没有保存。",
        "Item 2(1) of notice 48 (2018) of the banking regulator forbids taking deposits by cash,"
        " securities or goods; the rule was not saved.",
    ),
    remedy=("请改为奖励消费。", "Reward purchases instead."),
)
declare(
    "bad-policy-pack",
    422,
    title=("策略包无效", "The policy pack is not valid"),
    explanation=(
        "策略包无法读取或签名无效;没有生效,也没有保存。",
        "The pack cannot be read or was not signed by our key; nothing was saved.",
    ),
    remedy=("请重新取得经签名的策略包。", "Get the signed pack again."),
)
declare(
    "policy-version-taken",
    409,
    title=("该版本已有另一份策略包", "The version has another pack"),
    explanation=(
        "同一版本已保存过不同的内容;没有做任何更改。",
        "Another text was kept under this version; nothing was changed.",
    ),
    remedy=("请使用新的版本号。", "Use a new version."),
)
declare(
    "no-policy-pack",
    409,
    title=("没有生效的策略包", "No policy pack is in force"),
    explanation=(
        "没有生效的策略包,合规校验不可用,因此不发送任何信息。",
        "Without a pack in force nothing can be checked, so nothing is sent.",
    ),
    remedy=("请先启用经签名的策略包。", "Put a signed pack in force first."),
)
