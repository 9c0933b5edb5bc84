"""Serial modems: their AT dialects, and datagrams through the one that can carry them."""
