/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each variable of a peer does there decides what it is taken as:
 *
 * PF_RING  PCAP_PF_RING_CLUSTER_ID puts a program into a cluster, PCAP_PF_RING_USE_CLUSTER_* say how that is shared; by flow, if none does. PF_RING
 *          looks only whether they exist; here 0 is off.
 * PFQ      PCAP_FANOUT=MODE[+FLAG...] for the group PCAP_GROUP.
 * SNF      processes with the same SNF_APP_ID share what comes in, as many of them as SNF_NUM_RINGS says; without an SNF_APP_ID those are the rings of
 *          one process. SNF_DATARING_SIZE is in bytes, or in MiB where it would be too few bytes to mean anything.
 * mmpcap   PCAP_FRAMES is the number of packets that its ring has room for.
 */
#define _GNU_SOURCE 1 /* secure_getenv */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config-alias.h"
#include "user-text.h"

enum alias_id {
	CLUSTER_ID,
	USE_CLUSTER_FIRST,
	USE_CLUSTER_LAST = USE_CLUSTER_FIRST + 13,
	FANOUT,
	GROUP,
	APP_ID,
	NUM_RINGS,
	DATARING_SIZE,
	FRAMES,
	ALIAS_COUNT
};

#define PF_RING "PCAP_PF_RING_"
#define USE_CLUSTER PF_RING "USE_CLUSTER_"

/* clang-format off: a table. */
static const struct {
	const char *name;
	enum config_id target;
	const char *mode; /* of USE_CLUSTER_* */
} aliases[ALIAS_COUNT] = {
	[CLUSTER_ID] = { PF_RING "CLUSTER_ID", CONFIG_FANOUT, NULL },
	[USE_CLUSTER_FIRST] = { USE_CLUSTER "PER_FLOW", CONFIG_FANOUT, "hash" },
	{ USE_CLUSTER "PER_FLOW_2_TUPLE", CONFIG_FANOUT, "symmetric" },
	{ USE_CLUSTER "PER_FLOW_4_TUPLE", CONFIG_FANOUT, "hash" },
	{ USE_CLUSTER "PER_FLOW_5_TUPLE", CONFIG_FANOUT, "hash" },
	{ USE_CLUSTER "PER_FLOW_TCP_5_TUPLE", CONFIG_FANOUT, "hash" },
	{ USE_CLUSTER "PER_FLOW_IP_5_TUPLE", CONFIG_FANOUT, "hash" },
	{ USE_CLUSTER "PER_FLOW_IP_WITH_DUP_TUPLE", CONFIG_FANOUT, "hash" },
	{ USE_CLUSTER "ROUNDROBIN", CONFIG_FANOUT, "lb" },
	{ USE_CLUSTER "PER_INNER_FLOW", CONFIG_FANOUT, "inner" },
	{ USE_CLUSTER "PER_INNER_FLOW_2_TUPLE", CONFIG_FANOUT, "inner" },
	{ USE_CLUSTER "PER_INNER_FLOW_4_TUPLE", CONFIG_FANOUT, "inner" },
	{ USE_CLUSTER "PER_INNER_FLOW_5_TUPLE", CONFIG_FANOUT, "inner" },
	{ USE_CLUSTER "PER_INNER_FLOW_TCP_5_TUPLE", CONFIG_FANOUT, "inner" },
	{ USE_CLUSTER "PER_INNER_FLOW_IP_5_TUPLE", CONFIG_FANOUT, "inner" },
	[FANOUT] = { "PCAP_FANOUT", CONFIG_FANOUT, NULL },
	[GROUP] = { "PCAP_GROUP", CONFIG_FANOUT, NULL },
	[APP_ID] = { "SNF_APP_ID", CONFIG_FANOUT, NULL },
	[NUM_RINGS] = { "SNF_NUM_RINGS", CONFIG_RINGS, NULL },
	[DATARING_SIZE] = { "SNF_DATARING_SIZE", CONFIG_RING_SIZE, NULL },
	[FRAMES] = { "PCAP_FRAMES", CONFIG_RING_SIZE, NULL },
};
/* clang-format on */

