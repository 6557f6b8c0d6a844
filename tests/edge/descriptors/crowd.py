#!/usr/bin/env python3
"""Opens COUNT connections from SOURCE to ADDRESS:PORT, says so, and holds them until its input ends.

usage: crowd.py ADDRESS PORT SOURCE COUNT

A process of its own, since a single one may have no more files open than the edge it is to exhaust.
"""

import resource
import socket
import struct
import sys


def main():
    address, port, source, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = [connection((address, port), source) for _ in range(count)]
    print(f"{len(held)} open", flush=True)
    sys.stdin.read()


def connection(address, source):
    stream = socket.create_connection(address, source_address=(source, 0))
    # Ends with a reset: thousands of ports in TIME-WAIT would be missed by whoever comes next.
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return stream


main()
