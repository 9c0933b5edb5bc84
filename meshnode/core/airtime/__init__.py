"""Airtime as the currency: what goes out next, in which company, and how fast."""
