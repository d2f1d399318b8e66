/*
 * Two engines back to back: a peer that is an engine too, and a conn.
 */
#include "talk.h"

/* An engine that sends what it is given and remembers what comes. */
static struct {
	struct tn_stream s;
	uint8_t out[4096], in[8192];
	size_t n_out, n_in, room;
	bool hung_up;
} far;

static uint8_t *far_input(struct tn_stream *s, size_t *room)
{
	(void)s;
	*room = sizeof(far.in) - far.n_in < far.room ? sizeof(far.in) - far.n_in : far.room;
	return *room ? far.in + far.n_in : NULL;
}

static void far_arrived(struct tn_stream *s, size_t n)
{
	(void)s;
	far.n_in += n;
}

static size_t far_output(struct tn_stream *s, struct tn_vec *vec, size_t max)
{
	size_t n = 0;

	(void)s;
	/* in two pieces, when there is more than a byte */
	if (far.n_out > 1 && max > 1)
		vec[n++] = (struct tn_vec){ far.out, 1 };
	if (far.n_out > 0) {
		vec[n] = (struct tn_vec){ far.out + n, far.n_out - n };
		n++;
	}
	return n;
}

static void far_sent(struct tn_stream *s, size_t n)
{
	(void)s;
	far.n_out -= n;
	memmove(far.out, far.out + n, far.n_out);
}

static void far_hangup(struct tn_stream *s, enum tn_err why)
{
	assert_null(s->transport);
	assert_int_equal(why, TN_OK);
	assert_false(far.hung_up);
	far.hung_up = true;
}

static const struct tn_stream_ops far_ops = { far_input, far_arrived, far_output, far_sent,
	far_hangup };

static int join(void **state)
{
	(void)state;
	start(NULL);
	memset(&far, 0, sizeof(far));
	far.s.ops = &far_ops;
	far.room = SIZE_MAX;
	assert_true(tn_pair_connect(&loop, &far.s, peer.s));
	return 0;
}

static void far_add(const struct tn_msg *m)
{
	size_t len;

	assert_int_equal(
	    tn_msg_encode(m, TN_9P2000, far.out + far.n_out, sizeof(far.out) - far.n_out, &len),
	    TN_CODEC_OK);
	far.n_out += len;
	if (far.s.transport)
		far.s.transport->ready(&far.s);
}

#define FAR(...) far_add(&(struct tn_msg[]){ __VA_ARGS__ }[0])

static void say_hello(void)
{
	FAR(t_version(8192, "9P2000"));
	FAR(t_attach(1, 0, TN_NOFID));
	FAR(t_fid(TN_TSTAT, 2, 0));
}

enum { HELLO_LEN = (7 + 4 + 2 + 6) + (7 + 13) + (7 + 2 + 53) };

static void what_one_sends_arrives_at_the_other(void **state)
{
	(void)state;
	say_hello();
	run_loop();
	assert_int_equal(far.n_in, HELLO_LEN);
	assert_history("attach stat");
}

static void a_receiver_without_room_is_waited_for(void **state)
{
	(void)state;
	far.room = 0;
	say_hello();
	run_loop();
	assert_int_equal(far.n_in, 0);
	for (size_t i = 1; i <= HELLO_LEN; i++) {
		far.room = 1;
		far.s.transport->ready(&far.s);
		tn_loop_run(&loop);
		run_loop();
	}
	assert_int_equal(far.n_in, HELLO_LEN);
}

static void who_closes_has_sent_all_before(void **state)
{
	(void)state;
	say_hello();
	memset(far.out + far.n_out, 0, 7); /* a frame that cannot be: the conn hangs up */
	far.n_out += 7;
	run_loop();
	assert_true(far.hung_up);
	assert_true(peer.is_closed);
	assert_int_equal(far.n_in, HELLO_LEN);
	peer.s = NULL;
}

static void who_closes_waits_for_a_receiver_without_room(void **state)
{
	(void)state;
	far.room = 0;
	say_hello();
	memset(far.out + far.n_out, 0, 7);
	far.n_out += 7;
	run_loop();
	assert_false(far.hung_up);
	far.room = SIZE_MAX;
	far.s.transport->ready(&far.s);
	run_loop();
	assert_true(far.hung_up);
	assert_int_equal(far.n_in, HELLO_LEN);
	peer.s = NULL;
}

static void the_end_of_one_is_the_hangup_of_the_other(void **state)
{
	(void)state;
	say_hello();
	run_loop();
	tn_conn_end(peer.conn);
	run_loop();
	assert_true(far.hung_up);
	assert_true(peer.is_closed);
	peer.s = NULL;
}

static void an_engine_that_goes_away_says_so(void **state)
{
	(void)state;
	say_hello();
	run_loop();
	far.s.transport->detached(&far.s); /* as its free would */
	assert_null(far.s.transport);
	run_loop();
	assert_false(far.hung_up);
	assert_true(peer.is_closed);
	peer.s = NULL;
}

static bool never(size_t size)
{
	(void)size;
	return false;
}

static void a_pair_without_memory_is_none(void **state)
{
	struct tn_stream a = { 0 }, b = { 0 };

	(void)state;
	start(NULL);
	tn_alloc_hook = never;
	assert_false(tn_pair_connect(&loop, &a, &b));
	assert_null(a.transport);
	assert_null(b.transport);
	tn_alloc_hook = NULL;
}

#define JOINED(f) cmocka_unit_test_setup_teardown(f, join, teardown)

static int teardown_joined(void **state)
{
	far.s.closing = true;
	if (far.s.transport)
		far.s.transport->ready(&far.s);
	run_loop();
	peer.s = NULL;
	return teardown(state);
}

#undef JOINED
#define JOINED(f) cmocka_unit_test_setup_teardown(f, join, teardown_joined)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOINED(what_one_sends_arrives_at_the_other),
		JOINED(a_receiver_without_room_is_waited_for),
		JOINED(who_closes_has_sent_all_before),
		JOINED(who_closes_waits_for_a_receiver_without_room),
		JOINED(the_end_of_one_is_the_hangup_of_the_other),
		JOINED(an_engine_that_goes_away_says_so),
		BARE(a_pair_without_memory_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
