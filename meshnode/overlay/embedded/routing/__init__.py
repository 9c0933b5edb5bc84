"""How packets find their way: a tree of signed places, filters of who is below, paths, and the next hop."""
