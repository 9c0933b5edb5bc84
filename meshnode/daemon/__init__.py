"""The daemon: one nursery around a node, its store and its carriers."""
