/*
 * mnt in 9P2000.L.tenon: what becomes of requests that 9P2000.L has no message for, and what their answers may be. Sources:
 * docs/architecture.md; fallocate(2), lseek(2), copy_file_range(2), rename(2), setxattr(2).
 */
#include "peer.h"

static struct tn_chan *root, *file;

static void start(enum tn_dialect best)
{
	struct tn_client_options o = { .label = "tcp!test!564", .dialect = TN_DIALECTS };

	peer_start(&o);
	peer.best = best;
	root = got_attach();
	assert_int_equal(peer.dialect, best);
	file = got_open(root, "f");
}

static int setup(void **state)
{
	(void)state;
	start(TN_9P2000_TENON);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peer_serve();
	put(file);
	put(root);
	peer_end();
	return 0;
}

#define T_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Answers the message that peer_expect gave. */
#define ANSWER(...)  \
	peer_send(&( \
	    struct tn_msg){ .type = (uint8_t)(peer.m.type + 1), .tag = peer.m.tag, __VA_ARGS__ })

static bool is(struct tn_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.s, text, s.len) == 0;
}

static struct ask *ask_range(enum tn_req_type type, struct tn_chan *c, uint32_t how,
    uint64_t offset, uint64_t length)
{
	struct ask *a = ask_new(type, c);

	a->r.u.range.how = how;
	a->r.u.range.offset = offset;
	a->r.u.range.length = length;
	ask_go(a);
	return a;
}

static struct ask *ask_copy(struct tn_chan *to, struct tn_chan *from, uint64_t count)
{
	struct ask *a = ask_new(TN_COPYRANGE, to);

	a->r.chan2 = from;
	a->r.u.range.offset = 10;
	a->r.u.range.offset2 = 20;
	a->r.u.range.length = count;
	ask_go(a);
	return a;
}

static struct ask *ask_rename(const char *name, const char *newname, uint32_t how)
{
	struct ask *a = ask_new(TN_RENAME, root);

	a->r.chan2 = root;
	a->r.u.rename.name = (struct tn_str){ name, (uint32_t)strlen(name) };
	a->r.u.rename.newname = (struct tn_str){ newname, (uint32_t)strlen(newname) };
	a->r.u.rename.how = how;
	ask_go(a);
	return a;
}

/* ---- requests ---- */

static void a_fallocate_is_one_message(void **state)
{
	struct ask *a = ask_range(TN_FALLOCATE, file, 3, 4096, UINT64_C(1) << 40);

	(void)state;
	peer_expect(TN_TALLOCATE);
	assert_int_equal(peer.m.flags, 3);
	assert_true(peer.m.offset == 4096 && peer.m.length == UINT64_C(1) << 40);
	ANSWER(.length = 0);
	must(a, TN_OK);
}

static void a_hole_is_where_the_answer_says(void **state)
{
	struct ask *a = ask_range(TN_SEEKHOLE, file, 4, 100, 0);

	(void)state;
	peer_expect(TN_TSEEK);
	assert_int_equal(peer.m.flags, 4);
	assert_true(peer.m.offset == 100);
	ANSWER(.offset = INT64_MAX);
	assert_true(a->r.u.range.offset == INT64_MAX);
	must(a, TN_OK);
}

static void a_copy_names_both_files_and_may_be_short(void **state)
{
	struct tn_chan *from = got_open(root, "g");
	struct ask *a = ask_copy(file, from, UINT64_MAX);

	(void)state;
	peer_expect(TN_TCOPY);
	assert_true(peer.fids[peer.m.fid].qid.path == file->qid.path);
	assert_true(peer.fids[peer.m.newfid].qid.path == from->qid.path);
	assert_true(peer.m.offset == 10 && peer.m.start == 20 && peer.m.length == UINT64_MAX);
	ANSWER(.length = 7);
	assert_true(a->r.u.range.length == 7);
	must(a, TN_OK);
	put(from);
}

