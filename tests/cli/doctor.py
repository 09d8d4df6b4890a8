#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""For doctor.sh.

  doctor.py look EXPRESSION   of the JSON on standard input, which has to match the schema; prints the value. d is the report, f its findings by
                              rule, i its interfaces by name
  doctor.py rules NETRING     judges recordings of hosts, as they are and changed; prints "ok NAME" or "not ok NAME: why"
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

import jsonschema

TOP = os.environ["abs_top_srcdir"]
FACTS = TOP + "/tests/cli/facts/"
STATUS = {"fine": 0, "costs_packets": 1, "broken": 2}
BROKEN, COSTS, FINE, SILENT = "broken", "costs_packets", "fine", None

with open(TOP + "/share/netring-doctor.schema.json") as file:
    SCHEMA = json.load(file)
jsonschema.Draft7Validator.check_schema(SCHEMA)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

# What each host has that is not fine, all of it.
HOSTS = {
    "ixgbe": ["costs_packets nic-ring", "costs_packets irq-node", "costs_packets lro"],
    "ice": ["costs_packets rss"],
    "mlx5": ["costs_packets attached", "costs_packets softirq", "costs_packets rss", "costs_packets irq-spread", "costs_packets rate",
             "costs_packets squeezed"],
    "virtio": [],
    "ena": ["costs_packets allowance"],
    "veth": ["costs_packets backlog", "costs_packets ring-memory"],
    "bond-slave": [],
    "bridge-port": [],
    "vfio": ["broken missing"],
    "tuned": [],
}

XDP = {"want.backend": "xdp"}
TAP = {"want.backend": "xdp-tap"}
CAPTURE = {"capture.0.program": "suricata", "capture.0.pid": "4711", "capture.0.engine": "packet-v3", "capture.0.stopped": "no",
           "capture.0.packets": "31000", "capture.0.ring_bytes": "268435456", "capture.0.drops": "0", "rate.capture.0.drops": "0"}
STRICT = {"want.strict": "yes"}
MAY_LOAD = {"self.seccomp": "off", "self.cap.net_admin": "yes", "self.cap.bpf": "yes"}

