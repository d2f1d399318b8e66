/*
 * The life of requests and Chans: answered once, kept, flushed, the last put clunks. With a server that does as told.
 */
#include "core/req.h"

#include "core/chan.h"
#include "core/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fake {
	struct tn_server s;
	enum { ANSWER, FAIL, KEEP, KEEP_AND_ANSWER } how;
	struct tn_req *kept;
	unsigned clunks, flushes, freed;
};

static struct tn_loop loop;
static struct fake fake;
static unsigned n_done;

static enum tn_status serve(struct tn_req *r)
{
	struct fake *f = (struct fake *)r->server;

	if (r->type == TN_CLUNK)
		f->clunks++;
	if (f->how == FAIL)
		return tn_fail(r, TN_EPERM);
	if (f->how == ANSWER)
		return TN_DONE;
	if (!tn_keep(r))
		return TN_DONE;
	f->kept = r;
	if (f->how == KEEP_AND_ANSWER)
		tn_respond(r);
	return TN_LATER;
}

static enum tn_status flush(struct tn_req *r)
{
	fake.flushes++;
	tn_fail(r, TN_EINTR);
	tn_respond(r);
	return TN_DONE;
}

static void freed(struct tn_server *s)
{
	((struct fake *)s)->freed++;
}

static const struct tn_ops ops = {
	.name = "fake",
	.op = { [TN_OPEN] = serve, [TN_READ] = serve, [TN_CLUNK] = serve, [TN_FLUSH] = flush },
	.free = freed,
};

static void done(struct tn_req *r)
{
	(void)r;
	n_done++;
}

static bool no_memory(struct tn_req *r)
{
	(void)r;
	return false;
}

static const struct tn_owner owner = { .done = done };
static const struct tn_owner poor_owner = { .done = done, .keep = no_memory };

static struct tn_chan *used_chan(void)
{
	struct tn_chan *c = tn_chan_new(&fake.s, NULL);

	assert_non_null(c);
	c->flags |= TN_CF_USED;
	return c;
}

static int setup(void **state)
{
	(void)state;
	tn_loop_init(&loop, NULL, NULL);
	memset(&fake, 0, sizeof(fake));
	tn_server_init(&fake.s, &ops, &loop, NULL);
	n_done = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_loop_run(&loop);
	tn_server_put(&fake.s);
	assert_int_equal(fake.freed, 1); /* no Chan has kept the server */
	tn_loop_fini(&loop);
	return 0;
}

static void an_inline_answer_calls_nobody(void **state)
{
	struct tn_chan *c = used_chan();
	struct tn_req r;

	(void)state;
	tn_req_init(&r, TN_OPEN, c, &owner);
	r.flags = TN_ORDWR | TN_OF_TRUNC;
	assert_int_equal(tn_submit(&r), TN_DONE);
	assert_int_equal(r.err, TN_OK);
	assert_int_equal(n_done, 0);
	assert_int_equal(c->flags & (TN_CF_OPEN | TN_OF_ACCESS | TN_OF_TRUNC),
	    TN_CF_OPEN | TN_ORDWR);
	tn_chan_put(c);
}

static void a_kept_request_is_answered_once_by_done(void **state)
{
	struct tn_chan *c = used_chan();
	struct tn_req r;

	(void)state;
	fake.how = KEEP;
	tn_req_init(&r, TN_READ, c, &owner);
	assert_int_equal(tn_submit(&r), TN_LATER);
	assert_true(tn_req_pending(&r));
	tn_fail(fake.kept, TN_EIO);
	tn_respond(fake.kept);
	assert_int_equal(n_done, 1);
	assert_false(tn_req_pending(&r));
	tn_flush(&r); /* what has finished is not flushed */
	assert_int_equal(fake.flushes, 0);
	fake.how = ANSWER;
	tn_chan_put(c);
}

static void answering_inside_the_operation_is_an_inline_answer(void **state)
{
	struct tn_chan *c = used_chan();
	struct tn_req r;

	(void)state;
	fake.how = KEEP_AND_ANSWER;
	tn_req_init(&r, TN_READ, c, &owner);
	assert_int_equal(tn_submit(&r), TN_DONE);
	assert_int_equal(n_done, 0);
	fake.how = ANSWER;
	tn_chan_put(c);
}