/* Below this SNF_DATARING_SIZE is in MiB. */
#define DATARING_BYTES_MIN ((uint64_t)1 << 20)

/* PCAP_FRAMES=max was 32768 frames, all that the kernel of its time allowed; now it is the ring of the profile high_throughput. */
#define FRAMES_MAX "1G"

struct environment {
	const char *value[ALIAS_COUNT]; /* NULL: not set */
};

/* What the aliases make of the fanout group. */
struct group {
	char fanout[sizeof(((struct config *)0)->alias_fanout)];
	const char *flags; /* NULL: none */
};

static struct environment read_environment(void)
{
	struct environment environment;

	for (size_t i = 0; i < ALIAS_COUNT; i++)
		environment.value[i] = secure_getenv(aliases[i].name);
	return environment;
}

const char *config_alias_name(size_t index, enum config_id *target)
{
	if (index >= ALIAS_COUNT)
		return NULL;
	*target = aliases[index].target;
	return aliases[index].name;
}

/* Sentences */

/* "PCAP_FANOUT=hash", as it may be shown. */
struct assignment {
	char text[100];
};

static struct assignment assignment(const struct environment *environment, enum alias_id id)
{
	struct assignment assignment;
	char shown[USER_TEXT_SHOWN + 4];

	snprintf(assignment.text, sizeof(assignment.text), "%s=%s", aliases[id].name, user_text_shown(environment->value[id], shown));
	return assignment;
}

static int refuse(const struct environment *environment, enum alias_id id, const char *allowed, struct netring_error *error)
{
	return error_set(error, EINVAL, "%s: must be %s", assignment(environment, id).text, allowed);
}

static int refuse_both(const struct environment *environment, enum alias_id id, enum alias_id other, struct netring_error *error)
{
	return error_set(error, EINVAL, "%s: not allowed together with %s, each decides %s; set one of them", assignment(environment, id).text,
			 assignment(environment, other).text, config_variables[aliases[id].target].name);
}

/* Who decides what */

static bool is_use_cluster(enum alias_id id)
{
	return id >= USE_CLUSTER_FIRST && id <= USE_CLUSTER_LAST;
}

/* In a program with an SNF_APP_ID of -1 nothing is shared. */
static bool has_app_id(const struct environment *environment)
{
	return environment->value[APP_ID] && strcmp(environment->value[APP_ID], "-1") != 0;
}

static bool is_off(const struct environment *environment, enum alias_id id)
{
	uint64_t on;

	return user_text_bool(environment->value[id], &on) == 0 && !on;
}

/* Why an alias that is set means nothing, or NULL if it does mean something. */
static const char *no_effect(const struct environment *environment, enum alias_id id)
{
	if (is_use_cluster(id) && !environment->value[CLUSTER_ID])
		return "has no effect without " PF_RING "CLUSTER_ID";
	if (is_use_cluster(id) && is_off(environment, id))
		return "is off";
	if (id == GROUP && !environment->value[FANOUT])
		return "has no effect without PCAP_FANOUT";
	if (id == APP_ID && !has_app_id(environment))
		return "means that nothing is shared";
	if (id == NUM_RINGS && has_app_id(environment))
		return "is the number of processes that share SNF_APP_ID; nothing is to be set";
	return NULL;
}

static bool is_from_environment(const struct config *config, enum config_id id)
{
	return config->source[id] == CONFIG_FROM_ENVIRONMENT;
}

/* The variable of ours that counts instead of what an alias says of target, or CONFIG_COUNT if none does. */
static enum config_id overruler(const struct config *config, enum config_id target)
{
	if (is_from_environment(config, target))
		return target;
	if (target == CONFIG_RING_SIZE && is_from_environment(config, CONFIG_BLOCK_COUNT))
		return CONFIG_BLOCK_COUNT;
	return CONFIG_COUNT;
}

