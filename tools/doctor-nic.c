/* SPDX-License-Identifier: BSD-3-Clause */
/* The adapter: its ring, its interrupts, its clock, and what it says it has lost. */
#include <stdlib.h>
#include <string.h>

#include "doctor-rules.h"
#include "interface-drops.h"

void doctor_rule_driver(struct doctor *doctor)
{
	const char *driver = doctor_fact(doctor, "nic.driver"), *firmware = doctor_fact(doctor, "nic.firmware"),
		   *bus = doctor_fact(doctor, "nic.bus");

	if (!driver)
		return;
	doctor_add(doctor, DOCTOR_FINE, "driver", "Driver");
	doctor_seen(doctor, "%s%s%s%s%s", driver, firmware ? ", firmware " : "", firmware ? firmware : "", bus ? ", at " : "", bus ? bus : "");
}

static bool loses_in_dropped(const struct doctor *doctor)
{
	const char *driver = doctor_fact(doctor, "nic.driver");

	return driver && interface_drops_has_rx_dropped(driver);
}

/* What it lost before the kernel saw it: the counters that drivers use for a receive ring that was full; as ps_ifdrop. */
static int64_t lost(const struct doctor *doctor, const char *group)
{
	char name[64];
	int64_t missed, fifo, dropped;

	snprintf(name, sizeof(name), "%s.missed", group);
	missed = doctor_number(doctor, name);
	snprintf(name, sizeof(name), "%s.fifo", group);
	fifo = doctor_number(doctor, name);
	snprintf(name, sizeof(name), "%s.dropped", group);
	dropped = doctor_number(doctor, name);
	/* Some drivers count the same packet in both. */
	if (fifo > missed)
		missed = fifo;
	return loses_in_dropped(doctor) && dropped > 0 ? dropped + (missed > 0 ? missed : 0) : missed;
}

static void see_losses(struct doctor *doctor, const char *before)
{
	int64_t total = lost(doctor, "nic.count"), now = lost(doctor, "rate");

	if (now > 0)
		doctor_seen(doctor, "%s%s packets lost by the adapter since it was started, %s of them %s", before, doctor_count((double)total),
			    doctor_count((double)now), doctor_sample(doctor));
	else
		doctor_seen(doctor, "%s%s packets lost by the adapter since it was started%s", before, doctor_count((double)total),
			    now == 0 ? ", none of them just now" : "");
}

/* How long until the ring is full if nobody empties it, at the speed of the link and with frames of 64 bytes (84 on the wire). */
static double seconds_at_line_rate(const struct doctor *doctor, double packets)
{
	int64_t speed = doctor_number(doctor, "if.speed_mbps");

	return speed > 0 ? packets * 84 * 8 / ((double)speed * 1e6) : 0;
}

void doctor_rule_nic_ring(struct doctor *doctor)
{
	int64_t ring = doctor_number(doctor, "nic.ring.rx"), most = doctor_number(doctor, "nic.ring.rx_max"), losses = lost(doctor, "nic.count");
	double now = seconds_at_line_rate(doctor, (double)ring), then = seconds_at_line_rate(doctor, (double)most);
	char text[120];

	if (ring <= 0 || most <= 0)
		return;
	snprintf(text, sizeof(text), "%lld of %lld descriptors for each queue", (long long)ring, (long long)most);
	if (ring >= most) {
		doctor_add(doctor, DOCTOR_FINE, "nic-ring", "The adapter's receive ring is as large as it can be");
		doctor_seen(doctor, "%lld descriptors for each queue", (long long)ring);
		return;
	}
	doctor_add(doctor, losses > 0 ? DOCTOR_COSTS : DOCTOR_FINE, "nic-ring", "The adapter's receive ring could be larger");
	if (losses > 0) {
		strcat(text, "; ");
		see_losses(doctor, text);
	} else {
		doctor_seen(doctor, "%s; no loss so far", text);
	}
	if (now > 0)
		doctor_cost(doctor,
			    "Small frames at line rate fill it in %s; then the adapter throws away, whatever the size of netring's ring. %lld would "
			    "last %s.",
			    doctor_time(now), (long long)most, doctor_time(then));
	else
		doctor_cost(doctor,
			    "While the CPU is late by more than that many packets the adapter throws away, whatever the size of netring's ring.");
	doctor_mend(doctor, "ethtool -G %s rx %lld", doctor->quoted, (long long)most);
}

