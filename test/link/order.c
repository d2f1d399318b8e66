/*
 * The order of requests on a fid: what depends on each other and was sent at once works as if sent one by one, however
 * late and in whatever order the server answers; what does not depend goes on. And flush(5), in all its cases.
 */
#include "talk.h"

#define EVERYTHING 0xffffu

/* Answers everything that is held and comes to be held, the last first or the first first. */
static void answer_all(bool last_first)
{
	for (int i = 0; i < 1000; i++) {
		settle();
		if (fake.n_held == 0)
			return;
		answer(last_first ? fake.n_held - 1 : 0);
	}
	fail_msg("there is no end of requests");
}

static void walk_open_read_clunk_in_one_write(void **state)
{
	(void)state;
	for (uint32_t late = 0; late < 1u << 7; late++) {
		/* each subset of the types that are used */
		static const uint8_t types[] = { TN_WALK, TN_OPEN, TN_READ, TN_CLUNK, TN_CREATE,
			TN_WRITE, TN_REMOVE };

		fake.late = 0;
		for (unsigned i = 0; i < 7; i++)
			if (late & 1u << i)
				fake.late |= 1u << types[i];
		ADD(t_walk(1, 0, 5, "f"));
		ADD(t_open(2, 5, TN_OREAD));
		ADD(t_read(3, 5, 0, 10));
		ADD(t_fid(TN_TCLUNK, 4, 5));
		ADD(t_walk(5, 0, 5, "d"));
		ADD(t_create(6, 5, "new", 0644, TN_ORDWR));
		ADD(t_write(7, 5, 0, "abc"));
		ADD(t_fid(TN_TREMOVE, 8, 5));
		send_batch();
		answer_all(false);
		assert_got(
		    "Rwalk 1, Ropen 2, Rread 3, Rclunk 4, Rwalk 5, Rcreate 6, Rwrite 7, Rremove 8");
		assert_history("walk open read clunk walk create write remove clunk");
	}
}

static void a_failed_walk_fails_those_behind_it(void **state)
{
	(void)state;
	fake.late = EVERYTHING;
	ADD(t_walk(1, 0, 5, "x"));
	ADD(t_open(2, 5, TN_OREAD));
	ADD(t_read(3, 5, 0, 10));
	ADD(t_fid(TN_TCLUNK, 4, 5));
	send_batch();
	assert_int_equal(fake.n_held, 1);
	answer_all(false);
	assert_got("Rerror 1 file does not exist, Rerror 2 fid unknown or out of range, "
		   "Rerror 3 fid unknown or out of range, Rerror 4 fid unknown or out of range");
	assert_history("walk");
}

/* A walk waits in the lines of both its fids: of the one that is being made, and of its own newfid. */
static void walks_of_walks_wait_for_each_other(void **state)
{
	(void)state;
	fake.late = EVERYTHING;
	ADD(t_walk(1, 0, 5, "d"));
	ADD(t_walk(2, 5, 6, "d"));
	ADD(t_walk(3, 6, 7, "d"));
	ADD(t_walk(4, 5, 6, "f")); /* in use by then */
	ADD(t_fid(TN_TCLUNK, 5, 6));
	ADD(t_walk(6, 7, 6, "f"));
	ADD(t_fid(TN_TSTAT, 7, 6));
	send_batch();
	answer_all(false);
	assert_got(
	    "Rwalk 1, Rwalk 2, Rerror 4 fid already in use, Rwalk 3, Rclunk 5, Rwalk 6, Rstat 7");
}

static void what_does_not_depend_goes_on(void **state)
{
	(void)state;
	fake.late = 1u << TN_OPEN;
	ASK(t_walk(1, 0, 5, "f"));
	SAY(t_open(2, 5, TN_OREAD));
	ADD(t_fid(TN_TSTAT, 3, 5)); /* behind the open */
	ADD(t_fid(TN_TSTAT, 4, 0));
	ADD(t_walk(5, 0, 6, "f"));
	send_batch();
	assert_got("Rstat 4, Rwalk 5");
	answer(0);
	assert_got("Ropen 2, Rstat 3");
}

