/* SPDX-License-Identifier: BSD-3-Clause */
/* Who loses, in words: for the line under a capture. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "top-rates.h"

#define HALF 0.5 /* a ring that is less full than this when packets are lost has been overrun by a burst */

struct words {
	char *text;
	size_t size, length;
};

static void __attribute__((format(printf, 2, 3))) say(struct words *words, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(words->text + words->length, words->size - words->length, format, arguments);
	va_end(arguments);
	if (length > 0)
		words->length = words->length + (size_t)length < words->size ? words->length + (size_t)length : words->size - 1;
}

/* Begins the next cause. */
static void next(struct words *words)
{
	if (words->length && words->text[words->length - 1] != ' ')
		say(words, "; ");
}

struct number {
	char text[32];
};

/* "1,234,567"; less than one in a second is still a loss. */
static struct number number(double value)
{
	struct number number, digits;
	int length, written = 0;

	if (value > 0 && value < 0.95) {
		snprintf(number.text, sizeof(number.text), "%.1f", value < 0.1 ? 0.1 : value);
		return number;
	}
	if (value >= 1e18) {
		snprintf(number.text, sizeof(number.text), "%.3g", value);
		return number;
	}
	length = snprintf(digits.text, sizeof(digits.text), "%.0f", value);
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			number.text[written++] = ',';
		number.text[written++] = digits.text[i];
	}
	number.text[written] = '\0';
	return number;
}

#define NUMBER(value) number(value).text

static int per_cent(double share)
{
	return (int)(share * 100 + 0.5);
}

static void say_silence(struct words *words, const struct top_capture *capture)
{
	double received = capture->rates.of[TOP_NIC_RECEIVED];

	if (capture->reader == TOP_STOPPED)
		say(words, "the program is STOPPED");
	else
		say(words, "the program does not read");
	if (capture->age_s >= 0)
		say(words, ", for %s s", NUMBER(capture->age_s));
	if (received == 0) {
		say(words, "; nothing comes in meanwhile");
		return;
	}
	say(words, ": what its ring cannot hold is lost, nobody knows how much");
	if (received > 0)
		say(words, "; %s packets/s come in", NUMBER(received));
}

static void say_ring(struct words *words, const struct top_capture *capture, const struct top_rates *loss, bool is_now)
{
	double lost = loss->of[TOP_RING_FULL];

	if (lost <= 0)
		return;
	next(words);
	if (is_now && capture->fill >= HALF)
		say(words, "the program reads too slowly: ring %d %% full, %s lost/s", per_cent(capture->fill), NUMBER(lost));
	else if (is_now && capture->fill >= 0)
		say(words, "the program reads too slowly in bursts: ring %d %% full again, %s lost/s, a larger NETRING_RING_SIZE holds more",
		    per_cent(capture->fill), NUMBER(lost));
	else
		say(words, "the program read too slowly: ring full, %s lost/s", NUMBER(lost));
	say(words, ", %s in all", NUMBER((double)capture->count[TOP_RING_FULL]));
	if (capture->bytes_got < capture->bytes_asked)
		say(words, ", ring of %s MiB instead of %s MiB", NUMBER((double)capture->bytes_got / 1048576),
		    NUMBER((double)capture->bytes_asked / 1048576));
}

static void say_xdp(struct words *words, const struct top_rates *loss)
{
	if (loss->of[TOP_FILL_EMPTY] > 0) {
		next(words);
		say(words, "XDP: the program gives frames back too slowly: fill ring empty, %s lost/s", NUMBER(loss->of[TOP_FILL_EMPTY]));
	}
	if (loss->of[TOP_XDP_OTHER] > 0) {
		next(words);
		say(words, "XDP: %s/s dropped before they got to the ring", NUMBER(loss->of[TOP_XDP_OTHER]));
	}
}

