/*
 * Random requests, few fids and tags, a server that answers late, in any order, or not at all until it is asked to
 * end; with memory that fails, a peer that reads slowly, sessions that begin anew. Whatever happens: each request has
 * one answer or is flushed, no tag that is not outstanding is answered, and at the end nothing is left.
 */
#include "link/dialect.h"
#include "talk.h"

enum { TAGS = 40, FIDS = 6, STEPS = 4000 };

static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(seed >> 8) * below >> 24);
}

/* 0: free; else what Tflush or other request is outstanding. */
static struct {
	bool is_out, is_flush;
	uint16_t oldtag;
	unsigned use,
	    old_use; /* which use of a tag: it is free again before its flush is answered */
} tags[TAGS];

static unsigned n_uses;

static bool is_resetting;

static struct tn_msg random_msg_l(uint16_t tag)
{
	static const uint8_t types[] = { TN_TSTATFS, TN_TLOPEN, TN_TLCREATE, TN_TSYMLINK, TN_TMKNOD,
		TN_TRENAME, TN_TREADLINK, TN_TGETATTR, TN_TSETATTR, TN_TXATTRWALK, TN_TXATTRCREATE,
		TN_TREADDIR, TN_TFSYNC, TN_TLOCK, TN_TGETLOCK, TN_TLINK, TN_TMKDIR, TN_TRENAMEAT,
		TN_TUNLINKAT, TN_TXATTRCREATE, TN_TXATTRWALK, TN_TLOPEN, TN_TALLOCATE, TN_TSEEK,
		TN_TCOPY, TN_TRENAMEAT2 };
	uint32_t n_types = TN_COUNT(types) - (peer.dialect == TN_9P2000_TENON ? 0 : 4);
	static const char *const names[] = { "d", "f", "l", "x", "a/b", "" };
	const char *name = names[rnd(rnd(8) ? 3 : TN_COUNT(names))];
	struct tn_msg m = { .type = types[rnd(n_types)],
		.tag = tag,
		.fid = rnd(FIDS),
		.newfid = rnd(FIDS),
		.flags = rnd(2) ? rnd(4) : 0102 };

	m.name = (struct tn_str){ name, (uint32_t)strlen(name) };
	m.newname = m.target = m.client_id = TN_STR("g");
	m.perm = rnd(2) ? 0010644 : 0644;
	m.lock_type = (uint8_t)rnd(4);
	m.length = rnd(12);
	m.valid = rnd(0x200);
	m.offset = rnd(50);
	m.count = rnd(3000);
	return m;
}

static struct tn_msg random_msg(uint16_t tag)
{
	static const char *const names[] = { "", "d", "f", "x", "d d", "d x", "d f", "..", "d .",
		"a/b" };
	static const uint32_t perms[] = { 0644, TN_DMDIR | 0755 };
	uint32_t fid = rnd(FIDS), other = rnd(FIDS);
	struct tn_stat st = { .valid = TN_ST_LENGTH, .length = rnd(3) };

	if (tn_dialect_is_l(peer.dialect) && rnd(2))
		return random_msg_l(tag);
	switch (rnd(12)) {
	case 0: return t_attach(tag, fid, TN_NOFID);
	case 1:
	case 2:
	case 3: return t_walk(tag, fid, other, names[rnd(TN_COUNT(names))]);
	case 4:
		if (tn_dialect_is_l(peer.dialect))
			return random_msg_l(tag);
		return t_open(tag, fid, (uint8_t)rnd(4));
	case 5:
		if (tn_dialect_is_l(peer.dialect))
			return random_msg_l(tag);
		return t_create(tag, fid, names[1 + rnd(3)], perms[rnd(2)], (uint8_t)rnd(3));
	case 6:
	case 7: return t_read(tag, fid, rnd(2) * 53, rnd(3000));
	case 8: return t_write(tag, fid, rnd(100), "some data");
	case 9: return t_fid(rnd(2) ? TN_TCLUNK : TN_TREMOVE, tag, fid);
	case 10: return t_fid(tn_dialect_is_l(peer.dialect) ? TN_TGETATTR : TN_TSTAT, tag, fid);
	default:
		if (tn_dialect_is_l(peer.dialect))
			return random_msg_l(tag);
		return t_wstat(tag, fid, st);
	}
}

static void send_random(void)
{
	uint16_t tag = (uint16_t)rnd(TAGS);

	if (tags[tag].is_out || is_resetting)
		return;
	tags[tag].is_out = true;
	tags[tag].is_flush = rnd(5) == 0;
	tags[tag].use = ++n_uses;
	tags[tag].oldtag = (uint16_t)rnd(TAGS);
	tags[tag].old_use = tags[tags[tag].oldtag].use;
	if (tags[tag].is_flush)
		ADD(t_flush(tag, tags[tag].oldtag));
	else
		add(&(struct tn_msg[]){ random_msg(tag) }[0]);
	if (batch.len > 4000 || rnd(3) == 0) {
		size_t taken = push(batch.bytes, batch.len);

		memmove(batch.bytes, batch.bytes + taken, batch.len - taken);
		batch.len -= taken;
	}
}

