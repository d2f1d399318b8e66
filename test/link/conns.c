/*
 * Conns among others: who keeps us waiting, who takes much, who floods; and what the others notice of it.
 */
#include "link/conn_in.h"
#include "talk.h"

static uint64_t test_now = 1000000000;

static uint64_t now(void)
{
	return test_now;
}

/* ---- time ---- */

#define SECOND UINT64_C(1000000000)

static void pass(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		test_now += SECOND;
		settle();
	}
}

static bool is_hung_up(void)
{
	settle();
	return peer.is_closed;
}

static void who_says_no_version_is_told_and_hung_up_on(void **state)
{
	(void)state;
	tn_now_hook = now;
	start(NULL);
	pass(58);
	SAY(t_fid(TN_TSTAT, 1, 0)); /* which is no beginning */
	assert_got("Rerror 1 9P version not supported");
	assert_false(is_hung_up());
	pass(3);
	assert_got("Rerror 65535 limit reached: time for a message");
	pass(5);
	assert_true(is_hung_up());
}

static void a_message_that_has_begun_must_end_in_time(void **state)
{
	uint8_t frame[64];
	struct tn_msg m = t_fid(TN_TSTAT, 1, 0);
	struct tn_conn_stats st;
	size_t len;

	(void)state;
	tn_now_hook = now;
	start_session(&(struct tn_conn_limits){ .message_ns = 10 * SECOND });
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, frame, sizeof(frame), &len), TN_CODEC_OK);
	pass(100); /* silence is no message that has begun */
	for (int i = 0; i < 3; i++) {
		push_all(frame, 5);
		pass(8);
		push_all(frame + 5, len - 5);
		assert_got("Rstat 1");
	}
	for (size_t i = 0; i < len - 1; i++) { /* a byte now and then is not enough */
		if (push(frame + i, 1) == 0)
			break;
		pass(3);
	}
	assert_got("Rerror 65535 limit reached: time for a message");
	pass(5);
	assert_true(is_hung_up());
	tn_conn_stats(peer.conn, &st);
	assert_int_equal(st.slow, 1);
}

/* It is we who do not read on. */
static void who_is_pushed_back_is_not_late(void **state)
{
	struct tn_msg m = t_read(1, 5, 0, 1000);
	uint8_t frame[64];
	size_t len;

	(void)state;
	tn_now_hook = now;
	start_session(&(struct tn_conn_limits){ .message_ns = 10 * SECOND, .out_max = 2000 });
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_OREAD));
	send_batch();
	got();
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, frame, sizeof(frame), &len), TN_CODEC_OK);
	peer.stuck = true;
	for (int i = 0; i < 3; i++)
		memcpy(batch.bytes + i * len, frame, len);
	push_all(batch.bytes,
	    3 * len - 1); /* in one read: that it is pushed back is not yet known */
	pass(60);
	peer.stuck = false;
	assert_got("Rread 1, Rread 1");
	push_all(frame + len - 1, 1);
	assert_got("Rread 1");
}

static void who_is_idle_for_too_long_is_told_and_hung_up_on(void **state)
{
	(void)state;
	tn_now_hook = now;
	start_session(&(struct tn_conn_limits){ .idle_ns = 10 * SECOND });
	fake.late = 1u << TN_STAT;
	SAY(t_fid(TN_TSTAT, 1, 0));
	pass(60); /* it waits for us */
	answer(0);
	assert_got("Rstat 1");
	fake.late = 0;
	for (int i = 0; i < 5; i++) {
		pass(8);
		SAY(t_fid(TN_TSTAT, 1, 0));
		assert_got("Rstat 1");
	}
	pass(12);
	assert_got("Rerror 65535 limit reached: time without a message");
	pass(5);
	assert_true(is_hung_up());
}

/* ---- two conns of one service ---- */

static struct tn_conn *other;
static bool other_is_closed;

static void other_closed(struct tn_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	other_is_closed = true;
}

