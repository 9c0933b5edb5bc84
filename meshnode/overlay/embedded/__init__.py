"""A Yggdrasil 0.5 node of our own, after yggdrasil-go 0.5.12 with ironwood at revision 743fe2f.

node      a whole node without its sockets
ends      sessions between two keys, IPv6 in them, requests about a node
routing   tree, filters, paths, the next hop
wire      keys and bytes

Nothing here opens anything, reads a clock or draws luck: a host tells the time and carries the bytes.
"""