/* flush(5): from here on the old tag is free, answered or not. A Tflush is always answered. */
static void flushed(uint16_t oldtag, unsigned use)
{
	if (tags[oldtag].use == use && !tags[oldtag].is_flush)
		tags[oldtag].is_out = false;
}

static void take_answers(void)
{
	struct tn_msg r;

	drain();
	while (next_msg(&r)) {
		if (r.type == TN_RVERSION) {
			assert_true(is_resetting);
			is_resetting = false;
			memset(tags, 0, sizeof(tags));
			ADD(t_attach(TAGS - 1, 0, TN_NOFID));
			tags[TAGS - 1].is_out = true;
			tags[TAGS - 1].use = ++n_uses;
			continue;
		}
		assert_true(r.tag < TAGS);
		assert_true(tags[r.tag].is_out);
		tags[r.tag].is_out = false;
		if (r.type == TN_RFLUSH)
			flushed(tags[r.tag].oldtag, tags[r.tag].old_use);
	}
}

static void begin_anew(void)
{
	if (is_resetting || batch.len > 0)
		return;
	is_resetting = true;
	ADD(t_version(2000 + rnd(8000), tn_dialect_name(peer.dialect)));
}

/* How hard it is, different in each run: one in so many. */
static struct {
	uint32_t answer, fail, stuck, anew;
} odds;

static bool is_failing; /* for a while everything does */

static bool fail_some(size_t size)
{
	(void)size;
	return !is_failing && rnd(odds.fail) != 0;
}

static uint64_t test_now = 1000000000;

static uint64_t now(void)
{
	return test_now;
}

static void random_step(void)
{
	fake.history[0] = '\0';
	fake.on_flush = (enum on_flush)rnd(3);
	fake.late = rnd(4) ? rnd(UINT32_MAX) : 0;
	fake.is_there = rnd(2);
	fake.value_len = rnd(200);
	fake.grown_len = rnd(3) ? 0 : rnd(300);
	if (fake.n_held > 50)
		fake.late = 0;
	peer.stuck ^= rnd(odds.stuck) == 0;
	is_failing ^= rnd(odds.fail * 20) == 0;
	send_random();
	if (fake.n_held > 0 && rnd(odds.answer) == 0)
		answer(rnd(fake.n_held));
	if (rnd(3) == 0)
		tn_loop_run(&loop);
	if (rnd(50) == 0)
		test_now += 300000000u * rnd(10);
	if (rnd(odds.anew) == 0)
		begin_anew();
	take_answers();
}

static void finish_session(void)
{
	size_t at = 0;

	peer.stuck = false;
	fake.late = 0;
	for (int i = 0; i < 1000; i++) {
		at += push(batch.bytes + at, batch.len - at);
		if (at == batch.len)
			at = batch.len = 0;
		while (fake.n_held > 0)
			answer(0);
		fake.history[0] = '\0';
		settle();
		take_answers();
	}
	assert_int_equal(batch.len, 0);
	assert_false(is_resetting);
	for (int i = 0; i < TAGS; i++)
		assert_false(tags[i].is_out);
}

static void whatever_happens_each_request_is_answered_once(void **state)
{
	static const uint8_t value[300];

	(void)state;
	for (uint32_t run = 0; run < 150; run++) {
		seed = run;
		odds.answer = 2 + rnd(30);
		odds.fail = 2 + rnd(20);
		odds.stuck = 3 + rnd(300);
		odds.anew = 100 + rnd(1000);
		test_now += 1000000000;
		tn_now_hook = now;
		memset(tags, 0, sizeof(tags));
		start_dialect(&(struct tn_conn_limits){ .reqs_max = run % 3 ? 10 : 0,
				  .out_max = run % 7 ? 10000 : 1000,
				  .attrs_max = run % 3 ? 0 : 1000,
				  .memory_max = run % 5 ? 0 : 60000 },
		    (enum tn_dialect)(run % TN_DIALECTS));
		fake.value = value;
		peer.msize = 0; /* it changes */
		if (run % 2)
			tn_alloc_hook = fail_some;
		for (int i = 0; i < STEPS; i++)
			random_step();
		tn_alloc_hook = NULL;
		if (run % 4)
			finish_session();
		is_resetting = false;
		hang_up();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE(whatever_happens_each_request_is_answered_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
