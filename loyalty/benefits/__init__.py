"""Benefits: what a tier or a grant allows, how often, and each use of it."""

from loyalty.benefits import wording as wording
from loyalty.benefits.offering import grant_benefit, offer_benefit
from loyalty.benefits.queries import Offer, list_offers
from loyalty.benefits.usage import Standing, Used, read_benefits, reverse_use, use_benefit

__all__ = [
    "Offer",
    "Standing",
    "Used",
    "grant_benefit",
    "list_offers",
    "offer_benefit",
    "read_benefits",
    "reverse_use",
    "use_benefit",
]
