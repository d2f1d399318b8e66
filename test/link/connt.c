/*
 * conn in 9P2000.L.tenon: what it has beside 9P2000.L. Sources: docs/architecture.md; fallocate(2), lseek(2),
 * copy_file_range(2), rename(2), setxattr(2).
 */
#include "talk.h"

/* Fids: what there is of each kind. */
enum { BOTH = 5, READS, WRITES, APPENDS, DIR, CLOSED, ATTR, NONE = 77 };

static void have(uint32_t fid, const char *name, int flags)
{
	ASK(t_walk(1, 0, fid, name));
	if (flags >= 0)
		assert_int_equal(ASK((struct tn_msg){ .type = TN_TLOPEN,
					 .tag = 1,
					 .fid = fid,
					 .flags = (uint32_t)flags })
				     .type,
		    TN_RLOPEN);
}

static int setup_t(void **state)
{
	(void)state;
	start_dialect(NULL, TN_9P2000_TENON);
	have(BOTH, "f", 2);
	have(READS, "g", 0);
	have(WRITES, "h", 1);
	have(APPENDS, "a", 02001);
	have(DIR, "d", 0);
	have(CLOSED, "f", -1);
	ASK((struct tn_msg){ .type = TN_TXATTRWALK, .tag = 1, .fid = CLOSED, .newfid = ATTR });
	fake.history[0] = '\0';
	return 0;
}

#define TENON(f) cmocka_unit_test_setup_teardown(f, setup_t, teardown)

/* The number of an error; 0: it is none. */
static uint32_t error_of(struct tn_msg r)
{
	assert_int_not_equal(r.type, TN_RLERROR);
	return r.type == TN_RERROR ? r.error : 0;
}

/* The answer to m, which the server keeps for a while, or does not. */
static struct tn_msg ask_late(struct tn_msg m, bool late, enum tn_req_type type)
{
	struct tn_msg r;

	fake.late = late ? 1u << type : 0;
	say(&m);
	if (late)
		answer(0);
	settle();
	assert_true(next_msg(&r));
	return r;
}

static struct tn_msg t_allocate(uint32_t fid, uint32_t mode, uint64_t offset, uint64_t length)
{
	return (struct tn_msg){ .type = TN_TALLOCATE,
		.tag = 1,
		.fid = fid,
		.flags = mode,
		.offset = offset,
		.length = length };
}

static struct tn_msg t_seek(uint32_t fid, uint32_t whence, uint64_t offset)
{
	return (struct tn_msg){ .type = TN_TSEEK,
		.tag = 1,
		.fid = fid,
		.flags = whence,
		.offset = offset };
}

static struct tn_msg t_copy(uint32_t fid, uint64_t offset, uint32_t from, uint64_t start,
    uint64_t count)
{
	return (struct tn_msg){ .type = TN_TCOPY,
		.tag = 1,
		.fid = fid,
		.offset = offset,
		.newfid = from,
		.start = start,
		.length = count };
}

static uint64_t path_of(const char *name)
{
	return qid_of_name((struct tn_str){ name, (uint32_t)strlen(name) }).path;
}

/* ---- what is asked ---- */

static void an_allocate_says_what_fallocate_says(void **state)
{
	static const uint32_t modes[] = { 0, 1, 3, 0x10, 0x20,
		UINT32_MAX }; /* the server knows which */

	(void)state;
	for (size_t i = 0; i < 2 * TN_COUNT(modes); i++) {
		struct tn_msg r = ask_late(
		    t_allocate(i % 3 ? BOTH : WRITES, modes[i / 2], 4096, UINT64_C(1) << 33), i % 2,
		    TN_FALLOCATE);

		assert_int_equal(r.type, TN_RALLOCATE);
		assert_int_equal(fake.last.u.range.how, modes[i / 2]);
		assert_true(fake.last.u.range.offset == 4096);
		assert_true(fake.last.u.range.length == UINT64_C(1) << 33);
		assert_history("fallocate");
	}
}

/* Up to the last offset that there is; "room that ends there" below is a byte more. */
static void an_allocate_may_end_where_offsets_end(void **state)
{
	(void)state;
	assert_int_equal(ASK(t_allocate(BOTH, 0, INT64_MAX - 10, 10)).type, TN_RALLOCATE);
	assert_true(fake.last.u.range.offset == INT64_MAX - 10);
	assert_true(fake.last.u.range.length == 10);
	assert_int_equal(error_of(ASK(t_allocate(BOTH, 0, INT64_MAX - 10, 11))), 27);
}

