"""meshnode: long-range, off-grid messaging over Wi-Fi HaLow and Yggdrasil."""

__version__ = "0.1.0"