static void reads_and_writes_are_outstanding_together(void **state)
{
	(void)state;
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_ORDWR));
	send_batch();
	assert_got("Rwalk 1, Ropen 2");
	fake.late = 1u << TN_READ | 1u << TN_WRITE;
	for (uint16_t i = 0; i < 20; i++)
		ADD(t_read(10u + i, 5, i, 1));
	ADD(t_write(50, 5, 0, "abc"));
	ADD(t_fid(TN_TSTAT, 51, 5));  /* not held up */
	ADD(t_open(52, 5, TN_OREAD)); /* fails, so neither */
	send_batch();
	assert_got("Rstat 51, Rerror 52 file already open for I/O");
	assert_int_equal(fake.n_held, 21);
	answer(7);
	answer(0);
	assert_got("Rread 17, Rread 10");
	answer_all(true);
	assert_memory_equal(got(), "Rwrite 50, Rread 29", 19);
}

static void a_kept_read_has_its_own_data(void **state)
{
	struct tn_msg r;

	(void)state;
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_ORDWR));
	send_batch();
	got();
	fake.late = 1u << TN_READ;
	ADD(t_read(1, 5, 16, 8000));
	ADD(t_read(2, 5, 32, 4));
	send_batch();
	fake.late = 0;
	ASK(t_read(3, 5, 0, 100)); /* the out buffer is used anew */
	answer(1);
	answer(0);
	settle();
	assert_true(next_msg(&r));
	assert_int_equal(r.tag, 2);
	assert_int_equal(r.count, 4);
	assert_memory_equal(r.data, "\x20\x21\x22\x23", 4);
	assert_true(next_msg(&r));
	assert_int_equal(r.tag, 1);
	assert_int_equal(r.count, 984);
	assert_memory_equal(r.data, "\x10\x11\x12\x13", 4);
}

/* Data and names stay where they are until the answer: the in buffer is used anew meanwhile. */
static void kept_requests_keep_their_names_data_and_qids(void **state)
{
	(void)state;
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_ORDWR));
	ADD(t_walk(3, 0, 7, "d"));
	send_batch();
	got();
	fake.late = 1u << TN_WRITE | 1u << TN_WALK | 1u << TN_CREATE | 1u << TN_ATTACH;
	SAY(t_write(1, 5, 3, "hello"));
	SAY(t_walk(2, 0, 6, "d dd ddd"));
	SAY(t_create(3, 7, "created", 0644, TN_OREAD));
	SAY(t_attach(4, 9, TN_NOFID));
	for (int i = 0; i < 10; i++)
		SAY(t_fid(TN_TSTAT, 99, 0));
	assert_int_equal(fake.held[0]->u.io.count, 5);
	assert_memory_equal(fake.held[0]->u.io.data, "hello", 5);
	assert_memory_equal(fake.held[1]->u.walk.names[2].s, "ddd", 3);
	assert_int_equal(fake.held[1]->u.walk.qids[0].path, qid_of_name(TN_STR("d")).path);
	assert_memory_equal(fake.held[2]->u.create.name.s, "created", 7);
	assert_memory_equal(fake.held[3]->u.attach.uname.s, "glenda", 6);
	got();
	answer_all(true);
	assert_got("Rattach 4, Rcreate 3, Rwalk 2, Rwrite 1");
}

static void directories_are_read_one_after_the_other(void **state)
{
	(void)state;
	ADD(t_walk(1, 0, 5, "d"));
	ADD(t_open(2, 5, TN_OREAD));
	send_batch();
	got();
	fake.late = 1u << TN_READDIR;
	ADD(t_read(1, 5, 0, 106)); /* two entries of 53 bytes */
	ADD(t_read(2, 5, 106, 53));
	ADD(t_read(3, 5, 159, 53));
	ADD(t_read(4, 5, 1, 53));
	send_batch();
	assert_int_equal(fake.n_held, 1);
	answer_all(false);
	assert_got("Rread 1, Rread 2, Rread 3, Rerror 4 bad offset in directory read");
}