/* The one alias among those of a list that is set and means something; ALIAS_COUNT if there is none, -EINVAL if there are two. */
static int find_decider(const struct environment *environment, const enum alias_id *list, size_t count, struct netring_error *error)
{
	enum alias_id found = ALIAS_COUNT;

	for (size_t i = 0; i < count; i++) {
		if (!environment->value[list[i]] || no_effect(environment, list[i]))
			continue;
		if (found != ALIAS_COUNT)
			return refuse_both(environment, list[i], found, error);
		found = list[i];
	}
	return (int)found;
}

static const enum alias_id group_deciders[] = { CLUSTER_ID, FANOUT, APP_ID };
static const enum alias_id size_deciders[] = { DATARING_SIZE, FRAMES };
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Reading */

static int read_number(const struct environment *environment, enum alias_id id, uint64_t most, const char *allowed, uint64_t *number,
		       struct netring_error *error)
{
	uint64_t least = id == GROUP ? 0 : 1;

	if (user_text_number(environment->value[id], false, number) || *number < least || *number > most)
		return refuse(environment, id, allowed, error);
	return 0;
}

/* The mode that USE_CLUSTER_* ask for, if they do; two that come to the same are fine. */
static int read_cluster_mode(const struct environment *environment, const char **mode, struct netring_error *error)
{
	enum alias_id chosen = ALIAS_COUNT;
	uint64_t on;

	for (enum alias_id id = USE_CLUSTER_FIRST; id <= USE_CLUSTER_LAST; id++) {
		if (!environment->value[id])
			continue;
		if (user_text_bool(environment->value[id], &on))
			return refuse(environment, id, "one of " USER_TEXT_BOOLS, error);
		if (!on)
			continue;
		if (chosen != ALIAS_COUNT && strcmp(aliases[id].mode, *mode) != 0)
			return refuse_both(environment, id, chosen, error);
		chosen = id;
		*mode = aliases[id].mode;
	}
	return 0;
}

static int read_pf_ring(const struct environment *environment, struct group *group, struct netring_error *error)
{
	const char *mode = "hash";
	uint64_t number;
	int result;

	result = read_number(environment, CLUSTER_ID, 254, "a number, 1..254", &number, error);
	if (result == 0)
		result = read_cluster_mode(environment, &mode, error);
	if (result < 0)
		return result;
	snprintf(group->fanout, sizeof(group->fanout), "%s:%" PRIu64, mode, number);
	return 0;
}

/* MODE[+FLAG...], into the index of our word for the mode and a bit for each flag. */
static int read_pfq_words(const char *value, const char *const *modes, uint64_t *mode, unsigned *flags)
{
	static const char *const flag_words[] = { "rollover", "defrag", NULL };
	size_t length = strcspn(value, "+");

	if (user_text_word(user_text_first(value, length).text, modes, mode))
		return -EINVAL;
	*flags = 0;
	for (value += length; *value; value += length) {
		uint64_t flag;

		length = strcspn(++value, "+");
		if (user_text_word(user_text_first(value, length).text, flag_words, &flag))
			return -EINVAL;
		*flags |= 1u << flag;
	}
	return 0;
}

static int read_pfq(const struct environment *environment, struct group *group, struct netring_error *error)
{
	static const char *const theirs[] = { "hash", "lb", "cpu", "rollover", "rnd", "qm", "cbpf", "ebpf", "data", NULL };
	static const char *const ours[] = { "hash", "lb", "cpu", "rollover", "random", "qm", "cbpf", "ebpf", NULL };
	static const char *const flag_lists[] = { NULL, "rollover", "defrag", "rollover,defrag" };
	uint64_t mode, number;
	unsigned flags;
	int result;

	if (read_pfq_words(environment->value[FANOUT], theirs, &mode, &flags))
		return refuse(environment, FANOUT, "hash, lb, cpu, rollover, rnd, qm, cbpf or ebpf, with +defrag and +rollover behind it", error);
	if (!ours[mode])
		return error_set(error, EINVAL, "%s: the mode data is not supported; NETRING_FANOUT=ebpf takes a program, NETRING_FANOUT_PROG",
				 assignment(environment, FANOUT).text);
	if (environment->value[GROUP]) {
		result = read_number(environment, GROUP, 65535, "a number, 0..65535", &number, error);
		if (result < 0)
			return result;
		snprintf(group->fanout, sizeof(group->fanout), "%s:%" PRIu64, ours[mode], number);
	} else {
		snprintf(group->fanout, sizeof(group->fanout), "%s", ours[mode]);
	}
	group->flags = flag_lists[flags];
	return 0;
}

