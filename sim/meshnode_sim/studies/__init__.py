"""Many runs instead of one: sweeps over parameters and seeds, comparisons, and a swarm that looks for faults."""