static uint64_t test_now;

static uint64_t now(void)
{
	return test_now;
}

static void pass_time(uint64_t ns)
{
	for (uint64_t i = 0; i < 10; i++) {
		test_now += ns / 10;
		tn_loop_run(&loop);
		settle();
	}
}

static void read_pending(void)
{
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_ORDWR));
	send_batch();
	got();
	fake.late = 1u << TN_READ;
	SAY(t_read(3, 5, 0, 10));
	fake.history[0] = '\0';
}

/* The peer may have sent the clunk right behind the read, and wants the data; or it has given the fid up. */
static void a_clunk_waits_for_reads_but_not_for_ever(void **state)
{
	static const uint8_t types[] = { TN_TCLUNK, TN_TREMOVE };

	(void)state;
	test_now = 1000000000;
	tn_now_hook = now;
	start_session(NULL);
	for (size_t i = 0; i < TN_COUNT(types); i++) {
		fake.late = 0;
		read_pending();
		pass_time(900000000); /* a tick comes before its time is up */
		ADD(t_fid(types[i], 4, 5));
		ADD(t_fid(TN_TSTAT, 5, 5)); /* the fid is gone for all that come later */
		ADD(t_fid(TN_TSTAT, 6, 0));
		send_batch();
		assert_got("Rstat 6");
		pass_time(400000000);
		assert_got("");
		pass_time(2000000000);
		assert_string_equal(got(),
		    i == 0
			? "Rerror 3 interrupted, Rclunk 4, Rerror 5 fid unknown or out of range"
			: "Rerror 3 interrupted, Rremove 4, Rerror 5 fid unknown or out of range");
		fake.history[0] = '\0';

		fake.late = 0;
		read_pending();
		SAY(t_fid(types[i], 4, 5));
		pass_time(400000000);
		answer(0);
		assert_string_equal(got(), i == 0 ? "Rread 3, Rclunk 4" : "Rread 3, Rremove 4");
	}
}

/* ---- flush(5) ---- */

static void a_flush_of_nothing_is_answered(void **state)
{
	(void)state;
	SAY(t_flush(1, 99));
	assert_got("Rflush 1");
	SAY(t_flush(1, 1)); /* itself */
	assert_got("Rflush 1");
	SAY(t_flush(1, TN_NOTAG));
	assert_got("Rflush 1");
	ADD(t_fid(TN_TSTAT, 1, 0));
	ADD(t_flush(2, 1)); /* answered already */
	send_batch();
	assert_got("Rstat 1, Rflush 2");
}

static const struct {
	enum on_flush how;
	const char *want, *late; /* at once; when the server answers after all */
} flushes[] = {
	{ FLUSH_ENDS, "Rflush 4", "" },
	{ FLUSH_ANSWERS, "Rread 3, Rflush 4", "" },
	{ FLUSH_IGNORED, "", "Rread 3, Rflush 4" },
};

static void a_flushed_request_is_answered_before_or_never(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(flushes); i++) {
		fake.late = 0;
		fake.on_flush = flushes[i].how;
		read_pending();
		SAY(t_flush(4, 3));
		assert_got(flushes[i].want);
		if (fake.n_held > 0)
			answer(0);
		assert_got(flushes[i].late);
		SAY(t_read(3, 5, 0, 10)); /* the tag is free */
		answer(0);
		assert_got("Rread 3");
		ASK(t_fid(TN_TCLUNK, 1, 5));
	}
}

