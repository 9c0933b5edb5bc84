"""Whom we trust how far: the rings."""