static void a_request_that_cannot_be_kept_fails(void **state)
{
	struct tn_chan *c = used_chan();
	struct tn_req r;

	(void)state;
	fake.how = KEEP;
	tn_req_init(&r, TN_READ, c, &poor_owner);
	assert_int_equal(tn_submit(&r), TN_DONE);
	assert_int_equal(r.err, TN_ENOMEM);
	fake.how = ANSWER;
	tn_chan_put(c);
}

static void a_flush_ends_a_kept_request_once(void **state)
{
	struct tn_chan *c = used_chan();
	struct tn_req r;

	(void)state;
	fake.how = KEEP;
	tn_req_init(&r, TN_READ, c, &owner);
	assert_int_equal(tn_submit(&r), TN_LATER);
	tn_flush(&r);
	tn_flush(&r);
	assert_int_equal(fake.flushes, 1);
	assert_int_equal(n_done, 1);
	assert_int_equal(r.err, TN_EINTR);
	fake.how = ANSWER;
	tn_chan_put(c);
}

static void the_last_put_clunks_from_the_loop(void **state)
{
	struct tn_chan *c = used_chan();

	(void)state;
	tn_chan_put(tn_chan_get(c));
	tn_loop_run(&loop);
	assert_int_equal(fake.clunks, 0);
	tn_chan_put(c);
	assert_int_equal(fake.clunks, 0); /* not from inside the put */
	tn_loop_run(&loop);
	assert_int_equal(fake.clunks, 1);
}

static void a_chan_that_represents_nothing_is_not_clunked(void **state)
{
	(void)state;
	tn_chan_put(tn_chan_new(&fake.s, NULL));
	tn_loop_run(&loop);
	assert_int_equal(fake.clunks, 0);
}

static void a_closer_waits_for_those_who_still_hold(void **state)
{
	struct tn_chan *c = tn_chan_get(used_chan());
	struct tn_req r;

	(void)state;
	tn_req_init(&r, TN_CLUNK, c, &owner);
	assert_int_equal(tn_chan_close(&r), TN_LATER);
	tn_loop_run(&loop);
	assert_int_equal(fake.clunks, 0);
	tn_chan_put(c);
	tn_loop_run(&loop);
	assert_int_equal(fake.clunks, 1);
	assert_int_equal(n_done, 1);
	assert_null(r.chan);
}

static void a_closer_that_is_the_last_is_answered_inline(void **state)
{
	struct tn_req r;

	(void)state;
	fake.how = FAIL;
	tn_req_init(&r, TN_CLUNK, used_chan(), &owner);
	assert_int_equal(tn_chan_close(&r), TN_DONE);
	assert_int_equal(fake.clunks, 1);
	assert_int_equal(r.err, TN_EPERM);
	fake.how = ANSWER;
}

static void words_travel_with_the_error(void **state)
{
	struct tn_chan *c = used_chan();
	struct tn_req r, to;

	(void)state;
	tn_req_init(&r, TN_READ, c, &owner);
	tn_req_init(&to, TN_READ, c, &owner);
	tn_fail_words(&r, TN_EIO, "head crash", 10);
	tn_req_take_error(&to, &r);
	assert_string_equal(tn_req_text(&to), "head crash");
	assert_string_equal(tn_req_text(&r), "i/o error");
	tn_fail_words(&to, TN_EIO, "i/o error", 9);
	assert_null(to.words); /* the table's own need no copy */
	tn_req_reset(&to);
	tn_chan_put(c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_inline_answer_calls_nobody),
		T(a_kept_request_is_answered_once_by_done),
		T(answering_inside_the_operation_is_an_inline_answer),
		T(a_request_that_cannot_be_kept_fails),
		T(a_flush_ends_a_kept_request_once),
		T(the_last_put_clunks_from_the_loop),
		T(a_chan_that_represents_nothing_is_not_clunked),
		T(a_closer_waits_for_those_who_still_hold),
		T(a_closer_that_is_the_last_is_answered_inline),
		T(words_travel_with_the_error),
	};

	return cmocka_run_group_tests_name("core/req", tests, NULL, NULL);
}