static int read_snf(const struct environment *environment, struct group *group, struct netring_error *error)
{
	uint64_t number;
	int result = read_number(environment, APP_ID, 65535, "a number, 1..65535, or -1 for none", &number, error);

	if (result == 0)
		snprintf(group->fanout, sizeof(group->fanout), "hash:%" PRIu64, number);
	return result;
}

/* Loading */

/* Stores what the alias comes to. If that is not allowed, both names are in the sentence. */
static int take(struct config *config, const struct environment *environment, enum alias_id by, enum config_id id, const char *text,
		struct netring_error *error)
{
	struct netring_error problem;

	if (config_parse(config, id, text, CONFIG_FROM_ALIAS, &problem) < 0)
		return error_set(error, EINVAL, "%s, taken as %s", assignment(environment, by).text, problem.text);
	return 0;
}

static int load_group(struct config *config, const struct environment *environment, struct netring_error *error)
{
	struct group group = { "", NULL };
	int by, result;

	if (overruler(config, CONFIG_FANOUT) != CONFIG_COUNT)
		return 0;
	by = find_decider(environment, group_deciders, LENGTH(group_deciders), error);
	if (by < 0 || by == ALIAS_COUNT)
		return by < 0 ? by : 0;
	result = by == CLUSTER_ID ? read_pf_ring(environment, &group, error)
		 : by == FANOUT	  ? read_pfq(environment, &group, error)
				  : read_snf(environment, &group, error);
	if (result < 0)
		return result;
	memcpy(config->alias_fanout, group.fanout, sizeof(group.fanout));
	result = take(config, environment, by, CONFIG_FANOUT, config->alias_fanout, error);
	/* The flags are the group's: they came this far only because the group did. */
	if (result == 0 && group.flags && overruler(config, CONFIG_FANOUT_FLAGS) == CONFIG_COUNT)
		result = take(config, environment, by, CONFIG_FANOUT_FLAGS, group.flags, error);
	return result;
}

static int load_rings(struct config *config, const struct environment *environment, struct netring_error *error)
{
	uint64_t number;
	char text[24];
	int result;

	if (!environment->value[NUM_RINGS] || no_effect(environment, NUM_RINGS) || overruler(config, CONFIG_RINGS) != CONFIG_COUNT)
		return 0;
	result = read_number(environment, NUM_RINGS, config_variables[CONFIG_RINGS].maximum, "a number, 1..256", &number, error);
	if (result < 0)
		return result;
	snprintf(text, sizeof(text), "%" PRIu64, number);
	return take(config, environment, NUM_RINGS, CONFIG_RINGS, text, error);
}

static int read_dataring_size(const struct environment *environment, char *text, size_t size, struct netring_error *error)
{
	uint64_t number;
	int result = read_number(environment, DATARING_SIZE, UINT64_MAX, "a number, of MiB below 1048576, else of bytes", &number, error);

	if (result == 0)
		snprintf(text, size, "%" PRIu64 "%s", number, number < DATARING_BYTES_MIN ? "M" : "");
	return result;
}

static int read_frames(const struct config *config, const struct environment *environment, char *text, size_t size, struct netring_error *error)
{
	static const char allowed[] = "a number of frames, or max";
	uint64_t number;
	int result;

	if (strcasecmp(environment->value[FRAMES], "max") == 0) {
		snprintf(text, size, FRAMES_MAX);
		return 0;
	}
	result = read_number(environment, FRAMES, UINT64_MAX, allowed, &number, error);
	if (result < 0)
		return result;
	if (__builtin_mul_overflow(number, config->value[CONFIG_FRAME_SIZE], &number))
		return refuse(environment, FRAMES, allowed, error);
	snprintf(text, size, "%" PRIu64, number);
	return 0;
}

