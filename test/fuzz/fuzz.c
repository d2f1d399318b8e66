#include "fuzz.h"

#include "host/posix/host.h"
#include "link/stream.h"

uint64_t fuzz_now;

static uint64_t clock_ns(void)
{
	return fuzz_now;
}

static void no_log(const char *text, size_t len)
{
	(void)text;
	(void)len;
}

/* Linked instead of the host's (-Wl,--wrap): the same input does the same. */
void __wrap_tn_random(void *buf, size_t size);
int64_t __wrap_tn_time_ns(void);

void __wrap_tn_random(void *buf, size_t size)
{
	memset(buf, 0x5a, size);
}

int64_t __wrap_tn_time_ns(void)
{
	return (int64_t)(UINT64_C(1700000000) * FUZZ_SECOND + fuzz_now);
}

void fuzz_begin(void)
{
	fuzz_now = FUZZ_SECOND;
	tn_now_hook = clock_ns;
	tn_log_hook = no_log;
}

uint64_t fuzz_number(struct fuzz_in *in, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes && in->left > 0; i++, in->at++, in->left--)
		n |= (uint64_t)*in->at << 8 * i;
	return n;
}

uint64_t fuzz_size(struct fuzz_in *in)
{
	static const uint64_t edges[] = { INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX, 65535,
		65536, 8192, 4096 };
	uint8_t how = fuzz_byte(in);

	if (how < 200)
		return how;
	if (how < 232)
		return edges[how & 7] - (how >> 3 & 3);
	return fuzz_number(in, how < 244 ? 2 : how < 250 ? 4 : 8);
}

struct tn_str fuzz_bytes(struct fuzz_in *in, size_t n)
{
	struct tn_str s = { (const char *)in->at, (uint32_t)(n < in->left ? n : in->left) };

	in->at += s.len;
	in->left -= s.len;
	return s;
}

struct tn_str fuzz_name(struct fuzz_in *in)
{
	static const char *const names[] = { "a", "b", "f", "g", "d", "e", "m", "u", "link", "new",
		"..", ".", "", "env", "pipe", "data", "data1", "x/y", "user.a", "user.b", "glenda",
		"#ns/watch", "far", "ctl" };
	uint8_t which = fuzz_byte(in);
	struct tn_str s;

	if (which < 240) {
		s.s = names[which % TN_COUNT(names)];
		s.len = (uint32_t)strlen(s.s);
		return s;
	}
	s = fuzz_bytes(in, which < 254 ? which - 239u : 300);
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.s[i] == '\0')
			s.len = i;
	}
	return s;
}

char *fuzz_text(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1);

	must(text);
	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

void fuzz_arrive(struct tn_stream *const *stream, const uint8_t *bytes, size_t len)
{
	while (len > 0 && *stream) {
		size_t room;
		uint8_t *buf = tn_stream_input(*stream, &room);

		if (!buf)
			break;
		must(room > 0);
		if (room > len)
			room = len;
		memcpy(buf, bytes, room);
		bytes += room;
		len -= room;
		tn_stream_arrived(*stream, room);
	}
}
