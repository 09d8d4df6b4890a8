#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What scapy.sh has scapy do through libpcap: sniff FILTER, send, ask, list."""
import sys

from scapy.config import conf

conf.use_pcap = True
conf.verb = 0

from scapy.all import ARP, IP, UDP, Ether, Raw, sendp, sniff, srp  # noqa: E402


def show(packet):
    data = bytes(packet)
    print(len(data), packet.wirelen, packet.summary(), data[-48:])


def do_sniff(expression):
    sniff(iface="cap0", filter=expression, prn=show, store=False, timeout=30,
          stop_filter=lambda p: b"the-end" in bytes(p))


def do_send():
    sendp([Ether(dst="02:00:00:00:77:66", src="02:00:00:00:77:02")
           / IP(src="10.77.0.2", dst="10.77.0.102", id=i)
           / UDP(sport=4000, dport=5000) / Raw(b"from scapy %02d" % i)
           for i in range(20)], iface="cap0", inter=0.002)


def do_ask():
    answered, silent = srp(Ether(dst="ff:ff:ff:ff:ff:ff")
                           / ARP(pdst=["10.77.0.1", "10.77.0.66"]),
                           iface="cap0", timeout=5)
    for _, answer in answered:
        print(answer.summary(), bytes(answer).hex())
    print(len(silent), "silent")


def do_list():
    print(conf.L2socket.__name__, conf.L2listen.__name__)
    for name, interface in sorted(conf.ifaces.items()):
        print(interface.name, interface.ip, interface.mac)


globals()["do_" + sys.argv[1]](*sys.argv[2:])
