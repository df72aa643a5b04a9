"""What marketing adds to the programme: audience, offer, disclosure, approval, gate, sending."""
