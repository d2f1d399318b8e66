/*
 * conn's limits and its memory: each limit at its edge, what is pushed back and goes on, each allocation failing once,
 * and that the inline path allocates nothing.
 */
#include "link/conn_in.h"
#include "talk.h"

static void the_fids_are_counted(void **state)
{
	static const char limit[] = "Rerror 1 ";

	(void)state;
	start_session(&(struct tn_conn_limits){ .fids_max = 3 });
	ADD(t_walk(1, 0, 0x80000000u, ""));
	ADD(t_walk(1, 0, 1, ""));
	send_batch();
	assert_got("Rwalk 1, Rwalk 1");
	SAY(t_walk(1, 0, 2, ""));
	assert_memory_equal(got(), limit, sizeof(limit) - 1);
	assert_string_equal(answers + sizeof(limit) - 1, tn_err_text(TN_ELIMIT_FIDS));
	SAY(t_walk(1, 0, 0, "")); /* makes none */
	assert_got("Rwalk 1");
	SAY(t_fid(TN_TCLUNK, 1, 1));
	SAY(t_walk(1, 0, 2, ""));
	assert_got("Rclunk 1, Rwalk 1");
}

/* Beyond reqs_max nothing is taken but a Tflush, which must not wait for what it flushes. */
static void requests_beyond_the_limit_wait_unread_but_flushes_do_not(void **state)
{
	struct tn_conn_stats st;

	(void)state;
	start_session(&(struct tn_conn_limits){ .reqs_max = 2 });
	fake.late = 1u << TN_STAT;
	ADD(t_fid(TN_TSTAT, 1, 0));
	ADD(t_fid(TN_TSTAT, 2, 0));
	ADD(t_walk(3, 0, 5, ""));
	send_batch();
	assert_got("");
	tn_conn_stats(peer.conn, &st);
	assert_int_equal(st.reqs, 2);
	answer(0);
	assert_got("Rstat 1, Rwalk 3");
	ADD(t_fid(TN_TSTAT, 4, 0));
	ADD(t_walk(5, 0, 6, ""));
	ADD(t_flush(6, 2));
	ADD(t_flush(7, 4));
	send_batch();
	assert_got("Rwalk 5, Rflush 6, Rflush 7");
}

static void a_flush_is_found_behind_what_was_looked_through(void **state)
{
	(void)state;
	start_session(&(struct tn_conn_limits){ .reqs_max = 1 });
	fake.late = 1u << TN_STAT;
	ADD(t_fid(TN_TSTAT, 1, 0));
	for (uint16_t i = 0; i < 10; i++)
		ADD(t_walk(10u + i, 0, 0, ""));
	send_batch();
	answer(0);
	settle();
	got();
	SAY(t_fid(TN_TSTAT, 2, 0));
	SAY(t_flush(3, 2));
	assert_got("Rflush 3");
}

static void input_is_not_taken_when_the_buffer_of_a_full_conn_is_full(void **state)
{
	size_t taken, n;

	(void)state;
	start_session(&(struct tn_conn_limits){ .reqs_max = 1 });
	fake.late = 1u << TN_STAT;
	SAY(t_fid(TN_TSTAT, 1, 0));
	fake.late = 0;
	for (uint16_t i = 0; i < 2000; i++)
		ADD(t_fid(TN_TSTAT, i + 2u, 0));
	n = batch.len;
	taken = push(batch.bytes, n);
	assert_true(taken < n);
	assert_true(taken >= 8192); /* a whole buffer: a Tflush may be in it */
	answer(0);
	settle();
	assert_true(peer.is_ready);
	push_all(batch.bytes + taken, n - taken);
	settle();
	assert_int_equal(peer.n_got, (n / 11 + 1) * (7 + 2 + 53)); /* each was answered */
}

