/*
 * A peer that speaks each dialect well, and lies: each message of mnt's is answered, in any order or never, by the message
 * that belongs to it, or by another, with fields out of the input. Meanwhile more is asked, flushed, and given back; the
 * connection is lost and made again; time passes. Every request ends once, and what mnt says stays well said.
 */
#include "client.h"
#include "core/change.h"
#include "message.h"

enum { WAITING = 64, STEPS = 80 };

static struct tn_msg waiting[WAITING];
static int n_waiting;

/* Takes what mnt has said. Messages beyond those that are remembered are never answered. */
static void listen(void)
{
	struct tn_msg m;

	while (fuzz_client_says(&m)) {
		if (m.type == TN_TFLUSH) {
			fuzz_client_reply(&(struct tn_msg){ .type = TN_RFLUSH, .tag = m.tag });
			continue;
		}
		if (n_waiting < WAITING)
			waiting[n_waiting++] = m;
	}
}

static void honest_version(const struct tn_msg *to)
{
	struct tn_msg m = { .type = TN_RVERSION, .tag = to->tag, .msize = FUZZ_CLIENT_MSIZE };
	const char *name = tn_dialect_name(fuzz_client.dialect);

	m.version = (struct tn_str){ name, (uint32_t)strlen(name) };
	fuzz_client_reply(&m);
}

/* Lines of a watch, at times broken. */
static void watch_lines(struct fuzz_in *in, struct tn_msg *m)
{
	static const char lines[] =
	    "begun 1 d 0 \nmade 1 f 0 a\nleft 1 f 7 a\ncame 1 f 7 b\nlost 0 f 0 \nend 1 gone\n";
	struct tn_str own;

	m->data = (const uint8_t *)lines;
	m->count = fuzz_byte(in) % sizeof(lines);
	own = fuzz_bytes(in, m->count & 1 ? m->count : 0);
	if (own.len > 0) {
		m->data = (const uint8_t *)own.s;
		m->count = own.len;
	}
}

static void lie(struct fuzz_in *in, const struct tn_msg *to)
{
	uint8_t how = fuzz_byte(in);
	struct tn_msg m = { .tag = to->tag, .type = (uint8_t)(to->type + 1) };

	if (to->type == TN_TVERSION && how < 240) {
		honest_version(to);
		return;
	}
	if (how >= 216)
		m.type = how < 240 ? TN_RERROR : fuzz_type(in, fuzz_client.dialect, true);
	if (m.type == TN_RERROR && fuzz_client.dialect == TN_9P2000_L)
		m.type = TN_RLERROR;
	fuzz_message(in, fuzz_client.dialect, &m);
	/* A count that is too large ends the connection: most are not. */
	if (how < 200 && m.count > to->count)
		m.count = to->count;
	if (how < 200 && m.type == TN_RWALK && m.nwqid > to->nwname)
		m.nwqid = to->nwname;
	if (m.type == TN_RREAD && how & 1)
		watch_lines(in, &m);
	fuzz_client_reply(&m);
}

static void answer_one(struct fuzz_in *in)
{
	uint8_t which = fuzz_byte(in);
	struct tn_msg to;

	if (n_waiting == 0)
		return;
	which = (uint8_t)(which % n_waiting);
	to = waiting[which];
	waiting[which] = waiting[--n_waiting];
	lie(in, &to);
}

static void ask_one(struct fuzz_in *in)
{
	uint8_t what = fuzz_byte(in);
	struct tn_chan *on[] = { fuzz_client.root, fuzz_client.file, fuzz_client.dir };
	struct tn_chan *c = on[what / TN_REQ_TYPES % 3];
	enum tn_req_type type = (enum tn_req_type)(what % TN_REQ_TYPES);

	/* What would change the Chans that all share has its own: those of walks. */
	if (type == TN_FLUSH || type == TN_CLUNK || type == TN_REMOVE)
		type = TN_WATCH;
	if (type == TN_OPEN || type == TN_CREATE)
		type = TN_WALK;
	fuzz_client_ask(type, c);
}

static void flush_one(struct fuzz_in *in)
{
	struct fuzz_ask *a = &fuzz_client.asks[fuzz_byte(in) % fuzz_client.n_asks];

	if (!a->done)
		tn_flush(&a->r);
}

static void wait_some(struct fuzz_in *in)
{
	fuzz_now += (fuzz_byte(in) & 7) * FUZZ_SECOND;
}

static void lose(struct fuzz_in *in)
{
	if (fuzz_byte(in) & 1)
		fuzz_client_hang_up();
	n_waiting = 0;
}

static void (*const steps[])(struct fuzz_in *in) = { answer_one, answer_one, answer_one, answer_one,
	answer_one, answer_one, ask_one, ask_one, flush_one, wait_some, lose, answer_one };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_in in = { bytes, len };
	uint8_t how = fuzz_byte(&in);

	n_waiting = 0;
	fuzz_client_begin();
	fuzz_client_meet((enum tn_dialect)(how % TN_DIALECTS));
	if (how & 64)
		fuzz_client_ask_all();
	for (int i = 0; i < STEPS && in.left > 0; i++) {
		listen();
		steps[fuzz_below(&in, TN_COUNT(steps))](&in);
		fuzz_client_turn();
	}
	fuzz_client_end();
	return 0;
}
