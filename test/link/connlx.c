/*
 * conn in 9P2000.L: extended attributes at fids, and locks.
 */
#include "talk.h"

static int setup_l(void **state)
{
	(void)state;
	start_dialect(NULL, TN_9P2000_L);
	ASK(t_walk(1, 0, 5, "f"));
	fake.history[0] = '\0';
	return 0;
}

/* A session with fid 5 at a file. */
#define DOT_L(f) cmocka_unit_test_setup_teardown(f, setup_l, teardown)

static struct tn_msg t_xattrwalk(uint16_t tag, uint32_t fid, uint32_t newfid, const char *name)
{
	return (struct tn_msg){ .type = TN_TXATTRWALK,
		.tag = tag,
		.fid = fid,
		.newfid = newfid,
		.name = { name, (uint32_t)strlen(name) } };
}

static struct tn_msg t_xattrcreate(uint16_t tag, uint32_t fid, uint64_t size, uint32_t flags)
{
	return (struct tn_msg){ .type = TN_TXATTRCREATE,
		.tag = tag,
		.fid = fid,
		.name = TN_STR("user.a"),
		.length = size,
		.flags = flags };
}

static uint32_t error_of(struct tn_msg r)
{
	return r.type == TN_RLERROR ? r.error : 0;
}

static void answer_all(void)
{
	while (fake.n_held > 0) {
		answer(0);
		run_loop();
	}
	settle();
}

static uint8_t value[70000];

static void have_value(uint32_t len, uint32_t grown_len)
{
	for (uint32_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 7 + i / 256);
	fake.value = value;
	fake.value_len = len;
	fake.grown_len = grown_len;
}

/* ---- reading ---- */

static const struct {
	const char *what;
	uint32_t len, grown_len; /* when it is asked for its size; when for the value */
	uint32_t error, size;
	const char *history;
} values[] = {
	{ "none", 0, 0, 0, 0, "xattrget" },
	{ "one byte", 1, 0, 0, 1, "xattrget xattrget" },
	{ "the largest", TN_XATTR_MAX, 0, 0, TN_XATTR_MAX, "xattrget xattrget" },
	{ "larger", TN_XATTR_MAX + 1, 0, 75, 0, "xattrget" },
	{ "a size that cannot be", UINT32_MAX, 0, 75, 0, "xattrget" },
	{ "shrinks", 100, 10, 0, 10, "xattrget xattrget" },
	{ "grows", 10, 100, 0, 100, "xattrget xattrget xattrget" },
	{ "grows beyond", 10, TN_XATTR_MAX + 1, 34, 0, "xattrget xattrget xattrget" },
};

static void a_value_is_fetched_whole_when_it_is_walked_to(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		for (size_t i = 0; i < TN_COUNT(values); i++) {
			struct tn_msg r;

			print_message("%s\n", values[i].what);
			have_value(values[i].len, values[i].grown_len);
			fake.late = late ? 1u << TN_XATTRGET : 0;
			SAY(t_xattrwalk(1, 5, 6, "user.a"));
			answer_all();
			assert_true(next_msg(&r));
			assert_history(values[i].history);
			assert_string_equal(fake.name, "user.a");
			assert_int_equal(error_of(r), values[i].error);
			if (values[i].error) {
				assert_int_equal(error_of(ASK(t_fid(TN_TCLUNK, 1, 6))), 9);
				continue;
			}
			assert_int_equal(r.length, values[i].size);
			for (uint32_t at = 0; at < values[i].size; at += r.count) {
				r = ASK(t_read(1, 6, at, 1000));
				assert_in_range(r.count, 1, 1000);
				assert_memory_equal(r.data, value + at, r.count);
			}
			assert_int_equal(ASK(t_read(1, 6, values[i].size, 10)).count, 0);
			assert_int_equal(ASK(t_read(1, 6, UINT64_MAX, UINT32_MAX)).count, 0);
			assert_int_equal(ASK(t_fid(TN_TCLUNK, 1, 6)).type, TN_RCLUNK);
			assert_history(""); /* it was no file */
		}
	}
}

