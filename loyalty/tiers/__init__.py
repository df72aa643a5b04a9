"""Tiers: what customers have earned by their status points, and what was assigned to them."""

from loyalty.tiers import problems as problems
from loyalty.tiers.ladders import (
    NO_LADDER,
    create_ladder,
    ladder_in_force,
    ladder_versions,
    list_ladders,
)
from loyalty.tiers.qualification import (
    Change,
    current,
    foresee,
    requalify,
    review,
    tiers_at,
)
from loyalty.tiers.reviews import start as start_review
from loyalty.tiers.rules import BASIC, Ladder, Tier, status_terms
from loyalty.tiers.schemas import StandingSchema, dump_standing
from loyalty.tiers.standing import Standing, read_standing

__all__ = [
    "BASIC",
    "NO_LADDER",
    "Change",
    "Ladder",
    "Standing",
    "StandingSchema",
    "Tier",
    "create_ladder",
    "current",
    "dump_standing",
    "foresee",
    "ladder_in_force",
    "ladder_versions",
    "list_ladders",
    "read_standing",
    "requalify",
    "review",
    "start_review",
    "status_terms",
    "tiers_at",
]
