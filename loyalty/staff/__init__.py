"""Who works here and which systems call us: units, people, roles, clients and their tokens."""

from loyalty.staff import problems as problems
from loyalty.staff.assertions import open_hand_over
from loyalty.staff.clients import (
    add_client,
    add_key,
    add_secret,
    disable_client,
    find_client,
    open_client,
    revoke_key,
    revoke_older_secrets,
)
from loyalty.staff.passwords import hash_password, is_password
from loyalty.staff.people import (
    add_staff,
    add_unit,
    disable_staff,
    find_staff,
    grant_role,
    names_of,
    revoke_role,
    roles_of,
)
from loyalty.staff.second_factor import code_now
from loyalty.staff.second_factor import new_written as new_second_factor
from loyalty.staff.second_factor import read_written as read_second_factor
from loyalty.staff.sign_in import invite, set_credentials
from loyalty.staff.signing import BadSignature, public_keys, read_claims, sign_claims
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
    "BadSignature",
    "Issued",
    "add_client",
    "add_key",
    "add_secret",
    "add_staff",
    "add_unit",
    "code_now",
    "disable_client",
    "disable_staff",
    "find_client",
    "find_staff",
    "grant_role",
    "hash_password",
    "invite",
    "is_password",
    "issue_client_token",
    "issue_customer_token",
    "issue_staff_token",
    "names_of",
    "new_second_factor",
    "open_client",
    "open_hand_over",
    "public_keys",
    "read_claims",
    "read_second_factor",
    "revoke_key",
    "revoke_older_secrets",
    "revoke_role",
    "roles_of",
    "set_credentials",
    "sign_claims",
    "verify_token",
]