static void an_empty_name_is_the_list_of_names(void **state)
{
	(void)state;
	have_value(9, 0);
	assert_int_equal(ASK(t_xattrwalk(1, 5, 6, "")).length, 9);
	assert_string_equal(fake.name, "");
}

static void a_missing_attribute_makes_no_fid(void **state)
{
	static char longer[256];

	(void)state;
	memset(longer, 'n', sizeof(longer) - 1);
	fake.fail = TN_ENODATA;
	assert_int_equal(error_of(ASK(t_xattrwalk(1, 5, 6, "user.a"))), 61);
	fake.fail = TN_OK;
	assert_int_equal(error_of(ASK(t_fid(TN_TCLUNK, 1, 6))), 9);
	assert_int_equal(error_of(ASK(t_xattrwalk(1, 5, 5, "user.a"))), 9);
	assert_int_equal(error_of(ASK(t_xattrwalk(1, 5, 0, "user.a"))), 9);
	assert_history("xattrget");
	ASK(t_xattrwalk(1, 5, 6, longer)); /* 255 bytes */
	assert_history("xattrget");
	{
		struct tn_msg m = t_xattrwalk(1, 5, 7, "");

		m.name = (struct tn_str){ longer, 256 };
		longer[255] = 'n';
		assert_int_equal(error_of(ASK(m)), 34);
	}
	assert_history("");
}

/* The file's fid may go while its value is read. */
static void a_value_lives_longer_than_the_fid_of_its_file(void **state)
{
	(void)state;
	have_value(3, 0);
	ASK(t_xattrwalk(1, 5, 6, "user.a"));
	assert_int_equal(ASK(t_fid(TN_TCLUNK, 1, 5)).type, TN_RCLUNK);
	assert_int_equal(fake.n_chans, 1);
	assert_int_equal(ASK(t_read(1, 6, 0, 10)).count, 3);
}

/* ---- writing ---- */

static void a_value_is_set_whole_when_its_fid_is_clunked(void **state)
{
	(void)state;
	for (uint32_t late = 0; late < 4; late++) {
		fake.late = 0;
		assert_int_equal(ASK(t_xattrcreate(1, 5, 10, 2)).type, TN_RXATTRCREATE);
		assert_int_equal(ASK(t_write(1, 5, 0, "01234")).count, 5);
		assert_int_equal(ASK(t_write(1, 5, 5, "56789")).count, 5);
		assert_int_equal(ASK(t_write(1, 5, 3, "xy")).count, 2); /* what is there again */
		assert_history("");
		fake.late = (late & 1) << TN_XATTRSET | (late >> 1) << TN_CLUNK;
		SAY(t_fid(TN_TCLUNK, 1, 5));
		answer_all();
		assert_got("Rclunk 1");
		assert_history("xattrset clunk");
		assert_string_equal(fake.name, "user.a");
		assert_memory_equal(fake.set, "012xy56789", 10);
		assert_int_equal(fake.last.type, TN_CLUNK);
		fake.late = 0;
		ASK(t_walk(1, 0, 5, "f"));
		fake.history[0] = '\0';
	}
}

static void what_the_set_says_is_the_answer_of_the_clunk(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		fake.late = 0;
		ASK(t_xattrcreate(1, 5, 1, 0));
		ASK(t_write(1, 5, 0, "a"));
		fake.late = late ? 1u << TN_XATTRSET : 0;
		fake.fail = TN_ENOSPC;
		SAY(t_fid(TN_TCLUNK, 1, 5));
		if (late) {
			answer(0);
			fake.fail = TN_OK;
		}
		assert_got("Rlerror 1 28");
		fake.fail = TN_OK;
		fake.late = 0;
		assert_history("xattrset clunk");
		assert_int_equal(error_of(ASK(t_fid(TN_TCLUNK, 1, 5))), 9);
		ASK(t_walk(1, 0, 5, "f"));
		fake.history[0] = '\0';
	}
}

/* removexattr(2) and setxattr(2) of Linux's client: vfs_removexattr() replaces by nothing. */
static const struct {
	uint32_t flags, how;
} nothings[] = {
	{ 0, 0 },
	{ TN_XATTR_CREATE, TN_XATTR_CREATE },
	{ TN_XATTR_REPLACE, TN_XATTR_REMOVE },
	{ TN_XATTR_CREATE | TN_XATTR_REPLACE, TN_XATTR_REMOVE },
};

