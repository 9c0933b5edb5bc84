"""The hash chain: blocks, logs, frontier, forks, checkpoints, pruning, reconciliation."""
