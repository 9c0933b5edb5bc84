"""The simulator and the lab: the other hosts of the core."""
