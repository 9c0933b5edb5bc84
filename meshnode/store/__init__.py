"""What a node keeps on disk: one SQLite file, one writer."""
