#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Send the same hand-made frames every time, a little apart.

usage: traffic.py INTERFACE [--gap MS] [--reverse] KIND[:COUNT]...

The hosts in these conversations do not exist, so no kernel answers them; the
addresses are 10.77.0.101 and 10.77.0.102. --reverse swaps the two, for frames
sent by the capturing side.
"""
import socket
import struct
import sys
import time

MAC = {1: bytes.fromhex("020000007765"), 2: bytes.fromhex("020000007766")}
IP = {1: socket.inet_aton("10.77.0.101"), 2: socket.inet_aton("10.77.0.102")}
BROADCAST = b"\xff" * 6


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ether(payload, kind=0x0800, src=1, dst=2, tags=()):
    """A frame; tags are (ethertype, vid) pairs from the outside in."""
    head = MAC[dst] + MAC[src] if dst else BROADCAST + MAC[src]
    for tag_type, vid in tags:
        head += struct.pack("!HH", tag_type, vid)
    return (head + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def ipv4(payload, proto, src=1, dst=2, ident=1):
    def header(check):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident,
                           0x4000, 64, proto, check, IP[src], IP[dst])
    return header(checksum(header(0))) + payload


def l4(proto, segment, check_at, src, dst):
    pseudo = IP[src] + IP[dst] + struct.pack("!BBH", 0, proto, len(segment))
    check = checksum(pseudo + segment) or 0xFFFF
    return segment[:check_at] + struct.pack("!H", check) + segment[check_at + 2:]


def udp(data, sport=4000, dport=5000, src=1, dst=2, ident=1, tags=()):
    segment = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ether(ipv4(l4(17, segment, 6, src, dst), 17, src, dst, ident),
                 src=src, dst=dst, tags=tags)


def tcp(data, flags, seq, ack, sport=43210, dport=80, src=1, dst=2, ident=1):
    options = b""
    if flags & 2:  # SYN: an option list that p0f has a name for (Linux 3.11)
        options = struct.pack("!BBHBBBBIIBBBB", 2, 4, 1460, 4, 2, 8, 10, 1000,
                              0 if flags == 2 else 1000, 1, 3, 3, 7)
    window = 1460 * 20 if flags & 2 else 501
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack,
                          (20 + len(options)) // 4 << 4, flags, window, 0, 0)
    segment += options + data
    return ether(ipv4(l4(6, segment, 16, src, dst), 6, src, dst, ident),
                 src=src, dst=dst)


def pattern(size, seed):
    return bytes((seed + i * 7) & 0xFF for i in range(size))


def kind_udp(count):
    for i in range(count):
        yield udp(b"datagram %04d " % i + pattern(400, i), ident=1000 + i)


def kind_small(count):
    for i in range(count):
        yield udp(b"small %04d" % i, ident=2000 + i)


def kind_big(count):
    for i in range(count):
        yield udp(b"big %04d " % i + pattern(1463, i), ident=3000 + i)


def kind_sizes(count):
    """Datagrams of growing size, for every alignment and padding."""
    for i in range(count):
        yield udp(pattern(i * 13 % 1472, i), ident=4000 + i)


def kind_icmp(count):
    for i in range(count):
        for kind, src, dst in ((8, 1, 2), (0, 2, 1)):
            body = struct.pack("!BBHHH", kind, 0, 0, 0x7777, i) + b"abcdefgh" * 4
            body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
            yield ether(ipv4(body, 1, src, dst, 5000 + i), src=src, dst=dst)


def kind_arp(count):
    for _ in range(count):
        head = struct.pack("!HHBB", 1, 0x0800, 6, 4)
        yield ether(head + struct.pack("!H", 1) + MAC[1] + IP[1] + bytes(6) + IP[2],
                    kind=0x0806, dst=None)
        yield ether(head + struct.pack("!H", 2) + MAC[2] + IP[2] + MAC[1] + IP[1],
                    kind=0x0806, src=2, dst=1)


def kind_dns(count):
    name = b"\3www\7example\3com\0"
    for i in range(count):
        question = name + struct.pack("!HH", 1, 1)
        yield udp(struct.pack("!HHHHHH", i, 0x0100, 1, 0, 0, 0) + question,
                  sport=5353 + i, dport=53, ident=6000 + i)
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 4) + IP[2]
        yield udp(struct.pack("!HHHHHH", i, 0x8180, 1, 1, 0, 0) + question + answer,
                  sport=53, dport=5353 + i, src=2, dst=1, ident=6500 + i)


def http(i):
    """A whole connection: handshake, request, answer in parts, both FINs."""
    request = (b"GET /page%d HTTP/1.1\r\nHost: www.example.com\r\n"
               b"User-Agent: netring-test\r\n\r\n" % i)
    body = b"".join(b"line %03d of page %d\n" % (n, i) for n in range(100))
    answer = (b"HTTP/1.1 200 OK\r\nServer: netring-test\r\nContent-Type: text/plain\r\n"
              b"Content-Length: %d\r\n\r\n" % len(body)) + body
    syn, fin_ack, ack, psh_ack, syn_ack = 2, 0x11, 0x10, 0x18, 0x12
    port, mine, theirs = 43210 + i, 1000, 9000
    out = {"sport": port, "dport": 80}
    back = {"sport": 80, "dport": port, "src": 2, "dst": 1}
    yield tcp(b"", syn, mine, 0, **out)
    yield tcp(b"", syn_ack, theirs, mine + 1, **back)
    mine, theirs = mine + 1, theirs + 1
    yield tcp(b"", ack, mine, theirs, **out)
    yield tcp(request, psh_ack, mine, theirs, **out)
    mine += len(request)
    for start in range(0, len(answer), 700):
        part = answer[start:start + 700]
        yield tcp(part, psh_ack, theirs, mine, **back)
        theirs += len(part)
        yield tcp(b"", ack, mine, theirs, **out)
    yield tcp(b"", fin_ack, theirs, mine, **back)
    yield tcp(b"", fin_ack, mine, theirs + 1, **out)
    yield tcp(b"", ack, theirs + 1, mine + 1, **back)


def kind_http(count):
    for i in range(count):
        yield from http(i)


def kind_vlan(count):
    """Untagged, 802.1Q, another VLAN, 802.1ad with 802.1Q in it, priority tag."""
    stacks = ((), ((0x8100, 42),), ((0x8100, 43),),
              ((0x88A8, 100), (0x8100, 42)), ((0x8100, 5 << 13),))
    for i in range(count):
        for n, tags in enumerate(stacks):
            yield udp(b"vlan case %d round %02d" % (n, i), ident=7000 + i, tags=tags)


def kind_mix(count):
    for _ in range(count):
        for kind in (kind_arp, kind_icmp, kind_dns, kind_small, kind_http, kind_sizes):
            yield from kind(5 if kind is not kind_http else 1)


def kind_filler(count):
    """Big datagrams of a flow of their own, to fill a ring's blocks."""
    for _ in range(count):
        yield udp(pattern(1472, 0), sport=4001, dport=5001)


def kind_end(count):
    """The last frame of a test, which scenarios wait for."""
    for i in range(count):
        yield udp(b"the-end-%d" % i, sport=4999, dport=9, ident=9000 + i)


def kind_last_segment(count):
    """Data of a connection of its own, on the HTTP port: who has it has seen all that was sent before."""
    for i in range(count):
        yield tcp(b"the-end-%d" % i, 0x18, 5000, 1, sport=4999)


def main(args):
    interface, gap_ms, reverse, kinds = args[0], 1.0, False, []
    rest = iter(args[1:])
    for arg in rest:
        if arg == "--gap":
            gap_ms = float(next(rest))
        elif arg == "--reverse":
            reverse = True
        else:
            kinds.append(arg)
    if reverse:
        IP[1], IP[2] = IP[2], IP[1]
        MAC[1], MAC[2] = MAC[2], MAC[1]
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((interface, 0))
    for kind in kinds:
        name, _, count = kind.partition(":")
        for frame in globals()["kind_" + name](int(count or 1)):
            sender.send(frame)
            time.sleep(gap_ms / 1000)


if __name__ == "__main__":
    main(sys.argv[1:])