static int load_ring_size(struct config *config, const struct environment *environment, struct netring_error *error)
{
	char text[24];
	int by, result;

	if (overruler(config, CONFIG_RING_SIZE) != CONFIG_COUNT)
		return 0;
	by = find_decider(environment, size_deciders, LENGTH(size_deciders), error);
	if (by < 0 || by == ALIAS_COUNT)
		return by < 0 ? by : 0;
	result = by == FRAMES ? read_frames(config, environment, text, sizeof(text), error)
			      : read_dataring_size(environment, text, sizeof(text), error);
	return result < 0 ? result : take(config, environment, by, CONFIG_RING_SIZE, text, error);
}

int config_alias_load(struct config *config, struct netring_error *error)
{
	struct environment environment = read_environment();
	int result = load_group(config, &environment, error);

	if (result == 0)
		result = load_rings(config, &environment, error);
	if (result == 0)
		result = load_ring_size(config, &environment, error);
	return result;
}

/* Telling */

const char *config_alias_of(const struct config *config, enum config_id id)
{
	struct environment environment = read_environment();
	int by = ALIAS_COUNT;

	if (config->source[id] != CONFIG_FROM_ALIAS)
		return NULL;
	if (id == CONFIG_RINGS)
		by = NUM_RINGS;
	else if (id == CONFIG_RING_SIZE)
		by = find_decider(&environment, size_deciders, LENGTH(size_deciders), NULL);
	else
		by = find_decider(&environment, group_deciders, LENGTH(group_deciders), NULL);
	return by >= 0 && by < ALIAS_COUNT ? aliases[by].name : NULL;
}

void config_alias_explain(const struct config *config, struct netring_error *error)
{
	static const enum config_id targets[] = { CONFIG_FANOUT, CONFIG_FANOUT_FLAGS, CONFIG_RINGS, CONFIG_RING_SIZE };

	for (size_t i = 0; error && i < LENGTH(targets); i++) {
		const char *alias = config_alias_of(config, targets[i]);
		char assigned[80];
		size_t used = strlen(error->text);

		snprintf(assigned, sizeof(assigned), "%s=", config_variables[targets[i]].name);
		if (alias && strstr(error->text, assigned))
			snprintf(error->text + used, sizeof(error->text) - used, " (%s is from %s)", config_variables[targets[i]].name, alias);
	}
}

/* What became of the flags that PCAP_FANOUT may bring along. */
static void log_flags(const struct config *config, const struct environment *environment, const struct log *log)
{
	if (!strchr(environment->value[FANOUT], '+'))
		return;
	log_write(log, LOG_INFO, "the flags of %s are %s %s", assignment(environment, FANOUT).text,
		  is_from_environment(config, CONFIG_FANOUT_FLAGS) ? "overruled by" : "taken as",
		  config_assignment(config, CONFIG_FANOUT_FLAGS).text);
}

static void log_alias(const struct config *config, const struct environment *environment, enum alias_id id, const struct log *log)
{
	enum config_id by = overruler(config, aliases[id].target);

	if (no_effect(environment, id)) {
		log_write(log, LOG_INFO, "%s %s", assignment(environment, id).text, no_effect(environment, id));
		return;
	}
	log_write(log, LOG_INFO, "%s is %s %s", assignment(environment, id).text, by == CONFIG_COUNT ? "taken as" : "overruled by",
		  config_assignment(config, by == CONFIG_COUNT ? aliases[id].target : by).text);
	if (id == FANOUT && by == CONFIG_COUNT)
		log_flags(config, environment, log);
}

void config_alias_log(const struct config *config, const struct log *log)
{
	struct environment environment = read_environment();

	if (log->level < LOG_INFO)
		return;
	for (size_t i = 0; i < ALIAS_COUNT; i++)
		if (environment.value[i])
			log_alias(config, &environment, i, log);
}