static void a_peer_that_does_not_read_is_not_read(void **state)
{
	enum { COUNT = 1000, OUT_MAX = 20000 };
	struct tn_vec vec[1000];
	size_t bytes = 0, pieces, taken, n;

	(void)state;
	start_session(&(struct tn_conn_limits){ .out_max = OUT_MAX });
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_OREAD));
	send_batch();
	got();
	peer.stuck = true;
	for (uint16_t i = 0; i < 2000; i++)
		ADD(t_read(i, 5, 0, COUNT));
	n = batch.len;
	taken = push(batch.bytes, n);
	assert_true(taken < n);
	assert_true(taken < (OUT_MAX / COUNT + 2) * 23 + 8192);
	pieces = tn_stream_output(peer.s, vec, 1000);
	for (size_t i = 0; i < pieces; i++)
		bytes += vec[i].len;
	assert_true(bytes > OUT_MAX);
	assert_true(bytes <= OUT_MAX + COUNT + 11);
	peer.stuck = false;
	for (size_t at = taken; at < n; at += taken) {
		settle();
		taken = push(batch.bytes + at, n - at);
		assert_true(taken > 0);
	}
	settle();
	assert_int_equal(peer.n_got, 2000 * (COUNT + 11));
	batch.len = 0;
	peer.n_got = 0;
}

static void kept_requests_have_a_limit_of_memory(void **state)
{
	unsigned n_ok = 0;

	(void)state;
	start_session(&(struct tn_conn_limits){ .memory_max = 200000 });
	ask_late_reads();
	settle();
	n_ok = fake.n_held;
	assert_true(n_ok >= 20 && n_ok < 25);
	for (struct tn_msg r; next_msg(&r);) {
		assert_int_equal(r.type, TN_RERROR);
		assert_int_equal(r.ename.len, strlen(tn_err_text(TN_ELIMIT_MEMORY)));
		assert_memory_equal(r.ename.s, tn_err_text(TN_ELIMIT_MEMORY), r.ename.len);
		n_ok++;
	}
	assert_int_equal(n_ok, 40);
	while (fake.n_held > 0)
		answer(0);
	settle();
	for (struct tn_msg r; next_msg(&r);)
		assert_int_equal(r.type, TN_RREAD);
	fake.late = 0;
	SAY(t_read(1, 5, 0, 8000));
	assert_got("Rread 1");
}

/* ---- memory that fails ---- */

static size_t fail_above = SIZE_MAX; /* bytes: a larger allocation fails */
static long fail_at = -1, n_allocs;

static bool alloc_hook(size_t size)
{
	n_allocs++;
	return size <= fail_above && n_allocs - 1 != fail_at;
}

static uint64_t test_now = 1000000000;

static uint64_t now(void)
{
	return test_now;
}

/* There is no memory for the frame: it is answered, and those behind it are served. */
static void a_frame_without_memory_is_answered_by_an_error(void **state)
{
	static char text[5000];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	tn_alloc_hook = alloc_hook;
	fail_above = 2000; /* enough for a conn, not for a piece that it could be lent */
	start_session(NULL);
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_OWRITE));
	send_batch();
	got();
	ADD(t_write(3, 5, 0, text));
	ADD(t_fid(TN_TSTAT, 4, 0));
	send_batch();
	assert_got("Rerror 3 out of memory, Rstat 4");
	fail_above = SIZE_MAX;
	ADD(t_write(3, 5, 0, text));
	ADD(t_fid(TN_TSTAT, 4, 0));
	send_batch();
	assert_got("Rwrite 3, Rstat 4");
}

/* What the server answers while the peer does not read and there is no memory is sent later, in order. */
static void answers_without_memory_wait(void **state)
{
	enum { COUNT = 60 };

	(void)state;
	start_session(NULL);
	fake.late = 1u << TN_WALK;
	peer.stuck = true;
	for (uint16_t i = 0; i < COUNT; i++)
		ADD(t_walk(i, 0, 100u + i, "d d d d d d d d d d d d d d d d"));
	ADD(t_flush(1000, COUNT - 1));
	fake.on_flush = FLUSH_IGNORED;
	send_batch();
	tn_alloc_hook = alloc_hook;
	fail_above = 0;
	while (fake.n_held > 0)
		answer(0);
	settle();
	ADD(t_fid(TN_TSTAT, 999, 0));
	assert_int_equal(push(batch.bytes, batch.len), 0);
	peer.stuck = false;
	settle();
	send_batch();
	for (uint16_t i = 0; i < COUNT; i++) {
		struct tn_msg r;

		assert_true(next_msg(&r));
		assert_int_equal(r.type, TN_RWALK);
		assert_int_equal(r.tag, i);
	}
	assert_got("Rflush 1000, Rstat 999");
	fail_above = SIZE_MAX;
}