static void a_copy_may_be_as_long_as_was_asked_for(void **state)
{
	struct ask *a = ask_copy(file, file, 100);

	(void)state;
	peer_expect(TN_TCOPY);
	ANSWER(.length = 100);
	assert_true(a->r.u.range.length == 100);
	must(a, TN_OK);
}

/* rename(2): both flags are one step. */
static void a_rename_with_flags_is_one_message(void **state)
{
	(void)state;
	for (uint32_t how = 1; how < 3; how++) {
		struct ask *a = ask_rename("old", "new", how);

		peer_expect(TN_TRENAMEAT2);
		assert_int_equal(peer.m.flags, how);
		assert_int_equal(peer.m.fid, peer.m.newfid);
		assert_true(is(peer.m.name, "old") && is(peer.m.newname, "new"));
		if (how == 1) {
			peer_error(peer.m.tag, "file already exists");
			must(a, TN_EEXIST);
			continue;
		}
		ANSWER(.length = 0);
		must(a, TN_OK);
	}
	must(ask_rename("old", "new", 3), TN_EINVAL);
	must(ask_rename("old", "new", 4), TN_EINVAL);
	must(ask_rename("..", "new", 2), TN_EBADCHAR);
}

static void a_rename_without_flags_is_that_of_9p2000l(void **state)
{
	struct ask *a = ask_rename("old", "new", 0);

	(void)state;
	peer_answer(peer_expect(TN_TRENAMEAT));
	must(a, TN_OK);
}

/* Its name is not known to the message: as in 9P2000.L. */
static void a_file_itself_is_renamed_as_in_9p2000l(void **state)
{
	struct ask *a = ask_new(TN_RENAME, file);

	(void)state;
	a->r.chan2 = root;
	a->r.u.rename.newname = TN_STR("no");
	a->r.u.rename.how = 1;
	ask_go(a);
	peer_answer(peer_expect(TN_TWALK));
	peer_answer(peer_expect(TN_TRENAME));
	must(a, TN_OK);
	a = ask_new(TN_RENAME, file);
	a->r.chan2 = root;
	a->r.u.rename.newname = TN_STR("other");
	a->r.u.rename.how = 2;
	ask_go(a);
	must(a, TN_EINVAL);
}

static struct ask *ask_attr(uint32_t how)
{
	struct ask *a = ask_new(TN_XATTRSET, root);

	a->r.u.xattr.name = TN_STR("user.a");
	a->r.u.xattr.data = a->data;
	a->r.u.xattr.how = how;
	ask_go(a);
	return a;
}

/* setxattr(2), removexattr(2) */
static void an_empty_attribute_is_set_and_a_flag_removes(void **state)
{
	static const uint32_t hows[] = { 0, TN_XATTR_CREATE, TN_XATTR_REPLACE, TN_XATTR_REMOVE };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(hows); i++) {
		struct ask *a = ask_attr(hows[i]);

		peer_answer(peer_expect(TN_TWALK));
		peer_expect(TN_TXATTRCREATE);
		assert_true(peer.m.length == 0);
		assert_int_equal(peer.m.flags, hows[i]);
		ANSWER(.length = 0);
		peer_answer(peer_expect(TN_TCLUNK));
		must(a, TN_OK);
	}
}

/* ---- what is refused ---- */

static void what_the_server_says_is_the_error(void **state)
{
	struct ask *a = ask_range(TN_FALLOCATE, file, 0x10, 0, 1);

	(void)state;
	peer_expect(TN_TALLOCATE);
	peer_send(&(struct tn_msg){ .type = TN_RERROR,
	    .tag = peer.m.tag,
	    .ename = TN_STR("no such mode"),
	    .error = 95 });
	must_say(a, TN_ENOTSUP, "no such mode");
	a = ask_range(TN_SEEKHOLE, file, 3, 0, 0);
	peer_lerror(peer_expect(TN_TSEEK)->tag, 6);
	must(a, TN_ENXIO);
}