# Rule, host, what of it is changed (None: unknown), the group that the finding is in then, and a text that is in it.
RULES = [
    ("steal", "virtio", {"rate.cpu_steal": "12"}, COSTS, "12 % of it in the last 1 s (steal)"),
    ("steal", "virtio", {"rate.cpu_steal": "4"}, SILENT, ""),
    ("capture", "tuned", CAPTURE, FINE, "0 lost in the last 1 s, 0 of 31 000 since it began; engine packet-v3, ring of 256 MiB"),
    ("capture", "tuned", {**CAPTURE, "capture.0.drops": "17"}, FINE, "has lost packets"),
    ("capture", "tuned", {**CAPTURE, "capture.0.drops": "17", "rate.capture.0.drops": "5"}, COSTS, "netring stats 4711"),
    ("capture", "tuned", {**CAPTURE, "capture.0.stopped": "yes"}, COSTS, "kill -CONT 4711"),
    ("capture", "tuned", {**CAPTURE, "capture.0.drops": None, "rate.capture.0.drops": None}, FINE, "what it loses is unknown; engine packet-v3"),
    ("capture", "tuned", {**CAPTURE, "capture.0.drops": None, "rate.capture.0.drops": None, "capture.0.engine": "libpcap"}, FINE, "until its program"),
    ("capture", "tuned", {**CAPTURE, "capture.0.packets": None}, FINE, "last 1 s, 0 since it began"),
    ("capture", "tuned", {**CAPTURE, "rate.capture.0.drops": None, "capture.0.losses_age": "30"}, FINE, "0 of 31 000 lost when its program last asked, 30 s"),
    ("capture", "tuned", {}, SILENT, ""),
    ("missing", "vfio", {}, BROKEN, "echo 0000:03:00.0 > /sys/bus/pci/drivers_probe"),
    ("missing", "vfio", {"host.bypass": "0000:03:00.0;reboot"}, BROKEN, ""),
    ("missing", "vfio", {"host.bypass": None, "if.near": "enp3s0f1"}, BROKEN, "did you mean enp3s0f1?"),
    ("missing", "tuned", {}, SILENT, ""),
    ("permission", "tuned", {}, FINE, "tried just now"),
    ("permission", "tuned", {"try.packet_socket": "Operation not permitted"}, BROKEN, "Operation not permitted"),
    ("permission", "tuned", {"try.packet_socket": None, "self.cap.net_raw": "no"}, BROKEN, "CAP_NET_RAW is missing"),
    ("permission", "tuned", {"try.packet_socket": None, "self.cap.net_raw": None}, SILENT, ""),
    ("down", "tuned", {"if.state": "down"}, BROKEN, "ip link set enp5s0f1 up"),
    ("down", "tuned", {}, SILENT, ""),
    ("carrier", "tuned", {"if.carrier": "no"}, COSTS, "no carrier"),
    ("carrier", "tuned", {"if.carrier": "no", "if.state": "down"}, SILENT, ""),
    ("settings", "tuned", {"want.error": "NETRING_RINGS=x: must be 1..256 or auto"}, BROKEN, "NETRING_RINGS=x"),
    ("settings", "tuned", {}, SILENT, ""),
    ("backend", "tuned", {"want.backend": "libpcap"}, COSTS, "unset NETRING_BACKEND"),
    ("backend", "tuned", {}, SILENT, ""),
    ("path", "tuned", {}, FINE, "8 rings, 1 GiB together"),
    ("path", "ice", {}, FINE, "one ring of 256 MiB in blocks of 4 MiB"),
    ("path", "ice", {"want.rings": "auto"}, FINE, "a ring for each receive queue, 256 MiB together"),
    ("path", "ice", TAP, FINE, "copies in XDP (xdp-tap), as asked for: 256 MiB of ring buffers"),
    ("path", "ice", XDP, FINE, "takes a whole frame"),
    ("path", "veth", TAP, FINE, "packet ring"),
    ("path", "veth", {**TAP, **MAY_LOAD}, FINE, "copies in XDP"),
    ("path", "tuned", {**TAP, "host.kernel": "5.15.0"}, FINE, "packet ring"),
    ("path", "vfio", {}, SILENT, ""),
    ("attached", "mlx5", {}, COSTS, "xdp_dispatcher, id 42, native"),
    ("attached", "mlx5", {"nic.xdp.attached": "generic"}, COSTS, "bpftool net show dev enp65s0f0np0"),
    ("attached", "mlx5", {"nic.xdp.program": "netring_xdp"}, COSTS, "netring stats"),
    ("attached", "mlx5", {"nic.xdp.program": "netring_xdp", "nic.xdp.netring": "takes"}, COSTS, "with AF_XDP"),
    ("attached", "mlx5", {"nic.xdp.program": "netring_xdp", "nic.xdp.netring": "copies"}, FINE, "takes nothing from the host"),
    ("attached", "mlx5", {"nic.xdp.attached": "none"}, SILENT, ""),
    ("attached", "mlx5", {"nic.xdp.attached": None}, SILENT, ""),
    ("xdp", "tuned", {}, FINE, "without copying"),
    ("xdp", "virtio", {}, FINE, "copying each packet; not possible now: it has the address 198.51.100.7/24"),
    ("xdp", "tuned", {"nic.xdp.basic": "no", "nic.xdp.redirect": "no"}, FINE, "generic only"),
    ("xdp", "tuned", {"nic.xdp.basic": None, "nic.xdp.redirect": None}, SILENT, ""),
    ("xdp", "veth", MAY_LOAD, FINE, "ulimit -l is too small"),
    ("xdp", "veth", {}, FINE, "a seccomp filter is in force; CAP_NET_ADMIN or CAP_BPF is missing"),
    ("xdp", "tuned", {"if.kind": "loopback"}, SILENT, ""),
    ("xdp", "tuned", {"want.xdp_mode": "generic"}, FINE, "generic only"),
    ("xdp-tap", "tuned", {}, FINE, "does not see what the host sends"),
    ("xdp-tap", "virtio", {}, FINE, ""),
    ("xdp-tap", "virtio", {}, FINE, ("198.51.100.7",)),
    ("xdp-tap", "mlx5", {"host.kernel": "6.1.0"}, FINE, "not possible now: another XDP program is attached"),
    ("xdp-tap", "tuned", {"host.kernel": "5.15.0-1"}, FINE, "older than Linux 5.18"),
    ("xdp-tap", "tuned", {"nic.xdp.basic": "no", "nic.xdp.redirect": "no"}, SILENT, ""),
    ("xdp-tap", "tuned", TAP, SILENT, ""),
    ("xdp-loopback", "tuned", {**XDP, "if.kind": "loopback"}, COSTS, "packet ring takes the place"),
    ("xdp-loopback", "tuned", {**XDP, **STRICT, "if.kind": "loopback"}, BROKEN, "a capture fails"),
    ("xdp-loopback", "tuned", {**TAP, "if.kind": "loopback"}, SILENT, ""),
    ("xdp-seccomp", "veth", XDP, COSTS, "seccomp"),
    ("xdp-seccomp", "veth", {**TAP, **STRICT}, BROKEN, "NETRING_BACKEND=xdp-tap asks for it, NETRING_STRICT"),
    ("xdp-seccomp", "tuned", TAP, SILENT, ""),
    ("xdp-outgoing", "virtio", {**XDP, "want.xdp_steal": "yes"}, COSTS, "NETRING_BACKEND=xdp, and the host uses this interface itself"),
    ("xdp-outgoing", "virtio", TAP, COSTS, "one direction"),
    ("xdp-outgoing", "tuned", TAP, SILENT, ""),
    ("xdp-outgoing", "virtio", {}, SILENT, ""),
    ("xdp-guard", "virtio", TAP, SILENT, ""),
    ("xdp-guard", "virtio", {**XDP, "want.xdp_steal": "yes"}, SILENT, ""),
    ("xdp-guard", "virtio", XDP, BROKEN, "198.51.100.7"),
    ("xdp-guard", "tuned", XDP, SILENT, ""),
    ("xdp-guard", "virtio", {}, SILENT, ""),
    ("xdp-attached", "mlx5", XDP, BROKEN, "xdp_dispatcher"),
    ("xdp-attached", "mlx5", {**TAP, "host.kernel": "6.1.0"}, BROKEN, "NETRING_BACKEND=xdp-tap asks for it"),
    ("xdp-attached", "tuned", XDP, SILENT, ""),
    ("xdp-kernel", "tuned", {**XDP, "try.xdp_socket": "Address family not supported by protocol"}, COSTS, "Address family"),
    ("xdp-kernel", "tuned", {**XDP, **STRICT, "try.xdp_socket": "Address family not supported by protocol"}, BROKEN, "Address family"),
    ("xdp-kernel", "tuned", {**TAP, "try.xdp_socket": "Address family not supported by protocol"}, SILENT, ""),
    ("xdp-kernel", "tuned", {**TAP, "host.kernel": "5.15.0-1"}, COSTS, "5.15.0-1"),
    ("xdp-kernel", "tuned", XDP, SILENT, ""),
    ("xdp-capabilities", "veth", XDP, COSTS, "CAP_BPF"),
    ("xdp-capabilities", "veth", TAP, COSTS, "sudo netring run"),
    ("xdp-capabilities", "veth", {**XDP, **STRICT}, BROKEN, "CAP_BPF"),
    ("xdp-capabilities", "tuned", {**XDP, "self.cap.bpf": "no"}, SILENT, ""),
    ("xdp-memlock", "veth", {**XDP, **MAY_LOAD}, BROKEN, "ulimit -l unlimited"),
    ("xdp-memlock", "veth", {**TAP, **MAY_LOAD}, SILENT, ""),
    ("xdp-memlock", "veth", {**XDP, **MAY_LOAD, "self.cap.ipc_lock": "yes"}, SILENT, ""),
    ("xdp-generic", "tuned", {**XDP, "nic.xdp.basic": "no", "nic.xdp.redirect": "no"}, COSTS, "gains nothing"),
    ("xdp-generic", "tuned", {**TAP, "nic.xdp.basic": "no", "nic.xdp.redirect": "no"}, COSTS, "slower than the packet ring"),
    ("xdp-generic", "tuned", {**TAP, "want.xdp_mode": "generic"}, COSTS, "unset NETRING_XDP_MODE"),
    ("xdp-generic", "tuned", XDP, SILENT, ""),
    ("xdp-frames", "ena", XDP, COSTS, "ip link set ens5 mtu 3804"),
    ("xdp-frames", "ena", {**XDP, "if.mtu": "3500"}, COSTS, "export NETRING_XDP_FRAME_SIZE=4096"),
    ("xdp-frames", "ena", {**XDP, "if.mtu": "1757"}, COSTS, "hold packets of 1774"),
    ("xdp-frames", "ena", {**XDP, "if.mtu": "1756"}, SILENT, ""),
    ("xdp-frames", "ena", {**XDP, "nic.xdp.multi_buffer": "yes"}, COSTS, "are lost"),
    ("xdp-frames", "ena", {**XDP, "nic.xdp.multi_buffer": "yes", "host.kernel": "6.12.1"}, FINE, "puts them together"),
    ("xdp-frames", "ena", {}, SILENT, ""),
    ("xdp-frames", "ena", TAP, SILENT, ""),
    ("xdp-vlan", "tuned", XDP, COSTS, "ethtool -K enp5s0f1 rxvlan off"),
    ("xdp-vlan", "tuned", TAP, COSTS, "ethtool -K enp5s0f1 rxvlan off"),
    ("vlan", "tuned", TAP, SILENT, ""),
    ("segmentation", "ixgbe", TAP, SILENT, ""),
    ("gro", "ixgbe", TAP, SILENT, ""),
    ("gro", "ixgbe", {**TAP, "want.xdp_mode": "generic"}, FINE, "rx-gro"),
    ("xdp-vlan", "tuned", {**XDP, "nic.feature.rx-vlan-hw-parse": "off"}, SILENT, ""),
    ("nic-ring", "ixgbe", {}, COSTS, "ethtool -G enp130s0f0 rx 4096"),
    ("nic-ring", "ixgbe", {}, COSTS, "512 of 4096 descriptors for each queue; 18.2 million packets"),
    ("nic-ring", "ixgbe", {}, COSTS, "in 34 us"),
    ("nic-ring", "ixgbe", {"nic.count.missed": "0", "rate.missed": "0"}, FINE, "no loss so far"),
    ("nic-ring", "ixgbe", {"rate.missed": "0"}, FINE, "18.2 million packets lost by the adapter since it was started (0.02 % of all), none of them in the last 1 s"),
    ("nic-ring", "ixgbe", {"rate.missed": None, "rate.fifo": None}, FINE, "since it was started (0.02 % of all)"),
    ("nic-ring", "ixgbe", {"if.route_default": "yes"}, COSTS, "not from afar"),
    ("nic-ring", "ixgbe", {}, COSTS, ("not from afar",)),
    ("queues", "ice", {"if.route_default": "yes"}, FINE, "not from afar"),
    ("nic-ring", "ixgbe", {"nic.ring.rx": "4096"}, FINE, "4096 descriptors"),
    ("nic-ring", "ixgbe", {"nic.ring.rx_max": None}, SILENT, ""),
    ("missed", "ixgbe", {}, SILENT, ""),
    ("missed", "ixgbe", {"nic.ring.rx": "4096"}, COSTS, "8312 of them in the last 1 s"),
    ("missed", "tuned", {}, FINE, "12 packets lost by the adapter since it was started, none of them in the last 1 s"),
    ("missed", "tuned", {}, FINE, "netring doctor -s 60 enp5s0f1"),
    ("missed", "tuned", {"rate.missed": "1"}, COSTS, "1 of them in the last 1 s"),
    ("missed", "tuned", {"nic.count.fifo": "90000000"}, FINE, "90.0 million packets lost by the adapter since it was started (0.011 % of all), none"),
    ("missed", "virtio", {}, FINE, "virtual machine"),
    ("missed", "bridge-port", {}, SILENT, ""),
    ("missed", "tuned", {"nic.count.missed": None, "nic.count.fifo": None}, SILENT, ""),
    ("errors", "tuned", {"rate.errors": "7", "nic.count.errors": "9"}, COSTS, "ethtool -K enp5s0f1 rx-all on"),
    ("errors", "tuned", {"rate.errors": "7", "nic.count.errors": "9", "nic.feature.rx-all": "off fixed"}, COSTS, "7 receive errors"),
    ("errors", "tuned", {"nic.count.errors": "9"}, SILENT, ""),
    ("errors", "tuned", {"rate.errors": "7", "rate.missed": "7", "nic.count.errors": "9"}, SILENT, ""),
    ("dropped", "bond-slave", {}, FINE, "rx_dropped 4411, rx_nohandler 91 234"),
    ("dropped", "tuned", {}, SILENT, ""),
    ("dropped", "ena", {"nic.count.dropped": "4411"}, SILENT, ""),
    ("nic-ring", "ena", {"nic.count.dropped": "4411", "rate.dropped": "7"}, COSTS, ", 7 of them in the last 1 s"),
    ("nic-ring", "bond-slave", {"rate.dropped": "7"}, FINE, ""),
    ("allowance", "ena", {}, COSTS, "bw_in_allowance_exceeded 81123 (311 in the last 1 s), pps_allowance_exceeded 402"),
    ("allowance", "ena", {"rate.driver_count.bw_in_allowance_exceeded": None}, FINE, "bw_in_allowance_exceeded 81123, pps_allowance_exceeded 402"),
    ("allowance", "mlx5", {}, SILENT, ""),
    ("driver-counters", "mlx5", {}, FINE, "rx_out_of_buffer 55120"),
    ("driver-counters", "mlx5", {}, FINE, "none of it grows just now"),
    ("driver-counters", "mlx5", {"rate.driver_count.rx_discards_phy": "17"}, COSTS, "rx_discards_phy 901 (17 in the last 1 s), rx_out_of_buffer 55120"),
    ("driver-counters", "mlx5", {"rate.driver_count.rx_discards_phy": "17", "rate.missed": "17"}, FINE, "rx_discards_phy 901 (17"),
    ("driver-counters", "mlx5", {"nic.driver_count.rx_xdp_drop": "5", "rate.driver_count.rx_xdp_drop": "3"}, FINE, "rx_xdp_drop 5 (3"),
    ("driver-counters", "tuned", {}, SILENT, ""),
    ("coalescing", "ice", {}, FINE, "adaptive-rx on, rx-usecs 50 now"),
    ("coalescing", "ixgbe", {}, FINE, "ethtool -C enp130s0f0 rx-usecs 50"),
    ("coalescing", "tuned", {"nic.coalesce.rx_usecs": "20000"}, COSTS, "ethtool -C enp5s0f1 rx-usecs 50"),
    ("coalescing", "tuned", {}, FINE, "late by up to 50 us"),
    ("coalescing", "tuned", {"nic.coalesce.rx_usecs": "20000"}, COSTS, "5500 packets for each queue at this rate, and 4096 descriptors"),
    ("coalescing", "tuned", {"nic.coalesce.rx_usecs": "0"}, COSTS, "rx-usecs 0 at 2 200 000 packets/s"),
    ("coalescing", "ixgbe", {"nic.driver": "igb", "nic.coalesce.rx_usecs": "3"}, FINE, "for this driver is no time"),
    ("coalescing", "ixgbe", {"nic.coalesce.rx_usecs": "1"}, FINE, "rx-usecs 1, which for this driver is no time"),
    ("coalescing", "ixgbe", {"nic.coalesce.rx_usecs": "2"}, FINE, "late by up to 2 us"),
    ("coalescing", "ixgbe", {"nic.driver": "igb", "nic.coalesce.rx_usecs": "3"}, FINE, ("up to 3 us",)),
    ("coalescing", "virtio", {}, FINE, "none (rx-usecs 0)"),
    ("coalescing", "veth", {}, SILENT, ""),
    ("pause", "ixgbe", {}, FINE, "ethtool -A enp130s0f0 tx off"),
    ("pause", "tuned", {}, SILENT, ""),
    ("timestamps", "ice", {}, FINE, "/dev/ptp1"),
    ("timestamps", "virtio", {}, FINE, "none"),
    ("timestamps", "virtio", {"if.kind": "veth"}, SILENT, ""),
    ("timestamps", "veth", {}, SILENT, ""),
    ("driver", "ixgbe", {}, FINE, "ixgbe, firmware 0x800006d6, 1.2193.0, at 0000:82:00.0"),
    ("driver", "bridge-port", {"nic.driver": "bridge", "nic.firmware": "N/A", "nic.bus": "N/A"}, FINE, "bridge"),
    ("driver", "bridge-port", {"nic.driver": "bridge", "nic.firmware": "N/A", "nic.bus": "N/A"}, FINE, ("N/A",)),
    ("driver", "vfio", {}, SILENT, ""),
    ("queues", "ixgbe", {}, SILENT, ("16 of 63",)),
    ("queues", "ice", {}, FINE, "ethtool -L ens1f0np0 combined 32"),
    ("queues", "ice", {"nic.channels.combined": "1"}, COSTS, "one CPU receives everything"),
    ("queues", "ice", {"nic.channels.combined": "1", "rate.packets": "10"}, FINE, "one CPU receives everything"),
    ("queues", "tuned", {}, FINE, "8"),
    ("queues", "ixgbe", {"nic.channels.combined": "63"}, FINE, "ethtool -L enp130s0f0 combined 16"),
    ("queues", "ice", {"host.nodes": "2"}, FINE, ("at its node",)),
    ("rss", "ice", {}, COSTS, "names 3 of 4 queues"),
    ("rss", "mlx5", {}, COSTS, "ethtool -X enp65s0f0np0 equal 16"),
    ("rss", "ena", {}, FINE, "two directions"),
    ("rss", "tuned", {}, FINE, "8 queues"),
    ("rss", "virtio", {}, SILENT, ""),
    ("irq-node", "ixgbe", {}, COSTS, "16 of 16 queues are served by CPUs far from the adapter, which is at node 1 (CPUs 8-15,24-31)"),
    ("irq-node", "ixgbe", {"nic.irq.%d.effective" % n: "8" for n in range(98, 114)}, FINE, "16 of 16"),
    ("irq-node", "ixgbe", {"host.nodes": "1"}, SILENT, ""),
    ("irq-node", "ixgbe", {"nic.local_cpus": "8;reboot"}, SILENT, ""),
    ("irq-node", "ixgbe", {"nic.numa_node": None}, SILENT, ""),
    ("irq-node", "ixgbe", {"nic.numa_node": "-1", "nic.local_cpus": "0-31"}, SILENT, ""),
    ("irq-spread", "mlx5", {}, COSTS, "16 queues, 1 CPU"),
    ("irq-spread", "tuned", {}, FINE, "8, on 8 CPUs"),
    ("irq-spread", "tuned", {"nic.irq.60.name": ""}, FINE, "8, on 8 CPUs"),
    ("irq-spread", "tuned", {"nic.irq.60.cpus": "0-3"}, FINE, "netring tune enp5s0f1"),
    ("irq-spread", "tuned", {}, FINE, ("netring tune",)),
    ("irq-spread", "mlx5", {"nic.irq.%d.name" % n: "enp65s0f0np0-tx-%d" % n for n in range(0, 500)}, SILENT, ""),
    ("irq-spread", "virtio", {}, SILENT, ""),
    ("nic-ring", "ixgbe", {"if.above_route_default": "bond0"}, COSTS, "not from afar"),
    ("numa", "tuned", {}, FINE, "taskset -c 0-7 netring run"),
    ("numa", "ice", {}, SILENT, ""),
    ("rps", "bond-slave", {}, FINE, "on 8 of 8 queues, to CPUs 0-3"),
    ("rps", "bond-slave", {"rate.packets": "900000"}, COSTS, "rps_cpus"),
    ("rps", "tuned", {}, SILENT, ""),
    ("softirq", "mlx5", {}, COSTS, "99 % of the busiest CPU"),
    ("softirq", "tuned", {"rate.cpu_softirq_most": "90"}, COSTS, "More queues are not to be had"),
    ("softirq", "ice", {"rate.cpu_softirq_most": "90", "nic.rss.queues": "4"}, COSTS, "ethtool -L ens1f0np0 combined 32"),
    ("softirq", "tuned", {}, SILENT, ""),
    ("lro", "ixgbe", {}, COSTS, "ethtool -K enp130s0f0 lro off"),
    ("lro", "ixgbe", {"nic.feature.rx-lro": "on fixed"}, COSTS, "cannot turn it off"),
    ("lro", "ixgbe", {"if.above_route_default": "bond0"}, COSTS, "not from afar"),
    ("lro", "ixgbe", {"if.kind": "bond"}, SILENT, ""),
    ("lro", "ixgbe", {"if.lower": "eth2 eth3"}, SILENT, ""),
    ("lro", "tuned", {}, SILENT, ""),
    ("lro", "tuned", {"nic.feature.rx-lro": None}, SILENT, ""),
    ("gro", "virtio", {}, FINE, "netring tune -p low_latency ens3"),
    ("gro", "virtio", {"if.addresses": "0", "if.route_default": "no"}, FINE, "ethtool -K ens3 rx-gro-hw off gro off"),
    ("gro", "virtio", {"if.addresses": "0", "if.route_default": "no", "nic.feature.rx-gro-hw": "on fixed"}, FINE, "ethtool -K ens3 gro off"),
    ("gro", "virtio", {"if.lower": "eth7"}, SILENT, ""),
    ("gro", "virtio", {"if.kind": "loopback"}, SILENT, ""),
    ("gro", "tuned", {}, SILENT, ""),
    ("vlan", "tuned", {}, FINE, "moves 12 bytes"),
    ("vlan", "virtio", {}, SILENT, ""),
    ("segmentation", "virtio", {}, FINE, "tx-tcp-segmentation is on"),
    ("segmentation", "tuned", {}, SILENT, ""),
    ("master", "bond-slave", {}, FINE, "sees each packet twice"),
    ("master", "bridge-port", {}, FINE, "port of the bridge br0"),
    ("master", "tuned", {}, SILENT, ""),
    ("lower", "tuned", {"if.kind": "bond", "if.lower": "eno1 eno2"}, FINE, "eno1 eno2"),
    ("lower", "tuned", {"if.kind": "bridge", "if.lower": "eno1 eno2"}, FINE, "on its ports"),
    ("lower", "veth", {"if.lower": "eth7"}, SILENT, ""),
    ("position", "ena", {}, FINE, "cloud"),
    ("position", "tuned", {"nic.driver": "iavf"}, FINE, "trust on"),
    ("position", "tuned", {"if.kind": "loopback"}, FINE, "twice"),
    ("position", "tuned", {}, SILENT, ""),
    ("sockets", "bond-slave", {}, FINE, "2 packet sockets"),
    ("sockets", "tuned", {}, SILENT, ""),
    ("rate", "tuned", {}, FINE, "with several rings"),
    ("rate", "tuned", {"want.rings": "1"}, FINE, "export NETRING_RINGS=3"),
    ("rate", "tuned", {"want.rings": "1", "rate.packets": "3500000"}, COSTS, "export NETRING_RINGS=4"),
    ("rate", "tuned", {"rate.packets": "9000000"}, COSTS, "export NETRING_BACKEND=xdp"),
    ("rate", "tuned", {"rate.packets": "9000000", "nic.xdp.redirect": "no"}, COSTS, "another adapter"),
    ("rate", "ice", {"rate.packets": "9000000"}, COSTS, "ethtool -L ens1f0np0 combined 32"),
    ("rate", "mlx5", {}, COSTS, "received by 1 CPU"),
    ("rate", "tuned", {**XDP, "rate.packets": "9000000"}, FINE, "xdp_ring_full"),
    ("rate", "tuned", {**TAP, "rate.packets": "9000000"}, COSTS, "netring tune enp5s0f1"),
    ("rate", "tuned", TAP, FINE, "the host's part of the work stays"),
    ("rate", "tuned", {"rate.packets": "9000000", "try.guard": "it is a member of br0"}, COSTS, "which this one is not"),
    ("rate", "tuned", {"rate.packets": "9000000", "try.guard": "it is a member of br0"}, COSTS, ("export",)),
    ("rate", "virtio", {}, FINE, "quiet"),
    ("rate", "tuned", {"rate.seconds": None}, SILENT, ""),
    ("stall", "virtio", {}, SILENT, ""),
    ("stall", "ixgbe", {}, FINE, "export NETRING_RING_SIZE=1024M"),
    ("stall", "ixgbe", {"rate.bytes": "3500000000"}, COSTS, "export NETRING_RING_SIZE=4096M"),
    ("stall", "ixgbe", {"rate.bytes": "3500000000", "host.memory.available": "4294967296"}, COSTS, "smaller snapshot length"),
    ("stall", "ixgbe", {**XDP, "rate.bytes": "3500000000", "host.memory.available": "4294967296"}, COSTS, ("snapshot",)),
    ("stall", "ixgbe", XDP, FINE, "108 ms: the frames of 256 MiB fill at 2.3 GiB/s, one for each packet"),
    ("stall", "ixgbe", TAP, FINE, "158 ms, if the filter wants everything"),
    ("stall", "ixgbe", {"want.backend": "libpcap"}, SILENT, ""),
    ("stall", "ena", {}, FINE, "5.1 s"),
    ("squeezed", "mlx5", {}, COSTS, "sysctl -w net.core.netdev_budget=600"),
    ("squeezed", "mlx5", {}, COSTS, "231 times in the last 1 s, 4 711 021 since boot (time_squeeze); a turn is netdev_budget 300 packets"),
    ("squeezed", "mlx5", {"host.sysctl.net.core.netdev_budget": "600"}, COSTS, ("sysctl",)),
    ("squeezed", "mlx5", {"rate.cpu_softirq_most": "40"}, FINE, "alone loses nothing"),
    ("squeezed", "mlx5", {"rate.cpu_softirq_most": "40", "rate.missed": "1"}, COSTS, "is lost"),
    ("squeezed", "mlx5", {"rate.softnet_squeezed": "0", "host.uptime": "8640000"}, FINE, "4 711 021 since boot (on average 33 a minute)"),
    ("squeezed", "mlx5", {"rate.softnet_squeezed": "0"}, FINE, "Receiving is not cut short"),
    ("squeezed", "tuned", {}, FINE, "0 times in the last 1 s, 0 since boot"),
    ("squeezed", "mlx5", {"rate.softnet_squeezed": "9"}, FINE, "9 times in the last 1 s"),
    ("squeezed", "tuned", {"host.softnet.squeezed": None}, SILENT, ""),
    ("backlog", "veth", {}, COSTS, "sysctl -w net.core.netdev_max_backlog=50000"),
    ("backlog", "veth", {"host.softnet.dropped": "0", "rate.softnet_dropped": "0"}, FINE, "0 dropped"),
    ("backlog", "veth", {"rate.softnet_dropped": "0"}, FINE, "was full at some time"),
    ("backlog", "veth", {"rate.softnet_dropped": "0", "nic.feature.rx-gro": "on"}, SILENT, ""),
    ("backlog", "veth", {"host.sysctl.net.core.netdev_max_backlog": None}, COSTS, "120 034 packets dropped since boot, 12 of them in the last 1 s"),
    ("backlog", "tuned", {"host.softnet.dropped": "4000"}, SILENT, ""),
    ("backlog", "tuned", {"rate.softnet_dropped": "4", "host.softnet.dropped": "4000"}, COSTS, "4 of them in the last 1 s"),
    ("flow-limit", "tuned", {"host.softnet.flow_limit": "3", "rate.softnet_flow_limit": "2"}, COSTS, "flow_limit_cpu_bitmap=0"),
    ("flow-limit", "tuned", {"host.softnet.flow_limit": "3", "rate.softnet_flow_limit": "0"}, FINE, "none just now"),
    ("flow-limit", "tuned", {"host.softnet.flow_limit": "3", "host.sysctl.net.core.flow_limit_cpu_bitmap": "00000000,00000000"}, FINE, "no more"),
    ("flow-limit", "tuned", {}, SILENT, ""),
    ("jit", "tuned", {"host.sysctl.net.core.bpf_jit_enable": "0"}, COSTS, "sysctl -w net.core.bpf_jit_enable=1"),
    ("jit", "tuned", {"host.sysctl.net.core.bpf_jit_enable": "2"}, FINE, "kernel's log"),
    ("jit", "tuned", {"host.sysctl.net.core.bpf_jit_enable": None}, SILENT, ""),
    ("optmem", "ixgbe", {}, FINE, "2560 instructions"),
    ("optmem", "tuned", {}, SILENT, ""),
    ("rmem", "tuned", {"if.name": None}, FINE, "does nothing for netring"),
    ("rmem", "tuned", {}, SILENT, ""),
    ("cpus", "veth", {}, FINE, "2 of 8"),
    ("cpus", "virtio", {"host.cpus": "1", "host.cpus_allowed": "1"}, FINE, "does not run at all"),
    ("cpus", "tuned", {}, SILENT, ""),
    ("container", "veth", {}, FINE, "on the host only"),
    ("container", "veth", {"host.netns": "other"}, FINE, "This is a network namespace of its own"),
    ("container", "veth", {"host.netns": "other", "host.container": "no"}, FINE, "in the namespace that it is in"),
    ("container", "veth", {"host.netns": "inherited"}, FINE, "This is a container"),
    ("container", "veth", {"host.netns": "other", "if.kind": "loopback"}, SILENT, ""),
    ("container", "veth", {"host.container": "no"}, SILENT, ""),
    ("container", "tuned", {"host.container": "yes"}, SILENT, ""),
    ("seccomp", "veth", {}, FINE, "filter"),
    ("seccomp", "tuned", {}, SILENT, ""),
    ("ring-memory", "veth", {}, COSTS, "32 MiB instead of 256 MiB: an eighth of what is left, 14 GiB, of which the cgroup allows 256 MiB"),
    ("ring-memory", "virtio", {}, FINE, "export NETRING_RING_SIZE=256M"),
    ("ring-memory", "veth", {**TAP, **MAY_LOAD}, COSTS, "has to allow more memory"),
    ("ring-memory", "veth", {**TAP, **MAY_LOAD}, COSTS, ("NETRING_RING_SIZE",)),
    ("ring-memory", "veth", {**TAP, **MAY_LOAD, "host.memory.limit": None}, COSTS, "export NETRING_RING_SIZE=256M"),
    ("ring-memory", "veth", {"host.memory.available": "268435456"}, COSTS, "no room for the size asked for: that takes more memory"),
    ("ring-memory", "tuned", {}, FINE, "1 GiB of 120 GiB"),
    ("ring-memory", "tuned", {"want.ring_bytes_got": None}, SILENT, ""),
    ("memlock", "veth", {}, FINE, "64 KiB"),
    ("memlock", "tuned", {}, FINE, "unlimited"),
    ("memlock", "tuned", XDP, SILENT, ""),
    ("hugepages", "ice", {}, FINE, "echo 0 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"),
    ("hugepages", "vfio", {}, FINE, "1024 of 8192"),
    ("hugepages", "tuned", {}, SILENT, ""),
    ("fragmentation", "mlx5", {}, FINE, "largest free piece 256 KiB, blocks of 4 MiB"),
    ("fragmentation", "mlx5", {**TAP, "host.kernel": "6.1.0"}, SILENT, ""),
    ("optmem", "ixgbe", TAP, SILENT, ""),
    ("rps", "bond-slave", TAP, SILENT, ""),
    ("ring-memory", "veth", {**TAP, **MAY_LOAD}, COSTS, "the cgroup counts what"),
    ("memlock", "tuned", TAP, FINE, "copies in XDP"),
    ("fragmentation", "tuned", {"host.memory.largest_block": None}, SILENT, ""),
    ("irqbalance", "tuned", {"if.name": None}, FINE, "does not run"),
    ("irqbalance", "tuned", {}, SILENT, ""),
]