/* Rstat finds no room: the error is short. */
static void stat_without_memory(int late)
{
	tn_alloc_hook = alloc_hook;
	fail_above = 2000;
	SAY(t_fid(TN_TSTAT, 1, 0));
	if (late)
		answer(0);
	assert_string_equal(got(),
	    late ? "Rerror 1 out of memory" : "Rstat 1"); /* there is room still */
	tn_alloc_hook = NULL;
	fail_above = SIZE_MAX;
}

static void a_stat_may_be_long(void **state)
{
	static const uint32_t lengths[] = { 400, 450, 600, 4000, 8192 - 9 - 49, 8192 - 9 - 48,
		65535 - 47, 65535 };

	(void)state;
	start_session(NULL);
	for (int late = 0; late < 2; late++) {
		fake.late = late ? 1u << TN_STAT : 0;
		for (size_t i = 0; i < TN_COUNT(lengths); i++) {
			struct tn_msg r;

			fake.name_len = lengths[i];
			SAY(t_fid(TN_TSTAT, 1, 0));
			if (late)
				answer(0);
			settle();
			assert_true(next_msg(&r));
			assert_int_equal(r.type, i < 5 ? TN_RSTAT : TN_RERROR);
			if (i < 5)
				assert_int_equal(r.stat.name.len, lengths[i]);
		}
		fake.name_len = 6000;
		stat_without_memory(late);
	}
}

static void script(void)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("new") };

	ADD(t_version(8192, "9P2000"));
	ADD(t_attach(1, 0, TN_NOFID));
	ADD(t_walk(2, 0, 5, "d d"));
	ADD(t_create(3, 5, "new", 0644, TN_ORDWR));
	ADD(t_write(4, 5, 0, "hello"));
	ADD(t_read(5, 5, 0, 8000));
	ADD(t_wstat(6, 5, st));
	ADD(t_fid(TN_TSTAT, 7, 5));
	ADD(t_flush(8, 7));
	ADD(t_walk(9, 0, 100000, "d"));
	ADD(t_open(10, 100000, TN_OREAD));
	ADD(t_read(11, 100000, 0, 2000));
	ADD(t_walk(12, 0, 100000, ""));
	ADD(t_fid(TN_TREMOVE, 13, 5));
	ADD(t_fid(TN_TCLUNK, 14, 100000));
	ADD(t_flush(15, 14));
	for (uint32_t i = 0; i < 40; i++)
		ADD(t_walk(16, 0, 20 + i * 3, ""));
}

static void add_u(struct tn_msg m, uint16_t tag, uint32_t perm, const char *extension)
{
	m.tag = tag;
	m.perm = perm;
	m.extension = (struct tn_str){ extension, (uint32_t)strlen(extension) };
	ADD(m);
}

static void script_u(void)
{
	struct tn_msg m = t_create(3, 5, "l", 0, TN_OREAD);

	ADD(t_version(8192, "9P2000.u"));
	ADD(t_attach(1, 0, TN_NOFID));
	ADD(t_walk(2, 0, 5, "d"));
	add_u(m, 3, TN_DMSYMLINK, "to");
	ADD(t_fid(TN_TSTAT, 4, 5));
	ADD(t_fid(TN_TCLUNK, 5, 5));
	ADD(t_walk(6, 0, 5, "d"));
	ADD(t_walk(8, 0, 100000, "f"));
	add_u(m, 9, TN_DMLINK, "100000");
	ADD(t_fid(TN_TCLUNK, 10, 5));
	ADD(t_walk(11, 0, 5, "d"));
	add_u(m, 12, TN_DMDEVICE | 0600, "b 8 0");
	ADD(t_fid(TN_TREMOVE, 13, 5));
}

