"""A Yggdrasil 0.5 node of our own, after yggdrasil-go 0.5.12 with ironwood at revision 743fe2f.

host      sockets, TUN, clock, admin socket
node      a whole node without its sockets
ends      sessions between two keys, IPv6 in them, requests about a node
routing   tree, filters, paths, the next hop
wire      keys and bytes

All but the host is a calculator: it opens nothing, reads no clock and draws no luck.
"""
