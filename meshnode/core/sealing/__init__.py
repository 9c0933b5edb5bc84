"""Sealing and opening: the link, envelopes, sessions, parcels, and what rests on disk."""
