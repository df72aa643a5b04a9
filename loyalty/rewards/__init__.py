"""Rewards: a catalogue of what points buy, with stock, prices by tier, and claims."""

from loyalty.rewards import wording as wording
from loyalty.rewards.catalogue import Reward, add_version, find_reward, list_rewards
from loyalty.rewards.claiming import Claim, cancel, claim, deliver, list_claims

__all__ = [
    "Claim",
    "Reward",
    "add_version",
    "cancel",
    "claim",
    "deliver",
    "find_reward",
    "list_claims",
    "list_rewards",
]