/* With a ring that is as large as it can be, or of unknown size; else doctor_rule_nic_ring has spoken. */
void doctor_rule_missed(struct doctor *doctor)
{
	int64_t total = lost(doctor, "nic.count"), now = lost(doctor, "rate"), received = doctor_number(doctor, "nic.count.received");
	int64_t ring = doctor_number(doctor, "nic.ring.rx"), most = doctor_number(doctor, "nic.ring.rx_max");

	/* What has no hardware has nothing to miss packets. */
	if (total < 0 || (ring > 0 && most > ring && total > 0) || (total == 0 && !doctor_is(doctor, "if.kind", "physical")))
		return;
	if (total == 0) {
		doctor_add(doctor, DOCTOR_FINE, "missed", "The adapter has lost nothing");
		doctor_seen(doctor, "missed and fifo are 0, of %s packets", doctor_count(received > 0 ? (double)received : 0));
		if (doctor_is(doctor, "nic.driver", "virtio_net"))
			doctor_cost(doctor,
				    "In a virtual machine that says little: what the host's tap or vhost throws away is counted there, not here.");
		return;
	}
	/* One in a hundred thousand, long ago, is history. */
	doctor_add(doctor, now > 0 || (double)total * 1e5 >= (double)received ? DOCTOR_COSTS : DOCTOR_FINE, "missed", "The adapter has lost packets");
	see_losses(doctor, "");
	doctor_cost(doctor,
		    "They were lost before the kernel saw them: the CPU that empties the queue was late. More queues, a CPU that does nothing else, "
		    "and larger bursts for each interrupt help; a larger ring of netring does not.");
	if (doctor_most_queues(doctor) > doctor_number(doctor, "nic.channels.combined"))
		doctor_mend(doctor, "ethtool -L %s combined %lld", doctor->quoted, (long long)doctor_most_queues(doctor));
}

void doctor_rule_errors(struct doctor *doctor)
{
	int64_t now = doctor_number(doctor, "rate.errors"), total = doctor_number(doctor, "nic.count.errors");
	int64_t losses = lost(doctor, "rate");
	bool shows_all = doctor_is(doctor, "nic.feature.rx-all", "off");

	/* Missed packets count as errors in some drivers. */
	if (total <= 0 || now <= 0 || now <= losses)
		return;
	doctor_add(doctor, DOCTOR_COSTS, "errors", "Frames arrive damaged");
	doctor_seen(doctor, "%s receive errors %s, %s since the adapter was started", doctor_count((double)now), doctor_sample(doctor),
		    doctor_count((double)total));
	doctor_cost(doctor,
		    "The adapter drops them, so that no capture shows them. It is the cable, the transceiver, or the port at the other end.%s",
		    shows_all ? " To look at them all the same:" : "");
	if (shows_all)
		doctor_mend(doctor, "ethtool -K %s rx-all on", doctor->quoted);
}

void doctor_rule_dropped(struct doctor *doctor)
{
	int64_t dropped = doctor_number(doctor, "nic.count.dropped"), nobody = doctor_number(doctor, "nic.count.nohandler");

	if ((dropped <= 0 && nobody <= 0) || (dropped > 0 && loses_in_dropped(doctor)))
		return;
	doctor_add(doctor, DOCTOR_FINE, "dropped", "RX-DRP of ip and netstat is not a loss of captures");
	doctor_seen(doctor, "rx_dropped %s, rx_nohandler %s", doctor_count(dropped > 0 ? (double)dropped : 0),
		    doctor_count(nobody > 0 ? (double)nobody : 0));
	doctor_cost(doctor, "These are mostly packets that no protocol of the host wanted, and a capture saw them before that.");
}

/* The name and value of the largest, and how many more. */
void doctor_rule_driver_counters(struct doctor *doctor)
{
	static const char prefix[] = "nic.driver_count.";
	const struct fact *fact;
	char text[300] = "";
	size_t at = 0;
	unsigned shown = 0, more = 0;
	bool shaped = false;

	while ((fact = facts_next(doctor->facts, prefix, &at))) {
		const char *name = fact->name + strlen(prefix);

		if (strtoll(fact->value, NULL, 10) <= 0)
			continue;
		shaped |= strstr(name, "allowance_exceeded") != NULL;
		if (shown >= 4) {
			more++;
			continue;
		}
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.50s %.20s", shown++ ? ", " : "", name, fact->value);
	}
	if (!shown)
		return;
	if (more)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", and %u more", more);
	if (shaped) {
		doctor_add(doctor, DOCTOR_COSTS, "allowance", "The cloud drops packets because the instance may not have more");
		doctor_seen(doctor, "%s", text);
		doctor_cost(doctor, "bw, pps and conntrack allowances belong to the type of instance; the packets never get to the machine. No "
				    "setting here helps, "
				    "a larger type does.");
		return;
	}
	doctor_add(doctor, DOCTOR_FINE, "driver-counters", "What the driver itself counts as lost");
	doctor_seen(doctor, "%s", text);
	doctor_cost(doctor, "Since the driver was loaded; see whether they grow:");
	doctor_mend(doctor, "ethtool -S %s", doctor->quoted);
}