static void a_copy_from_elsewhere_is_refused_without_a_message(void **state)
{
	struct tn_server *other = tn_mnt_server(peer.client);
	struct tn_chan *from = tn_chan_new(other, NULL);

	(void)state;
	must(ask_copy(file, from, 1), TN_EXDEV);
	must(ask_copy(file, NULL, 1), TN_EXDEV);
	assert_null(peer_take());
	tn_chan_put(from);
	tn_server_put(other);
}

/* lseek(2): never before where it began, nor where no file has a byte. */
static void a_hole_that_cannot_be_there_is_no_answer(void **state)
{
	static const uint64_t answers[] = { 0, 99, (uint64_t)INT64_MAX + 1, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(answers); i++) {
		struct ask *a = ask_range(TN_SEEKHOLE, file, 3, 100, 0);

		peer_expect(TN_TSEEK);
		ANSWER(.offset = answers[i]);
		must(a, TN_EBADMSG);
	}
}

static void a_copy_of_more_than_was_asked_for_ends_the_connection(void **state)
{
	struct ask *a = ask_copy(file, file, 100);

	(void)state;
	peer_expect(TN_TCOPY);
	ANSWER(.length = 101);
	must_say(a, TN_ECONNLOST,
	    "connection lost: tcp!test!564: Rcopy with more than was asked for");
	pass(2 * (uint64_t)SECOND);
	peer_serve();
	must(ask_range(TN_FALLOCATE, file, 0, 0, 1), TN_ESTALE); /* it is not opened anew */
}

static void what_is_flushed_is_flushed_there(void **state)
{
	struct ask *a = ask_range(TN_FALLOCATE, file, 0, 0, UINT64_C(1) << 40);
	uint16_t tag = peer_expect(TN_TALLOCATE)->tag;

	(void)state;
	tn_flush(&a->r);
	assert_int_equal(peer_expect(TN_TFLUSH)->oldtag, tag);
	assert_int_equal(a->done, 0);
	ANSWER(.length = 0);
	must(a, TN_EINTR);
}

/* The edge: nothing of it is sent, and the answers are those that there were before. */
static void where_the_peer_is_no_tenon_nothing_of_it_is_said(void **state)
{
	(void)state;
	for (int d = TN_9P2000; d <= TN_9P2000_L; d++) {
		start((enum tn_dialect)d);
		print_message("%s\n", tn_dialect_name((enum tn_dialect)d));
		must(ask_range(TN_FALLOCATE, file, 0, 0, 1), TN_ENOTSUP);
		must(ask_range(TN_SEEKHOLE, file, 4, 0, 0), TN_ENOTSUP);
		must(ask_copy(file, file, 1), TN_ENOTSUP);
		must(ask_rename("old", "new", 2), TN_EINVAL);
		must(ask_attr(0), TN_ENOTSUP);
		assert_null(peer_take());
		teardown(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_TEST(a_fallocate_is_one_message),
		T_TEST(a_hole_is_where_the_answer_says),
		T_TEST(a_copy_names_both_files_and_may_be_short),
		T_TEST(a_copy_may_be_as_long_as_was_asked_for),
		T_TEST(a_rename_with_flags_is_one_message),
		T_TEST(a_rename_without_flags_is_that_of_9p2000l),
		T_TEST(a_file_itself_is_renamed_as_in_9p2000l),
		T_TEST(an_empty_attribute_is_set_and_a_flag_removes),
		T_TEST(what_the_server_says_is_the_error),
		T_TEST(a_copy_from_elsewhere_is_refused_without_a_message),
		T_TEST(a_hole_that_cannot_be_there_is_no_answer),
		T_TEST(a_copy_of_more_than_was_asked_for_ends_the_connection),
		T_TEST(what_is_flushed_is_flushed_there),
		cmocka_unit_test(where_the_peer_is_no_tenon_nothing_of_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
