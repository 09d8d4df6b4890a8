#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print what is in capture files, packet by packet, without what a clock made.

usage: packets.py [--live] [--mask-ip-id] FILE...

One line for each header or block that matters, one for each packet with its
lengths and a digest of its bytes. --live also checks that the times are of the
last two minutes and do not run backwards. --mask-ip-id leaves out what the
kernel chooses at random in the packets it makes itself.
"""
import hashlib
import struct
import sys
import time

OPTIONS = {(1, 2): "name", (1, 9): "resolution", (1, 11): "filter",
           (10, 3): "os", (10, 4): "application",
           (5, 4): "received", (5, 5): "dropped", (5, 6): "accepted",
           (5, 7): "os-dropped", (5, 8): "delivered"}


# Where the EtherType is and where the IP header begins, by link type:
# Ethernet, Linux cooked version 1 and 2.
LAYOUT = {1: (12, 14), 113: (14, 16), 276: (0, 20)}


def masked(data, link):
    """The same bytes without IP identification and header checksum."""
    kind, ip = LAYOUT[link]
    if data[kind:kind + 2] != b"\x08\x00":
        return data
    return data[:ip + 4] + b"--" + data[ip + 6:ip + 10] + b"--" + data[ip + 12:]


class Printer:
    def __init__(self, live, mask):
        self.live, self.mask = live, mask
        self.count, self.last, self.links = 0, {}, []

    def packet(self, interface, stamp, wire_len, data):
        self.count += 1
        if self.live:
            self.check_time(interface, stamp)
        if self.mask:
            data = masked(data, self.links[interface])
        digest = hashlib.sha256(data).hexdigest()[:16]
        print("packet", self.count, "on", interface, len(data), "of", wire_len, digest)

    def check_time(self, interface, stamp):
        if not -120 < stamp - time.time() < 2:
            print("packet", self.count, "is not of now:", stamp)
        if stamp < self.last.get(interface, 0):
            print("packet", self.count, "is before the one in front of it")
        self.last[interface] = stamp


def pcap(data, out):
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    magic, major, minor, zone, sigfigs, snaplen, link = struct.unpack_from(order + "IHHiIII", data)
    print("pcap %08x" % magic, major, minor, zone, sigfigs, "snaplen", snaplen, "link", link)
    out.links.append(link)
    unit = 1e-9 if magic == 0xA1B23C4D else 1e-6
    at = 24
    while at < len(data):
        seconds, fraction, caplen, wire_len = struct.unpack_from(order + "IIII", data, at)
        if at + 16 + caplen > len(data):
            print("cut short")
            return
        out.packet(0, seconds + fraction * unit, wire_len, data[at + 16:at + 16 + caplen])
        at += 16 + caplen


def options(kind, data):
    texts, at = [], 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("<HH", data, at)
        value = data[at + 4:at + 4 + length]
        if (kind, code) in OPTIONS:
            text = str(int.from_bytes(value, "little")) if kind == 5 else repr(value)
            texts.append(OPTIONS[(kind, code)] + "=" + text)
        at += 4 + (length + 3) // 4 * 4
    return " ".join(texts)


def pcapng(data, out):
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8:at + length - 4]
        if kind == 0x0A0D0D0A:
            print("section", options(10, body[16:]))
        elif kind == 1:
            link, snaplen = struct.unpack_from("<HxxI", body)
            out.links.append(link)
            print("interface link", link, "snaplen", snaplen, options(1, body[8:]))
        elif kind == 6:
            interface, high, low, caplen, wire_len = struct.unpack_from("<IIIII", body)
            out.packet(interface, (high << 32 | low) * 1e-9, wire_len, body[20:20 + caplen])
        elif kind == 5:
            print("statistics", struct.unpack_from("<I", body)[0], options(5, body[12:]))
        else:
            print("block", kind)
        at += length


def main(args):
    live, mask = "--live" in args, "--mask-ip-id" in args
    for path in [a for a in args if not a.startswith("--")]:
        with open(path, "rb") as file:
            data = file.read()
        reader = pcapng if data[:4] == b"\x0a\x0d\x0d\x0a" else pcap
        reader(data, Printer(live, mask))


if __name__ == "__main__":
    main(sys.argv[1:])
