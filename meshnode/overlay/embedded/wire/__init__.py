"""Keys and bytes of the Yggdrasil 0.5 protocol."""