static void to_replace_by_no_byte_removes_and_to_set_none_sets_none(void **state)
{
	(void)state;
	fake.late = 1u << TN_XATTRSET;
	for (size_t i = 0; i < TN_COUNT(nothings); i++) {
		ASK(t_xattrcreate(1, 5, 0, nothings[i].flags));
		assert_int_equal(error_of(ASK(t_write(1, 5, 0, "a"))), 28);
		ASK(t_write(1, 5, 0, ""));
		SAY(t_fid(TN_TCLUNK, 1, 5));
		assert_int_equal(fake.held[0]->u.xattr.how, nothings[i].how);
		assert_int_equal(fake.held[0]->u.xattr.size, 0);
		answer(0);
		assert_got("Rclunk 1");
		ASK(t_walk(1, 0, 5, "f"));
	}
}

static const struct {
	uint64_t offset;
	const char *text;
	uint32_t error;
} writes[] = {
	{ 0, "01234", 28 },
	{ 4, "0", 29 }, /* a hole */
	{ 1, "0", 29 },
	{ UINT64_MAX, "0", 29 },
	{ (uint64_t)1 << 62, "0", 29 },
	{ UINT32_MAX, "01", 29 },
	{ 0, "012", 0 },
	{ 3, "34", 28 },
	{ 4, "", 29 },
	{ 3, "3", 0 },
	{ 4, "4", 28 },
	{ 4, "", 0 },
	{ UINT64_MAX, "", 29 },
	{ UINT64_MAX - 3, "0123", 29 },
};

static void no_byte_is_written_but_those_that_were_announced(void **state)
{
	(void)state;
	ASK(t_xattrcreate(1, 5, 4, 0));
	for (size_t i = 0; i < TN_COUNT(writes); i++) {
		print_message("%s\n", writes[i].text);
		assert_int_equal(error_of(ASK(t_write(1, 5, writes[i].offset, writes[i].text))),
		    writes[i].error);
	}
	ASK(t_fid(TN_TCLUNK, 1, 5));
	assert_memory_equal(fake.set, "0123", 4);
}

static void too_few_bytes_are_not_set(void **state)
{
	(void)state;
	ASK(t_xattrcreate(1, 5, 4, 0));
	ASK(t_write(1, 5, 0, "012"));
	assert_int_equal(error_of(ASK(t_fid(TN_TCLUNK, 1, 5))), 22);
	assert_history("clunk");
	assert_int_equal(error_of(ASK(t_fid(TN_TCLUNK, 1, 5))), 9);
}

static const struct {
	uint64_t size;
	uint32_t flags, error;
} creates[] = {
	{ TN_XATTR_MAX, 1, 0 },
	{ TN_XATTR_MAX + 1, 0, 75 },
	{ UINT64_MAX, 0, 75 },
	{ (uint64_t)1 << 32, 0, 75 },
	{ 1, 4, 22 }, /* to remove is to write nothing */
	{ 1, UINT32_MAX, 22 },
};

static void an_announced_size_is_believed_only_so_far(void **state)
{
	struct tn_msg m = t_xattrcreate(1, 5, 1, 0);

	(void)state;
	for (size_t i = 0; i < TN_COUNT(creates); i++) {
		assert_int_equal(
		    error_of(ASK(t_xattrcreate(1, 5, creates[i].size, creates[i].flags))),
		    creates[i].error);
		ASK(t_fid(TN_TCLUNK, 1, 5));
		ASK(t_walk(1, 0, 5, "f"));
	}
	fake.history[0] = '\0';
	m.name = TN_STR("");
	assert_int_equal(error_of(ASK(m)), 22);
	m.name = (struct tn_str){ (const char *)value, 256 };
	memset(value, 'n', 256);
	assert_int_equal(error_of(ASK(m)), 34);
	ASK((struct tn_msg){ .type = TN_TLOPEN, .tag = 1, .fid = 5 });
	assert_int_equal(error_of(ASK(t_xattrcreate(1, 5, 1, 0))), 9);
	assert_history("open");
}

