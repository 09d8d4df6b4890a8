/* SPDX-License-Identifier: BSD-3-Clause */
/* The adapter: its ring, its interrupts, its clock, and what it says it has lost. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "doctor-rules.h"
#include "interface-drops.h"

void doctor_rule_driver(struct doctor *doctor)
{
	const char *driver = doctor_fact(doctor, "nic.driver"), *firmware = doctor_fact(doctor, "nic.firmware"),
		   *bus = doctor_fact(doctor, "nic.bus");

	if (!driver)
		return;
	doctor_add(doctor, DOCTOR_FINE, "driver", "Driver");
	if (firmware && strcmp(firmware, "N/A") == 0)
		firmware = NULL;
	if (bus && strcmp(bus, "N/A") == 0)
		bus = NULL;
	doctor_seen(doctor, "%s%s%s%s%s", driver, firmware ? ", firmware " : "", firmware ? firmware : "", bus ? ", at " : "", bus ? bus : "");
}

static bool loses_in_dropped(const struct doctor *doctor)
{
	const char *driver = doctor_fact(doctor, "nic.driver");

	return driver && interface_drops_has_rx_dropped(driver);
}

/* The counters that drivers use for a receive ring that was full; as ps_ifdrop. */
int64_t doctor_lost(const struct doctor *doctor, const char *group)
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

/* " (0.02 % of all)"; "" where that would be 0. */
static const char *share_of_all(const struct doctor *doctor, int64_t total, char *text, size_t size)
{
	double received = (double)doctor_number(doctor, "nic.count.received"), share = 100 * (double)total / ((double)total + received);

	text[0] = '\0';
	if (received >= 0 && share >= 0.0001)
		snprintf(text, size, " (%.2g %% of all)", share);
	return text;
}

static void see_losses(struct doctor *doctor, const char *before)
{
	int64_t total = doctor_lost(doctor, "nic.count"), now = doctor_lost(doctor, "rate");
	char share[48], sample[80] = "";

	if (now > 0)
		snprintf(sample, sizeof(sample), ", %s of them %s", doctor_count((double)now), doctor_sample(doctor));
	else if (now == 0)
		snprintf(sample, sizeof(sample), ", none of them %s", doctor_sample(doctor));
	doctor_seen(doctor, "%s%s packets lost by the adapter since it was started%s%s", before, doctor_count((double)total),
		    share_of_all(doctor, total, share, sizeof(share)), sample);
}

const char *doctor_link_warning(const struct doctor *doctor)
{
	/* Or through what sits on it. */
	if (!doctor_is(doctor, "if.route_default", "yes") && !doctor_fact(doctor, "if.above_route_default"))
		return "";
	return " The host's default route goes through this interface, and many drivers take the link down for seconds to change that: not from "
	       "afar.";
}

/* How long until the ring is full if nobody empties it, at the speed of the link and with frames of 64 bytes (84 on the wire). */
static double seconds_at_line_rate(const struct doctor *doctor, double packets)
{
	int64_t speed = doctor_number(doctor, "if.speed_mbps");

	return speed > 0 ? packets * 84 * 8 / ((double)speed * 1e6) : 0;
}