PROGRAM = {"program.name": "tcpdump", "program.path": "/usr/bin/tcpdump", "program.check": "ok", "program.kind": "elf", "program.secure": "no",
           "program.privilege": "none", "program.captures": "yes", "program.libpcap": "/lib/x86_64-linux-gnu/libpcap.so.0.8",
           "program.library_folder": "/usr/local/lib/netring"}
PROFILE = {"program.apparmor.profile": "tcpdump", "program.apparmor.file": "usr.bin.tcpdump", "program.apparmor.mode": "enforce",
           "program.apparmor.allows": "no"}
RULES += [(rule, host, {**PROGRAM, **changes}, group, text) for rule, host, changes, group, text in [
    ("program", "tuned", {}, FINE, "/usr/bin/tcpdump"),
    ("program", "tuned", {"program.privilege": "has file capabilities"}, FINE, "for other users the loader ignores LD_PRELOAD"),
    ("program", "tuned", {"program.check": "x is statically linked"}, BROKEN, "x is statically linked"),
    ("program", "tuned", {"program.check": None}, SILENT, ""),
    ("libpcap", "tuned", {}, FINE, "/lib/x86_64-linux-gnu/libpcap.so.0.8"),
    ("libpcap", "tuned", {"program.libpcap": None}, SILENT, ""),
    ("apparmor", "tuned", PROFILE, BROKEN, "echo '/usr/local/lib/netring/** mr,' >> /etc/apparmor.d/local/usr.bin.tcpdump"),
    ("apparmor", "tuned", {**PROFILE, "program.apparmor.allows": "yes"}, FINE, "allowed"),
    ("apparmor", "tuned", {**PROFILE, "program.apparmor.mode": "complain"}, FINE, "complain"),
    ("apparmor", "tuned", {}, SILENT, ""),
    ("program-xdp", "tuned", {**XDP, "program.name": "dumpcap"}, COSTS, "packet ring takes its place"),
    ("program-xdp", "tuned", {**TAP, "program.name": "dumpcap"}, COSTS, "packet ring takes its place"),
    ("program-xdp", "tuned", {**XDP, **STRICT, "program.name": "dumpcap"}, BROKEN, "CAP_NET_ADMIN and CAP_NET_RAW"),
    ("program-xdp", "tuned", {"program.name": "dumpcap"}, SILENT, ""),
    ("program-xdp", "tuned", XDP, SILENT, ""),
]]