/* What the other is told, and how it answers at once: the type; 0: not at all. */
static uint8_t tell_other(struct tn_msg m)
{
	struct tn_stream *s = tn_conn_stream(other);
	struct tn_vec vec[4];
	size_t room, len, n = 0, pieces;
	uint8_t frame[512], type, *to = tn_stream_input(s, &room);

	assert_int_equal(tn_msg_encode(&m, TN_9P2000, frame, sizeof(frame), &len), TN_CODEC_OK);
	assert_true(to && room >= len);
	memcpy(to, frame, len);
	tn_stream_arrived(s, len);
	pieces = tn_stream_output(s, vec, 4);
	type = pieces ? vec[0].data[4] : 0;
	for (size_t i = 0; i < pieces; i++)
		n += vec[i].len;
	tn_stream_sent(s, n);
	return type;
}

static struct tn_conns *start_two(uint64_t memory_max)
{
	struct tn_conns *all = tn_conns_new(&loop, memory_max);
	struct tn_conn_limits limits = { .conns = all };

	start_session(&limits);
	other = tn_conn_new(&fake.s, &limits, "other", other_closed, NULL);
	other_is_closed = false;
	assert_int_equal(tell_other(t_version(8192, "9P2000")), TN_RVERSION);
	assert_int_equal(tell_other(t_attach(1, 0, TN_NOFID)), TN_RATTACH);
	fake.history[0] = '\0';
	return all;
}

static void end_two(struct tn_conns *all)
{
	tn_conn_end(other);
	run_loop();
	assert_true(other_is_closed);
	tn_conn_free(other);
	hang_up();
	assert_int_equal(all->store.used, 0);
	assert_null(all->ticking);
	assert_null(all->hungry);
	tn_conns_put(all);
}

static void memory_of_all_has_a_limit_and_who_needs_little_goes_on(void **state)
{
	struct tn_conns *all = start_two(100000);
	unsigned n_ok, n_over = 0;

	(void)state;
	ask_late_reads();
	n_ok = fake.n_held;
	assert_true(n_ok >= 8 && n_ok <= 12);
	for (struct tn_msg r; next_msg(&r); n_over++) {
		assert_int_equal(r.type, TN_RERROR);
		assert_int_equal(r.ename.len, strlen(tn_err_text(TN_ELIMIT_ALL)));
		assert_memory_equal(r.ename.s, tn_err_text(TN_ELIMIT_ALL), r.ename.len);
	}
	assert_int_equal(n_ok + n_over, 40);
	assert_int_equal(tell_other(t_fid(TN_TSTAT, 1, 0)), TN_RSTAT);
	while (fake.n_held > 0)
		answer(0);
	settle();
	peer.n_got = 0;
	end_two(all);
}

static void who_floods_has_one_turn_and_then_others_have_theirs(void **state)
{
	enum { FLOOD = 700, TURN = 512 };
	struct tn_conns *all = start_two(0);
	struct tn_conn_stats st;
	uint64_t before;

	(void)state;
	tn_conn_stats(peer.conn, &st);
	before = st.messages_in;
	for (uint16_t i = 0; i < FLOOD; i++)
		ADD(t_fid(TN_TSTAT, i, 0));
	push_all(batch.bytes, batch.len);
	batch.len = 0;
	tn_conn_stats(peer.conn, &st);
	assert_int_equal(st.messages_in - before, TURN);
	assert_int_equal(tell_other(t_fid(TN_TSTAT, 1, 0)), TN_RSTAT);
	settle();
	tn_conn_stats(peer.conn, &st);
	assert_int_equal(st.messages_in - before, FLOOD);
	peer.n_got = 0;
	end_two(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE(who_says_no_version_is_told_and_hung_up_on),
		BARE(a_message_that_has_begun_must_end_in_time),
		BARE(who_is_pushed_back_is_not_late),
		BARE(who_is_idle_for_too_long_is_told_and_hung_up_on),
		BARE(memory_of_all_has_a_limit_and_who_needs_little_goes_on),
		BARE(who_floods_has_one_turn_and_then_others_have_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