static void a_seek_is_answered_by_where_it_leads(void **state)
{
	static const uint32_t fids[] = { BOTH, READS, WRITES, APPENDS };

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		uint64_t at = i % 3 ? UINT64_C(1) << (30 + i) : 0;
		struct tn_msg r = ask_late(t_seek(fids[i / 4], 3 + i / 2 % 2, at), i % 2,
		    TN_SEEKHOLE);

		assert_int_equal(r.type, TN_RSEEK);
		assert_true(r.offset == at); /* the server here leaves it there */
		assert_int_equal(fake.last.u.range.how, 3 + i / 2 % 2);
		assert_history("seekhole");
	}
}

static void a_copy_says_from_where_and_is_answered_by_how_much(void **state)
{
	static const struct {
		uint32_t to, from;
		const char *to_name, *from_name;
	} rows[] = {
		{ BOTH, READS, "f", "g" },
		{ WRITES, BOTH, "h", "f" },
		{ BOTH, BOTH, "f", "f" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * TN_COUNT(rows); i++) {
		struct tn_msg r = ask_late(t_copy(rows[i / 2].to, 1, rows[i / 2].from, 2, 1000),
		    i % 2, TN_COPYRANGE);

		assert_int_equal(r.type, TN_RCOPY);
		assert_true(r.length == 1000);
		assert_int_equal(fake.last.chan->qid.path, path_of(rows[i / 2].to_name));
		assert_int_equal(fake.last.chan2->qid.path, path_of(rows[i / 2].from_name));
		assert_true(fake.last.u.range.offset == 1 && fake.last.u.range.offset2 == 2);
		assert_history("copyrange");
	}
}

/* No byte beyond the last offset that there is. */
static void a_copy_ends_where_offsets_end(void **state)
{
	(void)state;
	ASK(t_copy(BOTH, INT64_MAX - 10, READS, 3, UINT64_MAX));
	assert_true(fake.last.u.range.length == 10);
	ASK(t_copy(BOTH, 3, READS, INT64_MAX - 20, UINT64_MAX));
	assert_true(fake.last.u.range.length == 20);
	assert_int_equal(ASK(t_copy(BOTH, 0, READS, INT64_MAX, 1)).length, 0);
}

/* ---- what is refused before the server is asked ---- */

#define BEYOND (UINT64_C(1) << 63)

static void what_cannot_be_is_not_asked(void **state)
{
	const struct {
		const char *what;
		struct tn_msg m;
		uint32_t error;
	} rows[] = {
		{ "room in a file that is not open", t_allocate(CLOSED, 0, 0, 1), 9 },
		{ "in one that is read", t_allocate(READS, 0, 0, 1), 9 },
		{ "in a directory", t_allocate(DIR, 0, 0, 1), 21 },
		{ "in an attribute", t_allocate(ATTR, 0, 0, 1), 9 },
		{ "in none", t_allocate(NONE, 0, 0, 1), 9 },
		{ "no room", t_allocate(BOTH, 0, 0, 0), 22 },
		{ "room beyond all offsets", t_allocate(BOTH, 0, BEYOND, 1), 27 },
		{ "room that ends there", t_allocate(BOTH, 0, INT64_MAX, 1), 27 },
		{ "room that goes round", t_allocate(BOTH, 3, UINT64_MAX, UINT64_MAX), 27 },
		{ "room without an end", t_allocate(BOTH, 3, 1, UINT64_MAX), 27 },
		{ "holes of a file that is not open", t_seek(CLOSED, 4, 0), 9 },
		{ "of a directory", t_seek(DIR, 4, 0), 21 },
		{ "of an attribute", t_seek(ATTR, 4, 0), 9 },
		{ "of none", t_seek(NONE, 4, 0), 9 },
		{ "SEEK_SET", t_seek(BOTH, 0, 0), 22 },
		{ "SEEK_END", t_seek(BOTH, 2, 0), 22 },
		{ "a whence that is none", t_seek(BOTH, 5, 0), 22 },
		{ "the last whence", t_seek(BOTH, UINT32_MAX, 0), 22 },
		{ "a hole beyond all offsets", t_seek(BOTH, 4, BEYOND), 6 },
		{ "a copy to a file that is not open", t_copy(CLOSED, 0, READS, 0, 1), 9 },
		{ "from one", t_copy(BOTH, 0, CLOSED, 0, 1), 9 },
		{ "to one that is read", t_copy(READS, 0, BOTH, 0, 1), 9 },
		{ "from one that is written", t_copy(BOTH, 0, WRITES, 0, 1), 9 },
		{ "to one that is appended to", t_copy(APPENDS, 0, READS, 0, 1), 9 },
		{ "to a directory", t_copy(DIR, 0, READS, 0, 1), 21 },
		{ "from a directory", t_copy(BOTH, 0, DIR, 0, 1), 21 },
		{ "to an attribute", t_copy(ATTR, 0, READS, 0, 1), 9 },
		{ "from an attribute", t_copy(BOTH, 0, ATTR, 0, 1), 9 },
		{ "to nothing", t_copy(NONE, 0, READS, 0, 1), 9 },
		{ "from nothing", t_copy(BOTH, 0, NONE, 0, 1), 9 },
		{ "to beyond all offsets", t_copy(BOTH, BEYOND, READS, 0, 1), 27 },
		{ "from there", t_copy(BOTH, 0, READS, UINT64_MAX, 1), 27 },
	};

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(error_of(ask(&rows[i].m)), rows[i].error);
		assert_history("");
	}
}

