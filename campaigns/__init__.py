"""Campaigns: what marketing adds: audience, offer, disclosure, approval, sending, results.

They reach the programme as data: launching writes ordinary earning rules, issues ordinary coupons
and asks for ordinary messages, each marked with its source. Nothing below has heard of campaigns.
"""
