#include "cmd/limits.h"

#include "cmd/say.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
#define OFF(m)   offsetof(struct tn_service_options, m)
#define SIZE(m)  sizeof(((struct tn_service_options *)0)->m)

enum unit {
	COUNT,  /* a number */
	BYTES,  /* with K, M or G behind it, of 1024 */
	SECONDS /* kept in nanoseconds; `none` is none */
};

static const struct limit {
	const char *name;
	size_t at, size; /* of the field; its default is with it */
	enum unit unit;
	uint64_t min, max;
} limits[] = {
	{ "conns", OFF(conns_max), SIZE(conns_max), COUNT, 1, 1u << 20 },
	{ "conns-per-peer", OFF(peer_max), SIZE(peer_max), COUNT, 1, 1u << 20 },
	{ "memory", OFF(memory_max), SIZE(memory_max), BYTES, 1u << 20, UINT64_C(1) << 40 },
	{ "conn-memory", OFF(conn.memory_max), SIZE(conn.memory_max), BYTES, 1u << 16,
	    UINT64_C(1) << 40 },
	{ "msize", OFF(conn.msize_max), SIZE(conn.msize_max), BYTES, 4096, 1u << 30 },
	{ "answers", OFF(conn.out_max), SIZE(conn.out_max), BYTES, 1u << 12, 1u << 30 },
	{ "requests", OFF(conn.reqs_max), SIZE(conn.reqs_max), COUNT, 1, 65535 },
	{ "fids", OFF(conn.fids_max), SIZE(conn.fids_max), COUNT, 1, 1u << 24 },
	{ "attributes", OFF(conn.attrs_max), SIZE(conn.attrs_max), BYTES, 1u << 12, 1u << 30 },
	{ "message-time", OFF(conn.message_ns), SIZE(conn.message_ns), SECONDS, 1, 1u << 24 },
	{ "idle-time", OFF(conn.idle_ns), SIZE(conn.idle_ns), SECONDS, 1, 1u << 24 },
};

static const struct limit *find(const char *name, size_t len)
{
	for (size_t i = 0; i < TN_COUNT(limits); i++) {
		if (strlen(limits[i].name) == len && memcmp(limits[i].name, name, len) == 0)
			return &limits[i];
	}
	return NULL;
}

/* K, M or G at *end, as a power of two; 0: none of them. */
static unsigned scale_of(const struct limit *l, char **end)
{
	static const char scales[] = "KMG";
	const char *scale = l->unit == BYTES && **end ? strchr(scales, **end) : NULL;

	*end += scale != NULL;
	return scale ? 10 * (unsigned)(scale - scales + 1) : 0;
}

/* false: no number of that unit, or not between min and max. */
static bool number_of(const struct limit *l, const char *text, uint64_t *n)
{
	unsigned scale;
	char *end;

	if (l->unit == SECONDS && strcmp(text, "none") == 0) {
		*n = UINT64_MAX;
		return true;
	}
	if (!isdigit((unsigned char)*text))
		return false;
	*n = strtoull(text, &end, 10);
	scale = scale_of(l, &end);
	if (*end || *n > l->max >> scale || *n << scale < l->min)
		return false;
	*n <<= scale;
	if (l->unit == SECONDS)
		*n *= NS_PER_S;
	return true;
}

static bool refuse(const struct cmd_args *a, const char *value, const struct limit *l)
{
	char words[400];
	size_t len;

	if (l) {
		snprintf(words, sizeof(words), "%s is from %llu to %llu%s", l->name,
		    (unsigned long long)l->min, (unsigned long long)l->max,
		    l->unit == BYTES     ? " bytes"
		    : l->unit == SECONDS ? " seconds, or none"
					 : "");
	} else {
		len = (size_t)snprintf(words, sizeof(words), "not NAME=VALUE; names are");
		for (size_t i = 0; i < TN_COUNT(limits); i++)
			len += (size_t)snprintf(words + len, sizeof(words) - len, " %s",
			    limits[i].name);
	}
	cmd_usage_error(a->command, value, words);
	return false;
}

static bool set(const struct cmd_args *a, struct tn_service_options *o, const char *value)
{
	size_t len = strcspn(value, "=");
	const struct limit *l = value[len] ? find(value, len) : NULL;
	uint64_t n;
	uint32_t small;

	if (!l || !number_of(l, value + len + 1, &n))
		return refuse(a, value, l);
	small = (uint32_t)n;
	memcpy((char *)o + l->at, l->size == sizeof(n) ? (const void *)&n : (const void *)&small,
	    l->size);
	return true;
}

bool cmd_limits(const struct cmd_args *a, struct tn_service_options *o)
{
	for (size_t i = 0; i < a->n_given; i++) {
		if (a->given[i].id == OPT_LIMIT && !set(a, o, a->given[i].value))
			return false;
	}
	return true;
}