/* A message of .L; the name is short, so that all fit. */
static void add_l(uint8_t type, uint16_t tag, uint32_t fid, uint32_t newfid, uint32_t perm)
{
	struct tn_msg m = { .type = type, .tag = tag, .fid = fid, .newfid = newfid, .perm = perm };

	m.name = TN_STR("f");
	m.newname = m.target = m.client_id = TN_STR("g");
	m.length = type == TN_TXATTRCREATE ? 5 : 0;
	m.valid = type == TN_TSETATTR ? 1 : 0;
	m.flags = type == TN_TLCREATE ? 0102 : 0;
	m.count = 1000;
	ADD(m);
}

static void script_l(void)
{
	fake.value = (const uint8_t *)"value of it";
	fake.value_len = 5;
	fake.grown_len = 11;
	ADD(t_version(8192, tn_dialect_name(peer.dialect)));
	ADD(t_attach(1, 0, TN_NOFID));
	ADD(t_walk(2, 0, 5, "d d"));
	add_l(TN_TMKDIR, 3, 5, 0, 0755);
	add_l(TN_TSYMLINK, 4, 5, 0, 0);
	add_l(TN_TMKNOD, 5, 5, 0, 0010644);
	add_l(TN_TLINK, 6, 5, 0, 0);
	add_l(TN_TRENAMEAT, 8, 5, 5, 0);
	add_l(TN_TUNLINKAT, 9, 5, 0, 0);
	add_l(TN_TGETATTR, 10, 5, 0, 0);
	add_l(TN_TSETATTR, 11, 5, 0, 0700);
	add_l(TN_TSTATFS, 12, 5, 0, 0);
	add_l(TN_TXATTRWALK, 13, 5, 100000, 0);
	ADD(t_read(15, 100000, 0, 5000));
	ADD(t_fid(TN_TCLUNK, 16, 100000));
	ADD(t_walk(17, 0, 100000, "l"));
	add_l(TN_TREADLINK, 18, 100000, 0, 0);
	add_l(TN_TXATTRCREATE, 19, 100000, 0, 0);
	ADD(t_write(20, 100000, 0, "hello"));
	ADD(t_fid(TN_TCLUNK, 21, 100000));
	fake.is_there = true;
	add_l(TN_TLCREATE, 22, 5, 0, 0644);
	add_l(TN_TLOCK, 23, 5, 0, 0);
	add_l(TN_TGETLOCK, 24, 5, 0, 0);
	add_l(TN_TFSYNC, 25, 5, 0, 0);
	ADD(t_walk(26, 0, 6, "d"));
	add_l(TN_TLOPEN, 27, 6, 0, 0);
	add_l(TN_TREADDIR, 28, 6, 0, 0);
	ADD(t_fid(TN_TREMOVE, 29, 5));
}

/* And what 9P2000.L.tenon adds. */
static void script_tenon(void)
{
	script_l();
	ADD(t_walk(30, 0, 7, "f"));
	ADD((struct tn_msg){ .type = TN_TLOPEN, .tag = 31, .fid = 7, .flags = TN_ORDWR });
	ADD((struct tn_msg){ .type = TN_TALLOCATE, .tag = 32, .fid = 7, .length = 1 });
	ADD((struct tn_msg){ .type = TN_TSEEK, .tag = 33, .fid = 7, .flags = 3 });
	ADD((struct tn_msg){ .type = TN_TCOPY, .tag = 34, .fid = 7, .newfid = 7, .length = 1 });
	add_l(TN_TRENAMEAT2, 35, 0, 0, 0);
}

static void play(void (*say_all)(void))
{
	say_all();
	push_all(batch.bytes, batch.len);
	batch.len = 0;
	for (int i = 0; i < 200; i++) {
		settle();
		if (fake.n_held > 0)
			answer(0);
	}
}