static void several_flushes_of_one_are_answered_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(flushes); i++) {
		fake.late = 0;
		fake.on_flush = flushes[i].how;
		read_pending();
		for (uint16_t tag = 10; tag < 15; tag++)
			ADD(t_flush(tag, 3));
		send_batch();
		if (fake.n_held > 0)
			answer(0);
		assert_string_equal(got(),
		    flushes[i].how == FLUSH_ENDS
			? "Rflush 10, Rflush 11, Rflush 12, Rflush 13, Rflush 14"
			: "Rread 3, Rflush 10, Rflush 11, Rflush 12, Rflush 13, Rflush 14");
		ASK(t_fid(TN_TCLUNK, 1, 5));
	}
}

static void a_flush_of_a_flush_is_answered_behind_it(void **state)
{
	(void)state;
	fake.on_flush = FLUSH_IGNORED;
	read_pending();
	ADD(t_flush(10, 3));
	ADD(t_flush(11, 10));
	ADD(t_flush(12, 11));
	ADD(t_flush(13, 3));
	send_batch();
	assert_got("");
	SAY(t_fid(TN_TSTAT, 10, 0));
	assert_got("Rerror 10 tag already in use");
	answer(0);
	assert_got("Rread 3, Rflush 10, Rflush 11, Rflush 12, Rflush 13");
}

static void what_waits_in_line_is_flushed_without_a_trace(void **state)
{
	struct tn_conn_stats st;
	(void)state;
	fake.late = 1u << TN_WALK;
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_OREAD));
	ADD(t_read(3, 5, 0, 10));
	ADD(t_walk(4, 5, 6, ""));
	send_batch();
	SAY(t_flush(9, 2));
	assert_got("Rflush 9");
	SAY(t_flush(9, 4));
	assert_got("Rflush 9");
	tn_conn_stats(peer.conn, &st);
	assert_int_equal(st.fids, 2); /* 0 and 5; nobody waits to make 6 */
	answer(0);
	assert_got("Rwalk 1, Rerror 3 file is not open");
	assert_history("walk");
	SAY(t_fid(TN_TSTAT, 1, 6));
	assert_got("Rerror 1 fid unknown or out of range");
}

static void a_flush_that_frees_a_line_lets_the_next_go(void **state)
{
	(void)state;
	fake.late = 1u << TN_OPEN;
	ASK(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_OREAD));
	ADD(t_fid(TN_TSTAT, 3, 5));
	ADD(t_open(4, 5, TN_ORDWR));
	send_batch();
	assert_got("");
	SAY(t_flush(9, 2));
	assert_got("Rflush 9, Rstat 3");
	answer(0);
	assert_got("Ropen 4");
}

/* What was answered happened: a walk that succeeds though it was flushed has made its fid, and says so. */
static void a_flushed_walk_that_succeeds_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(flushes); i++) {
		fake.late = 1u << TN_WALK;
		fake.on_flush = flushes[i].how;
		SAY(t_walk(3, 0, 5, "f"));
		SAY(t_flush(4, 3));
		if (fake.n_held > 0)
			answer(0);
		assert_string_equal(got(), i == 0 ? "Rflush 4" : "Rwalk 3, Rflush 4");
		fake.late = 0;
		SAY(t_fid(TN_TCLUNK, 1, 5));
		assert_string_equal(got(),
		    i == 0 ? "Rerror 1 fid unknown or out of range" : "Rclunk 1");
		assert_int_equal(fake.n_chans, 1);
	}
}

static void a_clunk_cannot_be_flushed_but_its_flush_is_answered(void **state)
{
	(void)state;
	ASK(t_walk(1, 0, 5, "f"));
	fake.late = 1u << TN_CLUNK;
	SAY(t_fid(TN_TCLUNK, 3, 5));
	SAY(t_flush(4, 3));
	assert_got("");
	answer(0);
	assert_got("Rclunk 3, Rflush 4");
}

/* The server answers one request from inside another: the answer may not get into the midst of the other's. */
static struct tn_req *to_answer;