/* The peer has gone, or begins anew: it did not say that this was all. */
static void a_value_that_was_not_clunked_is_not_set(void **state)
{
	(void)state;
	ASK(t_xattrcreate(1, 5, 1, 0));
	ASK(t_write(1, 5, 0, "a"));
	have_value(3, 0);
	ASK(t_xattrwalk(1, 0, 6, "user.a"));
	fake.history[0] = '\0';
	ASK(t_version(8192, "9P2000.L"));
	assert_history("clunk clunk");
	ASK(t_attach(1, 0, TN_NOFID));
	ASK(t_xattrcreate(1, 0, 1, 0));
	ASK(t_write(1, 0, 0, "a"));
	fake.history[0] = '\0';
	hang_up();
	assert_history("clunk");
}

static void a_flush_of_the_clunk_is_a_flush_of_the_set(void **state)
{
	(void)state;
	ASK(t_xattrcreate(1, 5, 1, 0));
	ASK(t_write(1, 5, 0, "a"));
	fake.late = 1u << TN_XATTRSET;
	SAY(t_fid(TN_TCLUNK, 1, 5));
	SAY(t_flush(2, 1));
	assert_got("Rflush 2");
	assert_history("flush clunk");
	assert_int_equal(fake.n_chans, 1);
}

/* ---- what such a fid is not ---- */

static void an_attribute_is_no_file(void **state)
{
	static const uint8_t types[] = { TN_TSTATFS, TN_TLOPEN, TN_TLCREATE, TN_TSYMLINK, TN_TMKNOD,
		TN_TRENAME, TN_TREADLINK, TN_TGETATTR, TN_TSETATTR, TN_TXATTRWALK, TN_TXATTRCREATE,
		TN_TREADDIR, TN_TFSYNC, TN_TLOCK, TN_TGETLOCK, TN_TLINK, TN_TMKDIR, TN_TRENAMEAT,
		TN_TUNLINKAT, TN_TWALK };

	(void)state;
	have_value(3, 0);
	ASK(t_xattrwalk(1, 5, 6, "user.a"));
	ASK(t_xattrcreate(1, 5, 1, 0));
	fake.history[0] = '\0';
	for (uint32_t fid = 5; fid <= 6; fid++) {
		for (size_t i = 0; i < TN_COUNT(types); i++) {
			struct tn_msg m = { .type = types[i], .tag = 1, .fid = fid, .newfid = 78 };

			m.name = m.newname = m.target = m.client_id = TN_STR("a");
			print_message("%s\n", tn_msg_name(m.type));
			assert_int_equal(error_of(ASK(m)), 9);
			m.fid = 0; /* nor is it one as the other fid */
			m.newfid = fid;
			if (m.type == TN_TRENAME || m.type == TN_TLINK || m.type == TN_TRENAMEAT ||
			    m.type == TN_TXATTRWALK || m.type == TN_TWALK)
				assert_int_equal(error_of(ASK(m)), 9);
		}
	}
	assert_int_equal(error_of(ASK(t_write(1, 6, 0, "a"))), 9);
	assert_int_equal(error_of(ASK(t_read(1, 5, 0, 1))), 9);
	assert_history("");
}

/* remove(5): the fid is gone all the same. */
static void a_remove_of_an_attribute_removes_nothing(void **state)
{
	(void)state;
	have_value(3, 0);
	ASK(t_xattrwalk(1, 5, 6, "user.a"));
	ASK(t_xattrcreate(1, 5, 1, 0));
	fake.history[0] = '\0';
	for (uint32_t fid = 5; fid <= 6; fid++) {
		assert_int_equal(error_of(ASK(t_fid(TN_TREMOVE, 1, fid))), 9);
		assert_history(fid == 5 ? "clunk" : "");
		ASK(t_walk(1, 0, fid, "f"));
		fake.history[0] = '\0';
	}
	assert_int_equal(fake.n_chans, 3);
}