/* Interrupts */

/* At the present rate more packets come between two interrupts than the ring has room for. */
static bool coalesces_too_long(struct doctor *doctor, int64_t usecs)
{
	int64_t ring = doctor_number(doctor, "nic.ring.rx");
	double rate = doctor_rate(doctor, "rate.packets") / (double)doctor_queues(doctor), packets = rate * (double)usecs / 1e6;

	if (ring <= 0 || packets < (double)ring / 2)
		return false;
	doctor_add(doctor, DOCTOR_COSTS, "coalescing", "The adapter waits too long before it interrupts");
	doctor_seen(doctor, "rx-usecs %lld: %s packets for each queue at this rate, and %lld descriptors", (long long)usecs, doctor_count(packets),
		    (long long)ring);
	doctor_cost(doctor, "The ring fills up between two interrupts, and what comes then is lost.");
	doctor_mend(doctor, "ethtool -C %s adaptive-rx off rx-usecs 50", doctor->quoted);
	return true;
}

void doctor_rule_coalescing(struct doctor *doctor)
{
	int64_t usecs = doctor_number(doctor, "nic.coalesce.rx_usecs"), frames = doctor_number(doctor, "nic.coalesce.rx_frames");
	const char *adaptive = doctor_fact(doctor, "nic.coalesce.adaptive_rx");
	double rate = doctor_rate(doctor, "rate.packets");

	if (usecs < 0 || coalesces_too_long(doctor, usecs))
		return;
	if (adaptive && strcmp(adaptive, "on") == 0) {
		doctor_add(doctor, DOCTOR_FINE, "coalescing", "Interrupts are delayed by as much as the driver finds right");
		doctor_seen(doctor, "adaptive-rx on, rx-usecs %lld now", (long long)usecs);
		doctor_cost(doctor,
			    "Time stamps are made when the kernel gets the packet, so they are late by that delay, and it changes with the rate. For "
			    "measuring times a fixed one is better:");
		doctor_mend(doctor, "ethtool -C %s adaptive-rx off rx-usecs 8", doctor->quoted);
	} else if (usecs == 0 && frames <= 1 && rate > 200000) {
		doctor_add(doctor, DOCTOR_COSTS, "coalescing", "The adapter interrupts for each packet");
		doctor_seen(doctor, "rx-usecs 0 at %s packets/s", doctor_count(rate));
		doctor_cost(doctor, "The CPU spends its time on interrupts, and falls behind sooner.");
		doctor_mend(doctor, "ethtool -C %s rx-usecs 50", doctor->quoted);
	} else {
		doctor_add(doctor, DOCTOR_FINE, "coalescing", "Delay of interrupts");
		if (usecs == 0)
			doctor_seen(doctor, "none (rx-usecs 0)");
		else
			doctor_seen(doctor, "rx-usecs %lld: time stamps are late by up to %s", (long long)usecs, doctor_time((double)usecs / 1e6));
	}
}

void doctor_rule_pause(struct doctor *doctor)
{
	if (!doctor_is(doctor, "nic.pause.tx", "on"))
		return;
	doctor_add(doctor, DOCTOR_FINE, "pause", "The adapter may ask the other end to pause");
	doctor_seen(doctor, "tx pause frames are on");
	doctor_cost(
		doctor,
		"When it is late it holds the sender back instead of losing packets: a mirror port then loses them in the switch, where no counter "
		"of this host shows it, and a tap ignores it. To see losses here:");
	doctor_mend(doctor, "ethtool -A %s tx off", doctor->quoted);
}

void doctor_rule_timestamps(struct doctor *doctor)
{
	const char *hardware = doctor_fact(doctor, "nic.timestamp.hardware");

	if (!hardware)
		return;
	doctor_add(doctor, DOCTOR_FINE, "timestamps", "Time stamps of the adapter");
	if (strcmp(hardware, "yes") != 0) {
		doctor_seen(doctor, "none: the kernel's clock, when it gets the packet");
		return;
	}
	doctor_seen(doctor, "yes%s%s", doctor_fact(doctor, "nic.timestamp.phc") ? ", clock /dev/ptp" : "",
		    doctor_fact(doctor, "nic.timestamp.phc") ? doctor_fact(doctor, "nic.timestamp.phc") : "");
	doctor_cost(doctor, "Free of the delay of interrupts; on request only, and in the time of that clock, which phc2sys(8) keeps right:");
	doctor_mend(doctor, "export NETRING_TIMESTAMP=adapter_unsynced");
}
