"""Who works here and which systems call us: units, people, roles, clients and their tokens."""

from loyalty.staff import problems as problems
from loyalty.staff.clients import (
    add_client,
    add_key,
    add_secret,
    disable_client,
    find_client,
    open_client,
    revoke_older_secrets,
)
from loyalty.staff.people import (
    add_staff,
    add_unit,
    disable_staff,
    find_staff,
    grant_role,
    revoke_role,
    roles_of,
)
from loyalty.staff.tokens import (
    DEVELOPMENT,
    Issued,
    issue_client_token,
    issue_customer_token,
    issue_staff_token,
    verify_token,
)

__all__ = [
    "DEVELOPMENT",
    "Issued",
    "add_client",
    "add_key",
    "add_secret",
    "add_staff",
    "add_unit",
    "disable_client",
    "disable_staff",
    "find_client",
    "find_staff",
    "grant_role",
    "issue_client_token",
    "issue_customer_token",
    "issue_staff_token",
    "open_client",
    "revoke_older_secrets",
    "revoke_role",
    "roles_of",
    "verify_token",
]