void doctor_rule_nic_ring(struct doctor *doctor)
{
	int64_t ring = doctor_number(doctor, "nic.ring.rx"), most = doctor_advised(doctor, "nic.ring.rx"), losses = doctor_lost(doctor, "nic.count");
	double now = seconds_at_line_rate(doctor, (double)ring), then = seconds_at_line_rate(doctor, (double)most);
	char text[120];

	if (ring <= 0 || doctor_number(doctor, "nic.ring.rx_max") <= 0)
		return;
	if (most < 0) {
		doctor_add(doctor, DOCTOR_FINE, "nic-ring", "The adapter's receive ring is as large as it can be");
		doctor_seen(doctor, "%lld descriptors for each queue", (long long)ring);
		return;
	}
	snprintf(text, sizeof(text), "%lld of %lld descriptors for each queue; ", (long long)ring, (long long)most);
	doctor_add(doctor, doctor_lost(doctor, "rate") > 0 ? DOCTOR_COSTS : DOCTOR_FINE, "nic-ring", "The adapter's receive ring could be larger");
	if (losses > 0)
		see_losses(doctor, text);
	else
		doctor_seen(doctor, "%sno loss so far", text);
	if (now > 0)
		doctor_cost(doctor,
			    "Small frames at line rate fill it in %s; then the adapter throws away, whatever the size of netring's ring. %lld would "
			    "last %s.%s",
			    doctor_time(now), (long long)most, doctor_time(then), doctor_link_warning(doctor));
	else
		doctor_cost(doctor,
			    "While the CPU is late by more than that many packets the adapter throws away, whatever the size of netring's ring.%s",
			    doctor_link_warning(doctor));
	doctor_mend(doctor, "ethtool -G %s rx %lld", doctor->quoted, (long long)most);
}

/* With a ring that is as large as it can be, or of unknown size; else doctor_rule_nic_ring has spoken. */
void doctor_rule_missed(struct doctor *doctor)
{
	int64_t total = doctor_lost(doctor, "nic.count"), now = doctor_lost(doctor, "rate"), received = doctor_number(doctor, "nic.count.received");

	/* What has no hardware has nothing to miss packets. */
	if (total < 0 || (total > 0 && doctor_advised(doctor, "nic.ring.rx") > 0) || (total == 0 && !doctor_is(doctor, "if.kind", "physical")))
		return;
	if (total == 0) {
		doctor_add(doctor, DOCTOR_FINE, "missed", "The adapter has lost nothing");
		doctor_seen(doctor, "missed and fifo are 0, of %s packets", doctor_count(received > 0 ? (double)received : 0));
		if (doctor_is(doctor, "nic.driver", "virtio_net"))
			doctor_cost(doctor,
				    "In a virtual machine that says little: what the host's tap or vhost throws away is counted there, not here.");
		return;
	}
	doctor_add(doctor, now > 0 ? DOCTOR_COSTS : DOCTOR_FINE, "missed", "The adapter %s packets", now > 0 ? "loses" : "has lost");
	see_losses(doctor, "");
	if (now <= 0) {
		doctor_cost(doctor, "What was lost once says nothing of today; look for longer, and while it matters:");
		doctor_mend(doctor, "netring doctor -s 60 %s", doctor->quoted);
		return;
	}
	doctor_cost(doctor,
		    "They are lost before the kernel sees them: the CPU that empties the queue is late. More queues, a CPU that does nothing else, "
		    "and larger bursts for each interrupt help; a larger ring of netring does not.");
	if (doctor_can_have_more_queues(doctor))
		doctor_mend_queues(doctor);
	else
		doctor_mend(doctor, "netring tune %s", doctor->quoted);
}

