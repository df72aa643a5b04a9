"""Rewards: a catalogue of what points buy, with stock, prices by tier, and claims."""
