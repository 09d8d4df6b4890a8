#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Collect NetFlow version 5 on a UDP port: one line for each flow record.

usage: netflow.py PORT

The records of traffic.py's filler are left out: how many of those a program
has seen when it ends is up to the ring.
"""
import socket
import struct
import sys

HEADER, RECORD = 24, 48


def main(port):
    collector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    collector.bind(("127.0.0.1", port))
    while True:
        data = collector.recv(65536)
        version, count = struct.unpack_from("!HH", data)
        if version != 5:
            print("version", version, flush=True)
            continue
        for at in range(HEADER, HEADER + count * RECORD, RECORD):
            src, dst = (socket.inet_ntoa(data[at + o:at + o + 4]) for o in (0, 4))
            packets, octets = struct.unpack_from("!II", data, at + 16)
            sport, dport = struct.unpack_from("!HH", data, at + 32)
            flags, proto = data[at + 37], data[at + 38]
            if 5001 not in (sport, dport):
                print("%s:%d > %s:%d proto %d flags %02x: %d packets, %d bytes" % (
                    src, sport, dst, dport, proto, flags, packets, octets), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