/* What is said; all tags up to `tags` but 7 and 14, which are flushed, if at all. */
static const struct {
	enum tn_dialect dialect;
	void (*script)(void);
	unsigned tags, walks; /* of tag 16 */
} scripts[] = {
	{ TN_9P2000, script, 16, 40 },
	{ TN_9P2000_U, script_u, 14, 0 },
	{ TN_9P2000_L, script_l, 30, 1 },
	{ TN_9P2000_TENON, script_tenon, 36, 1 },
};

/* Whatever fails: every message has one answer, and nothing is left behind. */
static void each_allocation_may_fail(void **state)
{
	(void)state;
	tn_now_hook = now;
	tn_alloc_hook = alloc_hook;
	for (uint32_t run = 0; run < 2 * TN_COUNT(scripts); run++) {
		uint32_t i = run / 2;
		long n = 0; /* of the run without a failure, which has most */

		fail_at = -1;
		do {
			unsigned tags[40] = { 0 };
			long at = fail_at;

			fail_at = -1;
			start(NULL);
			peer.dialect = scripts[i].dialect;
			n_allocs = 0;
			fail_at = at;
			fake.late = run % 2 ? UINT32_MAX : 0;
			play(scripts[i].script);
			n = n_allocs > n ? n_allocs : n;
			for (struct tn_msg r; next_msg(&r);)
				tags[r.tag == TN_NOTAG ? 0 : r.tag]++;
			for (unsigned tag = 0; tag < scripts[i].tags; tag++)
				if (tag != 7 && tag != 14 && tag != 16)
					assert_int_equal(tags[tag], 1);
			assert_int_equal(tags[16], scripts[i].walks);
			fail_at = -1;
			test_now += 1000000000; /* what found no memory to be clunked is */
			tn_loop_run(&loop);
			hang_up();
			fail_at = at + 1;
		} while (fail_at < n);
		print_message("%s: %ld allocations\n", tn_dialect_name(scripts[i].dialect), n);
	}
	fail_at = -1;
}

/* The same of 9P2000.L. */
static void the_inline_path_of_dot_l_allocates_nothing(void **state)
{
	(void)state;
	start_dialect(NULL, TN_9P2000_L);
	ADD(t_walk(1, 0, 5, "f"));
	add_l(TN_TLOPEN, 2, 5, 0, 0);
	ADD(t_walk(3, 0, 8, "f"));
	add_l(TN_TXATTRCREATE, 4, 8, 0, 0);
	send_batch();
	tn_alloc_hook = alloc_hook;
	for (int i = 0; i < 2000; i++) {
		if (i == 10)
			n_allocs = 0;
		ADD(t_read(1, 5, 0, 500));
		ADD(t_write(2, 8, 0, "hello"));
		add_l(TN_TGETATTR, 3, 5, 0, 0);
		add_l(TN_TSETATTR, 4, 5, 0, 0);
		ADD(t_walk(5, 0, 6, "d d d"));
		add_l(TN_TMKDIR, 6, 6, 0, 0755);
		add_l(TN_TUNLINKAT, 7, 6, 0, 0);
		add_l(TN_TRENAMEAT, 8, 6, 0, 0);
		add_l(TN_TLOPEN, 9, 6, 0, 0);
		add_l(TN_TREADDIR, 10, 6, 0, 0);
		add_l(TN_TLOCK, 11, 5, 0, 0);
		ADD(t_fid(TN_TCLUNK, 12, 6));
		send_batch();
		fake.history[0] = '\0';
		if (i >= 10)
			assert_int_equal(n_allocs, 0);
		if (i == 0)
			assert_got(
			    "Rwalk 1, Rlopen 2, Rwalk 3, Rxattrcreate 4, Rread 1, Rwrite 2, Rgetattr 3, Rsetattr 4, Rwalk 5, Rmkdir 6, "
			    "Runlinkat 7, Rrenameat 8, Rlopen 9, Rreaddir 10, Rlock 11, Rclunk 12");
		peer.n_got = 0;
	}
}

