"""A Yggdrasil 0.5 node of our own, after yggdrasil-go 0.5.12 with ironwood at revision 743fe2f.

wire      keys and bytes
"""
