/*
 * A peer that speaks each dialect well, and means anything by it: whole messages with fids, names and numbers that meet.
 * Each has one answer, of its dialect and with its tag; what waits can be flushed, and is over when its Rflush has come.
 */
#include "message.h"
#include "served.h"

enum { MESSAGES = 60 };

/* Most messages are on one of few fids; the dialect's types come evenly, a new version and a flush as others do. */
static void say(struct fuzz_in *in, enum tn_dialect dialect, uint16_t tag)
{
	struct tn_msg m = { .type = fuzz_type(in, dialect, false), .tag = tag };

	if (m.type == TN_TVERSION)
		m.type = TN_TCLUNK; /* another dialect: conn.c has that */
	fuzz_message(in, dialect, &m);
	if (m.type == TN_TFLUSH)
		m.oldtag = fuzz_below(in, (uint8_t)(tag + 1));
	if (fuzz_served_say(&m))
		fuzz_served_hear();
}

/* Everything that waits is flushed, in any order; then nothing does. */
static void flush_all(uint16_t said)
{
	for (uint16_t tag = 0; tag < said; tag++) {
		struct tn_msg m = { .type = TN_TFLUSH, .oldtag = tag };

		if (!fuzz_served_waits(tag))
			continue;
		m.tag = (uint16_t)(128 + tag);
		if (!fuzz_served_say(&m))
			return;
		fuzz_served_hear();
		must(!fuzz_served_waits(tag) && !fuzz_served_waits(m.tag));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_in in = { bytes, len };
	uint8_t how = fuzz_byte(&in);
	enum tn_dialect dialect = (enum tn_dialect)(how % TN_DIALECTS);
	struct tn_view_options o = { .read_only = (how & 28) == 28, .follow = how & 32 };
	uint16_t tag = 0;

	fuzz_served_begin(dialect, &o);
	while (in.left > 0 && tag < MESSAGES)
		say(&in, dialect, tag++);
	flush_all(tag);
	fuzz_served_end();
	return 0;
}
