"""Which neighbour is worth a copy: one file for each answer."""