static enum tn_status answer_inside(struct tn_req *r)
{
	to_answer->u.io.count = 3;
	memcpy(to_answer->u.io.data, "abc", 3);
	tn_respond(to_answer);
	memset(r->u.io.data, 'z', r->u.io.count);
	return TN_DONE;
}

static void an_answer_may_come_from_inside_another_request(void **state)
{
	struct tn_ops ops = fake_ops;
	struct tn_msg r;

	(void)state;
	read_pending();
	to_answer = held_take(0);
	ops.op[TN_READ] = answer_inside;
	fake.s.ops = &ops;
	ADD(t_read(4, 5, 0, 100));
	send_batch();
	fake.s.ops = &fake_ops;
	settle();
	assert_true(next_msg(&r));
	assert_int_equal(r.tag, 4);
	assert_int_equal(r.count, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(r.data[i], 'z');
	assert_true(next_msg(&r));
	assert_int_equal(r.tag, 3);
	assert_int_equal(r.count, 3);
	assert_memory_equal(r.data, "abc", 3);
}

/* A server may keep a request and then answer it all the same. */
static enum tn_status keep_and_answer(struct tn_req *r)
{
	assert_true(tn_keep(r));
	fake_do(r);
	return TN_DONE;
}

static enum tn_status keep_and_respond(struct tn_req *r)
{
	assert_true(tn_keep(r));
	fake_do(r);
	tn_respond(r);
	return TN_LATER;
}

static void a_kept_request_may_be_answered_at_once(void **state)
{
	struct tn_ops ops = fake_ops;

	(void)state;
	for (int i = 0; i < 2; i++) {
		for (int type = 0; type < TN_FLUSH; type++)
			ops.op[type] = i ? keep_and_respond : keep_and_answer;
		fake.s.ops = &ops;
		ADD(t_attach(1, 4, TN_NOFID));
		ADD(t_walk(2, 4, 5, "d d"));
		ADD(t_create(3, 5, "new", 0644, TN_ORDWR));
		ADD(t_write(4, 5, 0, "abc"));
		ADD(t_read(5, 5, 0, 10));
		ADD(t_fid(TN_TSTAT, 6, 5));
		ADD(t_fid(TN_TREMOVE, 7, 5));
		ADD(t_open(8, 4, TN_OREAD));
		ADD(t_read(9, 4, 0, 1000));
		ADD(t_fid(TN_TCLUNK, 10, 4));
		send_batch();
		fake.s.ops = &fake_ops;
		assert_got(
		    "Rattach 1, Rwalk 2, Rcreate 3, Rwrite 4, Rread 5, Rstat 6, Rremove 7, Ropen 8, Rread 9, "
		    "Rclunk 10");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION(walk_open_read_clunk_in_one_write),
		SESSION(a_failed_walk_fails_those_behind_it),
		SESSION(walks_of_walks_wait_for_each_other),
		SESSION(what_does_not_depend_goes_on),
		SESSION(reads_and_writes_are_outstanding_together),
		SESSION(a_kept_read_has_its_own_data),
		SESSION(kept_requests_keep_their_names_data_and_qids),
		SESSION(directories_are_read_one_after_the_other),
		BARE(a_clunk_waits_for_reads_but_not_for_ever),
		SESSION(a_flush_of_nothing_is_answered),
		SESSION(a_flushed_request_is_answered_before_or_never),
		SESSION(several_flushes_of_one_are_answered_in_order),
		SESSION(a_flush_of_a_flush_is_answered_behind_it),
		SESSION(what_waits_in_line_is_flushed_without_a_trace),
		SESSION(a_flush_that_frees_a_line_lets_the_next_go),
		SESSION(a_flushed_walk_that_succeeds_says_so),
		SESSION(a_clunk_cannot_be_flushed_but_its_flush_is_answered),
		SESSION(an_answer_may_come_from_inside_another_request),
		SESSION(a_kept_request_may_be_answered_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