static void the_inline_path_allocates_nothing(void **state)
{
	enum { ROUNDS = 10000 };

	(void)state;
	start_session(NULL);
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_ORDWR));
	send_batch();
	tn_alloc_hook = alloc_hook;
	for (int i = 0; i < ROUNDS + 10; i++) {
		if (i == 10)
			n_allocs = 0; /* buffers have found their size */
		ADD(t_read(1, 5, 0, 500));
		ADD(t_write(2, 5, 0, "hello"));
		ADD(t_fid(TN_TSTAT, 3, 5));
		ADD(t_walk(4, 0, 6, "d d d"));
		ADD(t_open(5, 6, TN_OREAD));
		ADD(t_read(6, 6, 0, 1000));
		ADD(t_fid(TN_TCLUNK, 7, 6));
		ADD(t_walk(8, 0, 6, "d x"));
		ADD(t_fid(TN_TCLUNK, 9, 77));
		ADD(t_flush(10, 1));
		send_batch();
		fake.history[0] = '\0';
		if (i >= 10)
			assert_int_equal(n_allocs, 0);
		if (i == 0)
			assert_got(
			    "Rwalk 1, Ropen 2, Rread 1, Rwrite 2, Rstat 3, Rwalk 4, Ropen 5, Rread 6, Rclunk 7, "
			    "Rwalk 8, Rerror 9 fid unknown or out of range, Rflush 10");
		peer.n_got = 0;
	}
}

/* ---- idle ---- */

static size_t n_bytes;

/* What conns lend each other is not one's own. */
static bool count_own(size_t size)
{
	if (size != sizeof(struct tn_conns) && size != sizeof(struct tn_call) &&
	    size != sizeof(struct tn_piece) + TN_PIECE_LENT)
		n_bytes += size;
	return true;
}

static void an_idle_conn_costs_less_than_2_kib(void **state)
{
	(void)state;
	tn_alloc_hook = count_own;
	n_bytes = 0;
	start_session(NULL);
	print_message("%zu bytes\n", n_bytes);
	assert_true(n_bytes < 2048);
	assert_null(peer.conn->in_piece);
	assert_int_equal(peer.conn->budget.used, TN_FID_BYTES);
}

static void what_an_idle_conn_does_not_need_is_given_back(void **state)
{
	const struct tn_conn *conn;
	uint64_t busy;

	(void)state;
	tn_now_hook = now;
	start_session(NULL);
	conn = peer.conn;
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_ORDWR));
	send_batch();
	got();
	peer.stuck = true;
	for (uint16_t i = 0; i < 20; i++)
		SAY(t_read(i, 5, 0, 8000));
	peer.stuck = false;
	settle();
	busy = conn->budget.used;
	assert_true(busy > 20000); /* it is there still */
	for (int i = 0; i < 5; i++) {
		test_now += 1000000000;
		tn_loop_run(&loop);
	}
	assert_int_equal(tn_loop_next_ns(&loop), UINT64_MAX); /* nothing ticks any more */
	assert_int_equal(conn->budget.used, 2 * TN_FID_BYTES);
	assert_int_equal(conn->all->store.used, 2 * TN_FID_BYTES);
	peer.n_got = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE(the_fids_are_counted),
		BARE(requests_beyond_the_limit_wait_unread_but_flushes_do_not),
		BARE(a_flush_is_found_behind_what_was_looked_through),
		BARE(input_is_not_taken_when_the_buffer_of_a_full_conn_is_full),
		BARE(a_peer_that_does_not_read_is_not_read),
		BARE(kept_requests_have_a_limit_of_memory),
		BARE(a_frame_without_memory_is_answered_by_an_error),
		BARE(answers_without_memory_wait),
		BARE(a_stat_may_be_long),
		BARE(each_allocation_may_fail),
		BARE(the_inline_path_allocates_nothing),
		BARE(the_inline_path_of_dot_l_allocates_nothing),
		BARE(an_idle_conn_costs_less_than_2_kib),
		BARE(what_an_idle_conn_does_not_need_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