void doctor_rule_errors(struct doctor *doctor)
{
	int64_t now = doctor_number(doctor, "rate.errors"), total = doctor_number(doctor, "nic.count.errors");
	int64_t losses = doctor_lost(doctor, "rate");
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

/* How many a counter has grown by in the sample. */
static int64_t growth(const struct doctor *doctor, const char *counter)
{
	char name[128];

	snprintf(name, sizeof(name), "rate.driver_count.%.80s", counter);
	return doctor_number(doctor, name);
}

struct counters {
	char text[320];
	unsigned shown, more;
	bool shaped, shapes, lose; /* there are allowances; they grow; others grow */
};

/* What an XDP program throws away is its decision. */
static void count_counter(struct counters *counters, const struct doctor *doctor, const char *name, const char *value)
{
	bool allowance = strstr(name, "allowance_exceeded") && !strstr(name, "bw_out");
	int64_t now = growth(doctor, name);
	char *end = counters->text + strlen(counters->text);
	size_t room = sizeof(counters->text) - strlen(counters->text);

	counters->shaped |= allowance;
	counters->shapes |= allowance && now > 0;
	counters->lose |= !allowance && now > 0 && !strcasestr(name, "xdp");
	if (counters->shown >= 4)
		counters->more++;
	else if (now > 0)
		snprintf(end, room, "%s%.50s %.20s (%lld %s)", counters->shown++ ? ", " : "", name, value, (long long)now, doctor_sample(doctor));
	else
		snprintf(end, room, "%s%.50s %.20s", counters->shown++ ? ", " : "", name, value);
}

/* Those that grow first. */
static struct counters read_counters(const struct doctor *doctor)
{
	static const char prefix[] = "nic.driver_count.";
	struct counters counters = { 0 };

	for (int grown = 1; grown >= 0; grown--) {
		const struct fact *fact;
		size_t at = 0;

		while ((fact = facts_next(doctor->facts, prefix, &at))) {
			const char *name = fact->name + strlen(prefix);

			if (strtoll(fact->value, NULL, 10) > 0 && (growth(doctor, name) > 0) == grown)
				count_counter(&counters, doctor, name, fact->value);
		}
	}
	if (counters.more)
		snprintf(counters.text + strlen(counters.text), sizeof(counters.text) - strlen(counters.text), ", and %u more", counters.more);
	return counters;
}

static void add_allowance(struct doctor *doctor, const struct counters *counters)
{
	doctor_add(doctor, counters->shapes ? DOCTOR_COSTS : DOCTOR_FINE, "allowance", "The cloud %s packets because the instance may not have more",
		   counters->shapes ? "drops" : "has dropped");
	doctor_seen(doctor, "%s", counters->text);
	doctor_cost(doctor, "bw, pps and conntrack allowances belong to the type of instance; the packets never get to the machine. No setting here "
			    "helps, a larger type does.");
	doctor_mend(doctor, "ethtool -S %s", doctor->quoted);
}

void doctor_rule_driver_counters(struct doctor *doctor)
{
	struct counters counters = read_counters(doctor);

	if (!counters.shown)
		return;
	if (counters.shaped) {
		add_allowance(doctor, &counters);
		return;
	}
	/* The same losses are in the counters of the interface, in most drivers. */
	if (counters.lose && doctor_lost(doctor, "rate") <= 0) {
		doctor_add(doctor, DOCTOR_COSTS, "driver-counters", "The driver counts losses just now");
		doctor_seen(doctor, "%s", counters.text);
		doctor_cost(doctor, "The driver's own counters have names of its own; no capture saw what they count as dropped, missed or without a "
				    "buffer. Its documentation says which is which.");
	} else {
		doctor_add(doctor, DOCTOR_FINE, "driver-counters", "What the driver itself counts as lost");
		doctor_seen(doctor, "%s", counters.text);
		doctor_cost(doctor, "Since the driver was loaded%s.",
			    counters.lose			  ? ""
			    : doctor_fact(doctor, "rate.seconds") ? "; none of it grows just now"
								  : "");
	}
	doctor_mend(doctor, "ethtool -S %s", doctor->quoted);
}

/* Interrupts */

/* As netring tune would do it: a delay that the adapter changes by itself is switched off before one is set. */
static void mend_coalescing(struct doctor *doctor)
{
	int64_t usecs = doctor_advised(doctor, "nic.coalesce.rx_usecs"), frames = doctor_advised(doctor, "nic.coalesce.rx_frames");
	bool adaptive = doctor_is(doctor, "nic.coalesce.adaptive_rx", "on");
	char usecs_text[40] = "", frames_text[40] = "";

	if (usecs >= 0)
		snprintf(usecs_text, sizeof(usecs_text), " rx-usecs %lld", (long long)usecs);
	if (frames >= 0)
		snprintf(frames_text, sizeof(frames_text), " rx-frames %lld", (long long)frames);
	if (adaptive || usecs >= 0 || frames >= 0)
		doctor_mend(doctor, "ethtool -C %s%s%s%s", doctor->quoted, adaptive ? " adaptive-rx off" : "", usecs_text, frames_text);
}

/* At the present rate more packets come between two interrupts than the ring has room for; what no setting mends is not of them. */
static bool coalesces_too_long(struct doctor *doctor, int64_t usecs)
{
	int64_t ring = doctor_number(doctor, "nic.ring.rx");
	double rate = doctor_rate(doctor, "rate.packets") / (double)doctor_queues(doctor), packets = rate * (double)usecs / 1e6;

	if (ring <= 0 || packets < (double)ring / 2 || doctor_advised(doctor, "nic.coalesce.rx_usecs") < 0)
		return false;
	doctor_add(doctor, DOCTOR_COSTS, "coalescing", "The adapter waits too long before it interrupts");
	doctor_seen(doctor, "rx-usecs %lld: %s packets for each queue at this rate, and %lld descriptors", (long long)usecs, doctor_count(packets),
		    (long long)ring);
	doctor_cost(doctor, "The ring fills up between two interrupts, and what comes then is lost.");
	mend_coalescing(doctor);
	return true;
}

/* No delay, or that of the moment, is not what a setting is to blame for. */
static void add_delay(struct doctor *doctor, int64_t usecs)
{
	doctor_add(doctor, DOCTOR_FINE, "coalescing", "Delay of interrupts");
	if (usecs == 0)
		doctor_seen(doctor, "none (rx-usecs 0)");
	else
		doctor_seen(doctor, "rx-usecs %lld: time stamps are late by up to %s", (long long)usecs, doctor_time((double)usecs / 1e6));
	if (doctor_advised(doctor, "nic.coalesce.rx_usecs") > usecs)
		doctor_cost(doctor, "A longer one means fewer interrupts, and with that more packets for a CPU, at high rates:");
	mend_coalescing(doctor);
}

void doctor_rule_coalescing(struct doctor *doctor)
{
	int64_t usecs = doctor_number(doctor, "nic.coalesce.rx_usecs"), frames = doctor_number(doctor, "nic.coalesce.rx_frames");
	double rate = doctor_rate(doctor, "rate.packets");
	bool adaptive = doctor_is(doctor, "nic.coalesce.adaptive_rx", "on");

	if (usecs < 0 || coalesces_too_long(doctor, usecs))
		return;
	if (adaptive || advice_usecs_is_mode(doctor->facts, usecs)) {
		doctor_add(doctor, DOCTOR_FINE, "coalescing", "Interrupts are delayed by as much as the driver finds right");
		if (adaptive)
			doctor_seen(doctor, "adaptive-rx on, rx-usecs %lld now", (long long)usecs);
		else
			doctor_seen(doctor, "rx-usecs %lld, which for this driver is no time, but a way to find one", (long long)usecs);
		doctor_cost(doctor,
			    "Time stamps are made when the kernel gets the packet, so they are late by that delay, and it changes with the rate. For "
			    "measuring times a fixed one is better:");
		mend_coalescing(doctor);
	} else if (usecs == 0 && frames <= 1 && rate > 200000 && doctor_advised(doctor, "nic.coalesce.rx_usecs") > 0) {
		doctor_add(doctor, DOCTOR_COSTS, "coalescing", "The adapter interrupts for each packet");
		doctor_seen(doctor, "rx-usecs 0 at %s packets/s", doctor_count(rate));
		doctor_cost(doctor, "The CPU spends its time on interrupts, and falls behind sooner.");
		mend_coalescing(doctor);
	} else {
		add_delay(doctor, usecs);
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

	/* Software has no clock. */
	if (!hardware || (strcmp(hardware, "yes") != 0 && !doctor_is(doctor, "if.kind", "physical")))
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