# What a recording may lack.
PREFIXES = ["host.", "host.sysctl.", "host.memory.", "host.softnet.", "self.", "try.", "want.", "if.", "if.kind", "nic.", "nic.count.", "nic.ring.", "nic.channels.",
            "nic.queues.", "nic.rss.", "nic.irq.", "nic.xdp.", "nic.feature.", "nic.coalesce.", "nic.local_cpus", "nic.numa_node", "rate."]


def read(host):
    with open(FACTS + host + ".facts") as file:
        lines = [line.rstrip("\n").split(" = ", 1) for line in file if line.strip() and not line.startswith("#")]
    return dict(lines)


def run(netring, facts, *arguments):
    with tempfile.NamedTemporaryFile("w", suffix=".facts") as file:
        file.writelines("%s = %s\n" % fact for fact in facts.items())
        file.flush()
        done = subprocess.run([netring, "doctor", "--facts", file.name, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1, 2) and not done.stderr, (done.returncode, done.stderr)
    return done


def judge(netring, facts):
    done = run(netring, facts, "--json")
    report = json.loads(done.stdout)
    VALIDATOR.validate(report)
    assert done.returncode == STATUS[report["verdict"]], (done.returncode, report["verdict"])
    return report


def not_fine(report):
    return ["%s %s" % (finding["group"], finding["rule"]) for finding in report["findings"] if finding["group"] != "fine"]


def words(finding):
    return "\n".join([finding["what"], finding["seen"] or "", finding["cost"] or "", *finding["mend"]])


def check_rule(netring, rule, host, changes, group, text):
    facts = {**read(host), **changes}
    report = judge(netring, {name: value for name, value in facts.items() if value is not None})
    found = [finding for finding in report["findings"] if finding["rule"] == rule]
    if isinstance(text, tuple):
        assert all(part not in words(finding) for part in text for finding in found), found
        return
    if group is SILENT:
        assert not found, found
        return
    assert len(found) == 1 and found[0]["group"] == group and text in words(found[0]), (group, text, found)
    assert found[0]["group"] == "fine" or (found[0]["seen"] and found[0]["cost"]), found
    assert "reboot" not in "".join(found[0]["mend"]), found


def check_lines(netring, host):
    """80 columns, but for commands, and for words that are longer."""
    commands = [command for finding in judge(netring, read(host))["findings"] for command in finding["mend"]]
    for line in run(netring, read(host)).stdout.splitlines():
        is_command = any(line.endswith(command) for command in commands) or line.startswith("netring tune ")
        assert is_command or len(line) <= 80, line
        assert "\033" not in line, line


def check_absence(netring, host, prefix):
    facts = {name: value for name, value in read(host).items() if not name.startswith(prefix)}
    report = judge(netring, facts)
    more = set(not_fine(report)) - set(HOSTS[host])
    # A full ring's loss that is not explained by the ring's size any more is still a loss.
    assert more <= {"costs_packets missed"}, more


# What netring tune sets, as the command that doctor proposes.
COMMANDS = {
    "nic.ring.rx": "ethtool -G .* rx %s$", "nic.channels.combined": "ethtool -L .* combined %s$", "nic.channels.rx": "ethtool -L .* rx %s$",
    "nic.coalesce.adaptive_rx": "ethtool -C .* adaptive-rx %s( |$)", "nic.coalesce.rx_usecs": "ethtool -C .* rx-usecs %s( |$)",
    "nic.coalesce.rx_frames": "ethtool -C .* rx-frames %s( |$)", "nic.feature.rx-lro": "ethtool -K .* lro %s( |$)",
    "nic.feature.rx-gro": "ethtool -K .* gro %s( |$)", "nic.feature.rx-gro-hw": "ethtool -K .* rx-gro-hw %s( |$)",
    "nic.rps": "rps_cpus", "nic.irq": "netring tune ",
}


def command_of(setting):
    if setting.startswith("host.sysctl."):
        return "sysctl -w " + re.escape(setting[12:]) + "=%s$"
    return COMMANDS.get(setting) or COMMANDS[".".join(setting.split(".")[:2])]


def check_tune(netring, host):
    """What tune would change doctor names, with the same value; what doctor calls mended by such a command tune changes."""
    facts = read(host)
    with tempfile.NamedTemporaryFile("w", suffix=".facts") as file:
        file.writelines("%s = %s\n" % fact for fact in facts.items())
        file.flush()
        done = subprocess.run([netring, "tune", facts["if.name"], "--facts", file.name, "--json"], capture_output=True, text=True, timeout=60)
    changes = {row["setting"]: row["proposed"] for row in json.loads(done.stdout)["settings"] if row["state"] == "change"}
    findings = judge(netring, facts)["findings"]
    commands = [command for finding in findings for command in finding["mend"]]
    for setting, value in changes.items():
        pattern = command_of(setting)
        pattern = pattern % re.escape(value) if "%s" in pattern else pattern
        assert any(re.search(pattern, command) for command in commands), (setting, value, commands)
    for command in (command for finding in findings if finding["group"] == "costs_packets" for command in finding["mend"]):
        if re.match("ethtool -[GLC] |sysctl -w net.core.(netdev|bpf)|netring tune ", command):
            patterns = [(command_of(setting), value) for setting, value in changes.items()]
            assert any(re.search(p % re.escape(v) if "%s" in p else p, command) for p, v in patterns), (command, changes)


def check_quoting(netring):
    facts = {**read("ixgbe"), "if.name": "a;reboot $x'y"}
    commands = [command for finding in judge(netring, facts)["findings"] for command in finding["mend"]]
    named = [command for command in commands if "reboot" in command]
    assert len(named) > 5 and all("'a;reboot $x'\\''y'" in command for command in named), named


def check_hostile(netring):
    """Whatever stands in a recording: a verdict, valid JSON, no crash."""
    chance = random.Random(7)
    names = sorted({name for host in HOSTS for name in read(host)} | set(PROGRAM) | set(PROFILE) | {"nic.irq.-5.cpus", "nic.irq..cpus", "nic.rps.",
                   "nic.irq.99999999999999999999.cpus", "nic.driver_count.", "want.error", "if.missing", "if.near"})
    values = ["", "0", "-1", "9223372036854775807", "-9223372036854775808", "9" * 40, "1e308", "nan", "inf", "x" * 5000, "%s%n", "0-", "-", "3-1",
              "0-99999999999999999999", "\xff\xfe", "a,b", "'", "on fixed", "1", "1024"]
    for _ in range(150):
        facts = read(chance.choice(list(HOSTS)))
        facts.update({chance.choice(names): chance.choice(values) for _ in range(chance.randint(1, 25))})
        judge(netring, facts)
        run(netring, facts)


def check_controls(netring):
    """Nothing for a terminal to obey, also above ASCII; letters are kept, and lines are as long as they look."""
    facts = {**read("tuned"), **CAPTURE, "capture.0.program": "a\x9b31mb\033[31mc", "nic.firmware": "\xe9" * 25 + " " + "\xe9" * 25}
    shown = run(netring, facts).stdout
    assert "\x9b" not in shown and "\033" not in shown and "a 31mb [31mc" in shown, shown
    assert "\xe9" * 25 + " " + "\xe9" * 25 in shown, shown


def report(name, function, *arguments):
    try:
        function(*arguments)
        print("ok " + name)
    except Exception as reason:  # pylint: disable=broad-except
        print("not ok %s: %s" % (name, re.sub(r"\s+", " ", "%s %s" % (type(reason).__name__, reason))[:600]))


def check_host(netring, host):
    found = not_fine(judge(netring, read(host)))
    assert sorted(found) == sorted(HOSTS[host]), found


def check_all_rules_are_here():
    with open(TOP + "/tools/doctor-rules.h") as file:
        count = len(set(re.findall(r"doctor_rule_[a-z_]+", file.read())))
    assert len({rule for rule, *rest in RULES}) >= count, (count, len({rule for rule, *rest in RULES}))
    for rule in {rule for rule, *rest in RULES}:
        groups = {group for name, host, changes, group, text in RULES if name == rule}
        assert SILENT in groups and len(groups) > 1, rule


def check_everything(netring):
    for host in HOSTS:
        report(host + ": what is wrong, and no more", check_host, netring, host)
        report(host + ": 80 columns, no colours", check_lines, netring, host)
        if host != "vfio":
            report(host + ": tune agrees", check_tune, netring, host)
        for prefix in PREFIXES:
            report("%s without %s*: no false alarm" % (host, prefix), check_absence, netring, host, prefix)
    for rule, host, changes, group, text in RULES:
        changed = ", ".join("%s=%s" % item for item in changes.items() if item[0] not in PROGRAM or PROGRAM[item[0]] != item[1])[:100]
        report("%s: %s%s: %s %s" % (rule, host, " with " + changed if changed else "", group or "silent", text), check_rule, netring, rule, host,
               changes, group, text)
    report("each rule speaks and is silent", check_all_rules_are_here)
    report("a name that a shell would not take as it stands is quoted", check_quoting, netring)
    report("control characters above ASCII", check_controls, netring)
    report("hostile recordings", check_hostile, netring)
    report("nothing known: nothing wrong", lambda: not_fine(judge(netring, {})) == [] or 1 / 0)


def main():
    if sys.argv[1] == "rules":
        check_everything(sys.argv[2])
        return
    document = json.load(sys.stdin)
    VALIDATOR.validate(document)
    print(eval(sys.argv[2], {"d": document, "f": {finding["rule"]: finding for finding in document["findings"]},
                             "i": {interface["name"]: interface for interface in document["interfaces"]}}))


main()
