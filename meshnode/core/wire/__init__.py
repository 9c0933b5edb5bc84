"""Bytes to frames and back, with size limits."""
