"""What runs on a simulated node instead of the core: reference strategies, misbehaving nodes, ideas to try."""
