/*
 * #mntgen: every name is a directory, listed while somebody is there. mntgen(4).
 */
#include "fs/mntgen.h"

#include "drive.h"
#include "host/posix/host.h"

static struct tn_server *server;
static struct tn_chan *root;

static int setup(void **state)
{
	(void)state;
	loop_start();
	server = tn_mntgen_new(&loop);
	root = attach(server, "glenda");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	return 0;
}

static void any_name_is_an_empty_directory(void **state)
{
	(void)state;
	assert_string_equal(list(root, ""), "");
	assert_string_equal(list(root, "anything"), "");
	assert_int_equal(stat_at(root, "a b")->mode, TN_DMDIR | 0555);
	assert_string_equal(seen.name, "a b");
	assert_int_equal(stat_at(root, "x/..")->qid.path, stat_at(root, "")->qid.path);
	assert_int_equal(create_fails(root, "x", TN_OREAD, TN_DMDIR | 0755), TN_EACCES);
	assert_int_equal(remove_at(root, "x"), TN_EACCES);
}

static void what_is_no_name_is_not_there(void **state)
{
	static const char *const names[] = { "x/y", "." };
	struct tn_str bad = TN_STR("a/b");
	struct tn_chan *to = tn_chan_clone(root);
	struct tn_qid qid;
	struct tn_req r;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(names); i++)
		assert_false(is_there(root, names[i]));
	tn_req_init(&r, TN_WALK, root, &driver);
	r.u.walk.names = &bad;
	r.u.walk.qids = &qid;
	r.u.walk.newchan = to;
	r.u.walk.n_names = 1;
	assert_int_equal(ask(&r), TN_ENOENT);
	tn_chan_put(to);
}

static void a_name_is_listed_while_somebody_is_there(void **state)
{
	struct tn_chan *a = at(root, "a"), *b = at(root, "b"), *again = at(root, "a");

	(void)state;
	assert_string_equal(list(root, ""), "a/ b/");
	turn(a);
	assert_string_equal(list(root, ""), "a/ b/");
	turn(again);
	assert_string_equal(list(root, ""), "b/");
	turn(b);
	assert_string_equal(list(root, ""), "");
}

static void a_name_has_the_same_qid_each_time(void **state)
{
	uint64_t a = stat_at(root, "a")->qid.path;

	(void)state;
	assert_int_not_equal(stat_at(root, "b")->qid.path, a);
	assert_int_equal(stat_at(root, "a")->qid.path, a);
	assert_int_not_equal(stat_at(root, "")->qid.path, a);
}

static void a_failed_walk_leaves_no_name_behind(void **state)
{
	(void)state;
	assert_false(is_there(root, "a/b"));
	assert_false(is_there(root, "a/../b/../c/d"));
	assert_string_equal(list(root, ""), "");
}

static void names_are_limited(void **state)
{
	static struct tn_chan *there[TN_MNTGEN_MAX];
	char name[16];
	enum tn_err err;

	(void)state;
	for (unsigned i = 0; i < TN_MNTGEN_MAX; i++) {
		snprintf(name, sizeof(name), "%u", i);
		there[i] = at(root, name);
	}
	assert_null(walk(root, "one more", &err));
	assert_int_equal(err, TN_ELIMIT_FILES);
	assert_true(is_there(root, "77"));
	there[0] = turn(there[0]);
	assert_true(is_there(root, "one more"));
	for (unsigned i = 1; i < TN_MNTGEN_MAX; i++)
		tn_chan_put(there[i]);
}

static bool refuse(size_t size)
{
	(void)size;
	return false;
}

static void without_memory_a_new_name_is_refused(void **state)
{
	struct tn_chan *to = tn_chan_clone(root);
	struct tn_str name = TN_STR("a");
	struct tn_qid qid;
	struct tn_req r;

	(void)state;
	tn_req_init(&r, TN_WALK, root, &driver);
	r.u.walk.names = &name;
	r.u.walk.qids = &qid;
	r.u.walk.newchan = to;
	r.u.walk.n_names = 1;
	tn_alloc_hook = refuse;
	assert_int_equal(ask(&r), TN_ENOMEM);
	assert_null(tn_mntgen_new(&loop));
	tn_alloc_hook = NULL;
	tn_chan_put(to);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(any_name_is_an_empty_directory),
		TEST(what_is_no_name_is_not_there),
		TEST(a_name_is_listed_while_somebody_is_there),
		TEST(a_name_has_the_same_qid_each_time),
		TEST(a_failed_walk_leaves_no_name_behind),
		TEST(names_are_limited),
		TEST(without_memory_a_new_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