/* The peer has to have agreed on it: in 9P2000.L there is no such message. */
static void what_was_not_agreed_on_is_no_message(void **state)
{
	const struct tn_msg messages[] = { t_allocate(BOTH, 0, 0, 1), t_seek(BOTH, 4, 0),
		t_copy(BOTH, 0, BOTH, 0, 1),
		{ .type = TN_TRENAMEAT2, .tag = 1, .name = TN_STR("a"), .newname = TN_STR("b") } };

	(void)state;
	assert_int_equal(ASK(t_version(8192, "9P2000.L")).type, TN_RVERSION);
	peer.dialect = TN_9P2000_L;
	ASK(t_attach(1, 0, TN_NOFID));
	have(BOTH, "f", 2);
	fake.history[0] = '\0';
	for (size_t i = 0; i < TN_COUNT(messages); i++) {
		peer.dialect = TN_9P2000_TENON;
		add(&messages[i]);
		peer.dialect = TN_9P2000_L;
		send_batch();
		assert_got("Rlerror 1 71");
		assert_history("");
	}
}

/* ---- fids and flushes ---- */

static void both_fids_of_a_copy_stay_until_it_is_answered(void **state)
{
	(void)state;
	fake.late = 1u << TN_COPYRANGE;
	SAY(t_copy(BOTH, 0, READS, 0, 1));
	SAY(t_fid(TN_TCLUNK, 2, READS));
	SAY(t_fid(TN_TCLUNK, 3, BOTH));
	assert_got("");
	assert_history("");
	answer(0);
	assert_got("Rcopy 1, Rclunk 2, Rclunk 3");
}

static void a_flush_ends_what_the_server_keeps(void **state)
{
	const struct {
		struct tn_msg m;
		enum tn_req_type type;
		const char *history;
	} rows[] = {
		{ t_allocate(BOTH, 0, 0, 1), TN_FALLOCATE, "flush" },
		{ t_seek(BOTH, 4, 0), TN_SEEKHOLE, "flush" },
		{ t_copy(BOTH, 0, READS, 0, 1), TN_COPYRANGE, "flush" },
	};

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		fake.late = 1u << rows[i].type;
		say(&rows[i].m);
		SAY(t_flush(2, 1));
		assert_got("Rflush 2");
		assert_history(rows[i].history);
	}
}

static void a_servers_error_keeps_its_words(void **state)
{
	struct tn_msg r;

	(void)state;
	fake.fail = TN_ENOTSUP;
	fake.words = "no holes here";
	r = ASK(t_seek(BOTH, 4, 0));
	assert_int_equal(error_of(r), 95);
	assert_int_equal(r.ename.len, strlen(fake.words));
	assert_memory_equal(r.ename.s, fake.words, r.ename.len);
}

/* ---- Trenameat2 ---- */

static struct tn_msg t_renameat2(const char *name, const char *newname, uint32_t flags)
{
	return (struct tn_msg){ .type = TN_TRENAMEAT2,
		.tag = 1,
		.fid = 0,
		.name = { name, (uint32_t)strlen(name) },
		.newfid = DIR,
		.newname = { newname, (uint32_t)strlen(newname) },
		.flags = flags };
}