static void attributes_have_a_limit_of_memory(void **state)
{
	enum { MAX = 3 * (TN_XATTR_MAX + 100) };
	unsigned n = 0;

	(void)state;
	hang_up();
	start_dialect(&(struct tn_conn_limits){ .attrs_max = MAX }, TN_9P2000_L);
	have_value(TN_XATTR_MAX, 0);
	while (error_of(ASK(t_xattrwalk(1, 0, 10 + n, "user.a"))) == 0)
		n++;
	assert_int_equal(n, 3);
	assert_int_equal(error_of(ASK(t_xattrwalk(1, 0, 50, "user.a"))),
	    tn_err_linux(TN_ELIMIT_ATTRS));
	assert_int_equal(error_of(ASK(t_xattrcreate(1, 0, TN_XATTR_MAX, 0))),
	    tn_err_linux(TN_ELIMIT_ATTRS));
	ASK(t_fid(TN_TCLUNK, 1, 10));
	assert_int_equal(error_of(ASK(t_xattrwalk(1, 0, 50, "user.a"))), 0);
}

/* ---- locks ---- */

static struct tn_msg t_lock(uint16_t tag, uint8_t type, uint64_t start, uint64_t length)
{
	return (struct tn_msg){ .type = TN_TLOCK,
		.tag = tag,
		.fid = 5,
		.lock_type = type,
		.start = start,
		.length = length,
		.proc_id = 1,
		.client_id = TN_STR("host") };
}

static void open_it(void)
{
	ASK((struct tn_msg){ .type = TN_TLOPEN, .tag = 1, .fid = 5, .flags = 2 });
	fake.history[0] = '\0';
}

static const struct {
	uint8_t type;
	uint64_t start, length;
	uint32_t error, get_error;
} ranges[] = {
	{ TN_LK_READ, 0, 0, 0, 0 },
	{ TN_LK_WRITE, 5, 10, 0, 0 },
	{ TN_LK_UNLOCK, 0, 0, 0, 0 }, /* a getlock of Linux's client */
	{ 3, 0, 0, 22, 22 },
	{ 255, 0, 0, 22, 22 },
	{ TN_LK_READ, INT64_MAX, 1, 0, 0 },
	{ TN_LK_READ, INT64_MAX, 0, 0, 0 },
	{ TN_LK_READ, 0, (uint64_t)1 << 63, 0, 0 },
	{ TN_LK_READ, 1, (uint64_t)1 << 63, 75, 75 },
	{ TN_LK_READ, INT64_MAX, 2, 75, 75 },
	{ TN_LK_READ, (uint64_t)1 << 63, 0, 22, 22 },
	{ TN_LK_READ, UINT64_MAX, UINT64_MAX, 22, 22 },
	{ TN_LK_READ, 1, UINT64_MAX, 75, 75 },
};

static void a_range_has_an_end_that_an_offset_can_say(void **state)
{
	(void)state;
	assert_int_equal(error_of(ASK(t_lock(1, TN_LK_READ, 0, 0))), 9); /* not open */
	open_it();
	for (size_t i = 0; i < TN_COUNT(ranges); i++) {
		struct tn_msg m = t_lock(1, ranges[i].type, ranges[i].start, ranges[i].length);

		assert_int_equal(error_of(ASK(m)), ranges[i].error);
		m.type = TN_TGETLOCK;
		assert_int_equal(error_of(ASK(m)), ranges[i].get_error);
		if (ranges[i].error)
			continue;
		assert_int_equal(fake.last.u.lock.start, ranges[i].start);
		assert_int_equal(fake.last.u.lock.length, ranges[i].length);
		assert_int_equal(fake.last.u.lock.pid, 1);
	}
}

static void a_lock_that_somebody_has_is_blocked_and_not_an_error(void **state)
{
	static const struct {
		enum tn_err err;
		uint32_t error;
		uint8_t status;
	} rows[] = { { TN_OK, 0, 0 }, { TN_EAGAIN, 0, 1 }, { TN_EDEADLK, 35, 0 },
		{ TN_ENOTSUP, 95, 0 } };

	(void)state;
	open_it();
	for (int late = 0; late < 2; late++) {
		fake.late = late ? 1u << TN_LOCK : 0;
		for (size_t i = 0; i < TN_COUNT(rows); i++) {
			struct tn_msg m = t_lock(1, TN_LK_WRITE, 0, 0), r;

			m.flags = i & 1 ? 1 : 2; /* BLOCK, RECLAIM */
			fake.fail = rows[i].err;
			SAY(m);
			answer_all();
			assert_true(next_msg(&r));
			assert_int_equal(error_of(r), rows[i].error);
			if (!rows[i].error)
				assert_int_equal(r.status, rows[i].status);
			assert_int_equal(fake.last.u.lock.waits, i & 1);
		}
	}
}

