"""The commands: one file each. They ask a running node over its control socket, or work on its home."""