static void a_rename_has_the_flags_of_renameat2(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		struct tn_msg r = ask_late(t_renameat2("a", "b", i / 2), i % 2, TN_RENAME);

		assert_int_equal(r.type, TN_RRENAMEAT2);
		assert_int_equal(fake.last.u.rename.how, i / 2);
		assert_string_equal(fake.name, "a");
		assert_string_equal(fake.newname, "b");
		assert_int_equal(fake.last.chan->qid.path, root_qid.path);
		assert_int_equal(fake.last.chan2->qid.path, path_of("d"));
		assert_history("rename");
	}
}

static void a_rename_that_cannot_be_is_not_asked(void **state)
{
	static const struct {
		const char *name, *newname;
		uint32_t flags, error;
	} rows[] = {
		{ "a", "b", 3, 22 }, /* both: rename(2) */
		{ "a", "b", 4, 22 },
		{ "a", "b", UINT32_MAX, 22 },
		{ "", "b", 2, 2 },
		{ "a", "", 2, 2 },
		{ "..", "b", 2, 22 },
		{ "a", "..", 2, 17 },
		{ "a/b", "c", 2, 22 },
		{ "a", "b/c", 2, 22 },
	};

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		assert_int_equal(
		    error_of(ASK(t_renameat2(rows[i].name, rows[i].newname, rows[i].flags))),
		    rows[i].error);
		assert_history("");
	}
}

/* ---- Txattrcreate ---- */

static const struct {
	const char *what;
	uint64_t size;
	uint32_t flags, error, how;
} attrs[] = {
	{ "empty", 0, 0, 0, 0 },
	{ "empty and new", 0, TN_XATTR_CREATE, 0, TN_XATTR_CREATE },
	{ "empty instead of another", 0, TN_XATTR_REPLACE, 0, TN_XATTR_REPLACE },
	{ "removed", 0, TN_XATTR_REMOVE, 0, TN_XATTR_REMOVE },
	{ "removed and something", 1, TN_XATTR_REMOVE, 22, 0 },
	{ "removed and new", 0, TN_XATTR_REMOVE | TN_XATTR_CREATE, 22, 0 },
	{ "removed and replaced", 0, TN_XATTR_REMOVE | TN_XATTR_REPLACE, 22, 0 },
	{ "a flag that is none", 0, 8, 22, 0 },
	{ "all flags", 0, UINT32_MAX, 22, 0 },
};

/* setxattr(2): a value may be empty. 9P2000.L has no way to say that. */
static void an_attribute_may_be_empty_and_is_removed_by_a_flag(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(attrs); i++) {
		struct tn_msg m = { .type = TN_TXATTRCREATE,
			.tag = 1,
			.fid = 20,
			.name = TN_STR("user.a"),
			.length = attrs[i].size,
			.flags = attrs[i].flags };

		print_message("%s\n", attrs[i].what);
		have(20, "f", -1);
		fake.history[0] = '\0';
		assert_int_equal(error_of(ask(&m)), attrs[i].error);
		assert_int_equal(ASK(t_fid(TN_TCLUNK, 1, 20)).type, TN_RCLUNK);
		if (attrs[i].error) {
			assert_history("clunk");
			continue;
		}
		assert_history("xattrset clunk");
		assert_string_equal(fake.name, "user.a");
		assert_int_equal(fake.set_how, attrs[i].how);
		assert_int_equal(fake.set_size, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TENON(an_allocate_says_what_fallocate_says),
		TENON(an_allocate_may_end_where_offsets_end),
		TENON(a_seek_is_answered_by_where_it_leads),
		TENON(a_copy_says_from_where_and_is_answered_by_how_much),
		TENON(a_copy_ends_where_offsets_end),
		TENON(what_cannot_be_is_not_asked),
		TENON(what_was_not_agreed_on_is_no_message),
		TENON(both_fids_of_a_copy_stay_until_it_is_answered),
		TENON(a_flush_ends_what_the_server_keeps),
		TENON(a_servers_error_keeps_its_words),
		TENON(a_rename_has_the_flags_of_renameat2),
		TENON(a_rename_that_cannot_be_is_not_asked),
		TENON(an_attribute_may_be_empty_and_is_removed_by_a_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
