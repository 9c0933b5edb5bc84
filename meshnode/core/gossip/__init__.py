"""How blocks spread: eager floods, Trickle beacons, deltas, and sessions that reconcile by ranges."""