static void say_disk(struct words *words, const struct top_rates *loss, const struct top_capture *capture)
{
	if (loss->of[TOP_DISK] <= 0)
		return;
	next(words);
	say(words, "the disk: writing has failed, %s dumped packets/s are in no savefile, %s in all", NUMBER(loss->of[TOP_DISK]),
	    NUMBER((double)capture->count[TOP_DISK]));
}

static void say_part(struct words *words, const char **separator, double rate, const char *name)
{
	if (rate <= 0)
		return;
	say(words, "%s%s %s/s", *separator, NUMBER(rate), name);
	*separator = ", ";
}

static void say_adapter(struct words *words, const struct top_rates *loss, const struct top_capture *capture)
{
	double missed = loss->of[TOP_NIC_MISSED], dropped = loss->of[TOP_NIC_DROPPED];
	const char *separator = ": ";

	if (missed > 0 || loss->of[TOP_NIC_FIFO] > 0 || loss->of[TOP_NIC_ERRORS] > 0) {
		next(words);
		say(words, "the NIC %s loses", capture->interfaces);
		say_part(words, &separator, missed, "missed (its ring was full)");
		say_part(words, &separator, loss->of[TOP_NIC_FIFO], "fifo");
		say_part(words, &separator, loss->of[TOP_NIC_ERRORS], "errors");
	}
	if (dropped > 0 && dropped > missed) {
		next(words);
		say(words, "the kernel or the driver of %s drops %s/s before the capture", capture->interfaces,
		    NUMBER(dropped - (missed > 0 ? missed : 0)));
	}
}

static void say_next(struct words *words, const struct top_capture *capture, const struct top_rates *loss)
{
	bool is_disk = loss->of[TOP_DISK] > 0, is_more = top_is_suspect(capture) || top_lost(loss) > loss->of[TOP_DISK] || top_lost_before(loss) > 0;

	if (is_disk)
		say(words, ". Next: the disk's free space and errors");
	if (!is_more)
		return;
	say(words, is_disk ? "; " : ". Next: ");
	if (capture->reader == TOP_STOPPED) {
		say(words, "kill -CONT %d lets it go on", (int)capture->pid);
		return;
	}
	if (capture->is_elsewhere)
		say(words, "nsenter -nt %d ", (int)capture->pid);
	say(words, "netring doctor%s%s", capture->first_interface[0] ? " " : "", capture->first_interface);
}

static void say_libpcap(struct words *words, const struct top_capture *capture, double now_s)
{
	double ago_s = now_s > capture->asked_s ? now_s - capture->asked_s : 0;

	if (capture->engine != STATS_LIBPCAP)
		return;
	next(words);
	say(words, "libpcap captures by itself: ");
	if (!capture->knows_losses)
		say(words, "what its ring loses is not known until the program asks (pcap_stats)");
	else
		say(words, "when the program asked (pcap_stats), %s s ago, its ring had lost %s", NUMBER(ago_s),
		    NUMBER((double)capture->count[TOP_RING_FULL]));
}

void top_words(const struct top_capture *capture, double now_s, char *text, size_t size)
{
	bool is_silent = capture->reader == TOP_STOPPED || capture->reader == TOP_BUSY;
	bool is_now = capture->loss_at_s >= now_s, is_held = capture->loss_at_s >= 0 && now_s - capture->loss_at_s <= TOP_HOLD_S;
	struct words words = { text, size, 0 };

	text[0] = '\0';
	if (is_silent)
		say_silence(&words, capture);
	else if (capture->losing && !is_held)
		say(&words, "the program reads too slowly: it loses packets, how many is not known yet");
	if (is_held) {
		if (words.length)
			next(&words);
		if (!is_now)
			say(&words, "%s s ago: ", NUMBER(now_s - capture->loss_at_s));
		say_ring(&words, capture, &capture->loss, is_now);
		say_xdp(&words, &capture->loss);
		say_disk(&words, &capture->loss, capture);
		say_adapter(&words, &capture->loss, capture);
	}
	say_libpcap(&words, capture, now_s);
	if (words.length)
		say_next(&words, capture, &capture->loss);
}
