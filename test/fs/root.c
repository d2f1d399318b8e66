/*
 * #root: mount points in an empty tree.
 */
#include "fs/root.h"

#include "drive.h"
#include "host/posix/host.h"

static struct tn_server *server;
static struct tn_chan *root;

static int setup(void **state)
{
	(void)state;
	loop_start();
	server = tn_rootfs_new(&loop);
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

static enum tn_err add(const char *path, bool is_dir)
{
	return tn_rootfs_add(server, str(path), is_dir);
}

static void it_is_empty(void **state)
{
	(void)state;
	assert_string_equal(list(root, ""), "");
	assert_int_equal(create_fails(root, "f", TN_OREAD, 0644), TN_EACCES);
	assert_int_equal(remove_at(root, ""), TN_EACCES);
	assert_int_equal(open_fails(root, "", TN_OWRITE), TN_EACCES);
}

static void mount_points_are_made_with_what_is_above_them(void **state)
{
	(void)state;
	assert_int_equal(add("/n/ns", true), TN_OK);
	assert_int_equal(add("n/srv/", true), TN_OK);
	assert_int_equal(add("/bin", true), TN_OK);
	assert_int_equal(add("/etc//motd", false), TN_OK);
	assert_string_equal(list(root, ""), "n/ bin/ etc/");
	assert_string_equal(list(root, "n"), "ns/ srv/");
	assert_string_equal(cat(root, "etc/motd"), "");
	assert_int_equal(stat_at(root, "n/ns")->mode, TN_DMDIR | 0555);
	assert_string_equal(seen.name, "ns");
	assert_int_equal(stat_at(root, "n/ns/../..")->qid.path, stat_at(root, "..")->qid.path);
}

static void one_that_is_there_will_do(void **state)
{
	uint64_t path;

	(void)state;
	assert_int_equal(add("/a/b", true), TN_OK);
	assert_int_equal(add("/a/f", false), TN_OK);
	path = stat_at(root, "a/b")->qid.path;
	assert_int_equal(add("/a/b", true), TN_OK);
	assert_int_equal(add("/a/f", false), TN_OK);
	assert_int_equal(add("/", true), TN_OK);
	assert_int_equal(stat_at(root, "a/b")->qid.path, path);
	assert_string_equal(list(root, "a"), "b/ f");
}

static void another_kind_or_an_illegal_name_is_refused(void **state)
{
	char name[257];

	(void)state;
	assert_int_equal(add("/a/f", false), TN_OK);
	assert_int_equal(add("/a", false), TN_EISDIR);
	assert_int_equal(add("/a/f", true), TN_ENOTDIR);
	assert_int_equal(add("/a/f/g", true), TN_ENOTDIR);
	assert_int_equal(add("/", false), TN_EISDIR);
	assert_int_equal(add("/a/../b", true), TN_EEXIST);
	memset(name, 'n', 256);
	name[256] = '\0';
	assert_int_equal(add(name, true), TN_ENAMETOOLONG);
	name[255] = '\0';
	assert_int_equal(add(name, true), TN_OK);
}

static void a_listing_goes_on_at_any_entry(void **state)
{
	struct tn_chan *d;

	(void)state;
	add("/a/x", true);
	add("/b", true);
	add("/a/y", true);
	add("/c", true);
	d = open_at(root, "", TN_OREAD);
	list_room = 1;
	list_from(d, 0);
	list_room = ~0u;
	list_from(d, list_next);
	assert_string_equal(listing, "b/ c/");
	turn(d);
}

static void names_are_limited(void **state)
{
	char path[32];

	(void)state;
	/* The root is one of them; in directories of 256, for a search is along a list. */
	for (unsigned i = 1; i < TN_ROOTFS_MAX; i++) {
		if (i % 256 == 1)
			snprintf(path, sizeof(path), "/%u", i / 256);
		else
			snprintf(path, sizeof(path), "/%u/%u", (i - 1) / 256, i);
		assert_int_equal(add(path, true), TN_OK);
	}
	assert_int_equal(add("/one", true), TN_ELIMIT_FILES);
}

static void without_memory_it_stays_whole(void **state)
{
	struct tn_server *s = NULL;
	enum tn_err err;
	int n = 0;

	(void)state;
	do {
		allocations_left = n++;
		tn_alloc_hook = allow;
		err = add("/1/2/3/4/5/6/7/8/9", true);
		tn_alloc_hook = NULL;
		list(root, "");
	} while (err == TN_ENOMEM);
	assert_int_equal(err, TN_OK);
	assert_true(is_there(root, "1/2/3/4/5/6/7/8/9"));
	for (n = 0; !s; n++) {
		allocations_left = n;
		tn_alloc_hook = allow;
		s = tn_rootfs_new(&loop);
		tn_alloc_hook = NULL;
	}
	assert_int_equal(n, 4);
	tn_server_put(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_is_empty),
		TEST(mount_points_are_made_with_what_is_above_them),
		TEST(one_that_is_there_will_do),
		TEST(another_kind_or_an_illegal_name_is_refused),
		TEST(a_listing_goes_on_at_any_entry),
		TEST(names_are_limited),
		TEST(without_memory_it_stays_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
