"""Nodes one hop away: who they are, whether they hear us, and the way to and from them."""