static uint64_t owner_of(uint32_t proc_id, const char *client)
{
	struct tn_msg m = t_lock(1, TN_LK_WRITE, 0, 0);

	m.proc_id = proc_id;
	m.client_id = (struct tn_str){ client, (uint32_t)strlen(client) };
	assert_int_equal(ASK(m).type, TN_RLOCK);
	return fake.last.u.lock.owner;
}

static void an_owner_is_a_process_of_a_client_of_a_connection(void **state)
{
	uint64_t one;

	(void)state;
	open_it();
	one = owner_of(1, "a");
	assert_int_equal(owner_of(1, "a"), one);
	assert_int_not_equal(owner_of(2, "a"), one);
	assert_int_not_equal(owner_of(1, "b"), one);
	assert_int_not_equal(owner_of(1, ""), one);
	assert_int_not_equal(owner_of(0x61000001, ""), one);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_not_equal(owner_of(UINT32_C(1) << i, "a"), owner_of(0, "a"));
	hang_up();
	setup_l(NULL);
	open_it();
	assert_int_not_equal(owner_of(1, "a"), one);
}

static void a_getlock_says_what_stands_in_the_way(void **state)
{
	struct tn_msg m = t_lock(1, TN_LK_WRITE, 3, 4), r;

	(void)state;
	open_it();
	m.type = TN_TGETLOCK;
	fake.late = 1u << TN_GETLOCK;
	SAY(m);
	fake.held[0]->u.lock.type = TN_LK_READ;
	fake.held[0]->u.lock.start = 1;
	fake.held[0]->u.lock.length = 2;
	fake.held[0]->u.lock.pid = 77;
	answer(0);
	settle();
	assert_true(next_msg(&r));
	assert_int_equal(r.type, TN_RGETLOCK);
	assert_int_equal(r.lock_type, TN_LK_READ);
	assert_int_equal(r.start, 1);
	assert_int_equal(r.length, 2);
	assert_int_equal(r.proc_id, 77);
	/* v9fs_file_getlock(): always as if it were an unlock. */
	fake.late = 0;
	m.lock_type = TN_LK_UNLOCK;
	assert_int_equal(ASK(m).type, TN_RGETLOCK);
	assert_int_equal(fake.last.u.lock.type, TN_LK_WRITE);
	m.lock_type = 3;
	assert_int_equal(ASK(m).error, 22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DOT_L(a_value_is_fetched_whole_when_it_is_walked_to),
		DOT_L(an_empty_name_is_the_list_of_names),
		DOT_L(a_missing_attribute_makes_no_fid),
		DOT_L(a_value_lives_longer_than_the_fid_of_its_file),
		DOT_L(a_value_is_set_whole_when_its_fid_is_clunked),
		DOT_L(what_the_set_says_is_the_answer_of_the_clunk),
		DOT_L(to_replace_by_no_byte_removes_and_to_set_none_sets_none),
		DOT_L(no_byte_is_written_but_those_that_were_announced),
		DOT_L(too_few_bytes_are_not_set),
		DOT_L(an_announced_size_is_believed_only_so_far),
		DOT_L(a_value_that_was_not_clunked_is_not_set),
		DOT_L(a_flush_of_the_clunk_is_a_flush_of_the_set),
		DOT_L(an_attribute_is_no_file),
		DOT_L(a_remove_of_an_attribute_removes_nothing),
		DOT_L(attributes_have_a_limit_of_memory),
		DOT_L(a_range_has_an_end_that_an_offset_can_say),
		DOT_L(a_lock_that_somebody_has_is_blocked_and_not_an_error),
		DOT_L(an_owner_is_a_process_of_a_client_of_a_connection),
		DOT_L(a_getlock_says_what_stands_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
