"""The refusals of this slice, for people to read."""

from loyalty.web import declare

declare(
    "name-taken",
    409,
    title=("名称已被使用", "The name is taken"),
    explanation=(
        "已有同名的系统账号或员工账号。",
        "A client or a member of staff already goes by this name.",
    ),
    remedy=("请换一个名称,或使用已有的账号。", "Choose another name, or use the one that exists."),
)
declare(
    "unknown-role",
    422,
    title=("没有这个角色", "There is no such role"),
    explanation=("所给的角色不在角色表中。", "The role is not one of those that exist."),
    remedy=("请使用文档列出的角色。", "Use a role that the documents list."),
)
declare(
    "unknown-unit-kind",
    422,
    title=("没有这种机构类型", "There is no such kind of unit"),
    explanation=(
        "机构只能是总行、分支行或部门。",
        "A unit is the head office, a branch or a department.",
    ),
    remedy=(
        "请使用 head_office、branch 或 department。",
        "Use head_office, branch or department.",
    ),
)
declare(
    "roles-conflict",
    409,
    title=("角色不能由同一人担任", "One person may not hold these roles together"),
    explanation=(
        "授权与业务、制作与审批必须由不同的人担任,因此没有授予该角色。",
        "Who grants roles touches no value, and who makes does not approve; nothing was granted.",
    ),
    remedy=(
        "请先撤销冲突的角色,或授予另一位员工。",
        "Take the conflicting role away first, or give the role to somebody else.",
    ),
)
declare(
    "invalid-scope",
    422,
    title=("权限范围不合规范", "The scope is malformed"),
    explanation=(
        "权限范围形如 points:read,只含小写字母、连字符和冒号。",
        "A scope looks like points:read: lower-case letters, hyphens and one colon.",
    ),
    remedy=("请使用文档列出的权限范围。", "Use scopes that the documents list."),
)
declare(
    "too-many-secrets",
    409,
    title=("该账号已有两个有效密钥", "The client already has two live secrets"),
    explanation=(
        "一个账号最多同时有新旧两个密钥。",
        "A client has at most the old and the new secret at a time.",
    ),
    remedy=("请先撤销旧密钥。", "Revoke the older secret first."),
)
declare(
    "invalid-key",
    422,
    title=("公钥不可接受", "The public key is not acceptable"),
    explanation=(
        "只接受 JWK 形式的 Ed25519 或 P-256 公钥,不得包含私钥部分。",
        "Only a public Ed25519 or P-256 key as a JWK is taken, without its private part.",
    ),
    remedy=(
        "请生成合规的密钥对,只登记公钥。",
        "Make such a key pair and register the public half.",
    ),
)
declare(
    "weak-password",
    422,
    title=("密码太容易被猜到", "The password is too easy to guess"),
    explanation=(
        "密码须有 12 到 200 个字符，不能只由常用词、账号、连续按键或年份组成；没有保存。",
        "A password has 12 to 200 characters and is not made of common words, the account's name,"
        " runs of keys or years alone; nothing was kept.",
    ),
    remedy=(
        "几个不相干的词连在一起就很好。",
        "A few words that have nothing to do with each other will do well.",
    ),
)
declare(
    "passwords-differ",
    422,
    title=("两次输入的密码不一致", "The two passwords differ"),
    explanation=("密码没有保存。", "Nothing was kept."),
    remedy=("请重新输入两次。", "Enter it twice again."),
)
