"""Yggdrasil: addresses, the admin socket of a running daemon, and a daemon of our own."""
