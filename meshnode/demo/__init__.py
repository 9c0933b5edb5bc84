"""The demo: complete daemons on this machine, only their radios replaced by the modelled channel."""
