/*
 * Whose the files of #ram are: users by name, as in Plan 9, and by number, as Linux has them, whose root is number 0.
 * Expectations are those of intro(5) and of capabilities(7), chown(2), inode(7), link(2), mknod(2).
 */
#include "drive.h"
#include "fs/ram.h"
#include "host/posix/host.h"

static struct tn_server *server;
static struct tn_chan *root; /* of an attach as Linux's root, whose tree it is */
static struct tn_chan *rob;  /* as rob, number 2, group 200 */

static int setup(void **state)
{
	(void)state;
	loop_start();
	server = tn_ram_new(&loop, NULL);
	assert_non_null(server);
	root = attach_number(server, "root", 0, 0);
	rob = attach_number(server, "rob", 2, 200);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_alloc_hook = NULL;
	tn_chan_put(rob);
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	return 0;
}

/* TN_NONUNAME: as it is */
static enum tn_err give(struct tn_chan *from, const char *path, uint32_t uid, uint32_t gid)
{
	struct tn_stat st = { .n_uid = uid, .n_gid = gid };

	st.valid = (uid != TN_NONUNAME ? TN_ST_NUID : 0) | (gid != TN_NONUNAME ? TN_ST_NGID : 0);
	return wstat_at(from, path, &st);
}

static enum tn_err set_mode(struct tn_chan *from, const char *path, uint32_t mode)
{
	struct tn_stat st = { .valid = TN_ST_MODE, .mode = mode };

	return wstat_at(from, path, &st);
}

/* ---- who may what ---- */

/* capabilities(7): CAP_DAC_OVERRIDE. */
static void root_may_all_but_run_what_nobody_may(void **state)
{
	(void)state;
	make_dir(rob, "d", 0);
	put_file(rob, "f", "text", 0);
	assert_true(is_there(root, "d"));
	turn(open_at(root, "d", TN_OREAD));
	turn(open_at(root, "f", TN_ORDWR));
	assert_int_equal(open_fails(root, "f", TN_OEXEC), TN_EACCES);
	assert_int_equal(set_mode(root, "f", 0001), TN_OK);
	turn(open_at(root, "f", TN_OEXEC));
	assert_int_equal(open_fails(rob, "f", TN_OREAD), TN_EACCES);
}

/* intro(5): names have no superuser, whatever they are. */
static void who_is_called_root_without_a_number_has_what_the_bits_grant(void **state)
{
	struct tn_chan *named = attach(server, "root");

	(void)state;
	put_file(rob, "f", "text", 0600);
	assert_int_equal(open_fails(named, "f", TN_OREAD), TN_EACCES);
	assert_int_equal(give(named, "f", 7, TN_NONUNAME), TN_EPERM);
	assert_int_equal(set_mode(named, "f", 0666), TN_EPERM);
	turn(named);
}

/* Linux's v9fs attaches everybody as "nobody" (uname=), with his number. */
static void users_of_one_name_are_known_by_their_numbers(void **state)
{
	struct tn_chan *one = attach_number(server, "nobody", 1, TN_NONUNAME),
		       *two = attach_number(server, "nobody", 5, TN_NONUNAME);

	(void)state;
	put_file(one, "f", "text", 0600);
	turn(open_at(one, "f", TN_ORDWR));
	assert_int_equal(open_fails(two, "f", TN_OREAD), TN_EACCES);
	turn(one);
	turn(two);
}

/* Who comes by 9P2000 has no number; his name is the same. */
static void one_name_with_and_without_a_number_is_one_user(void **state)
{
	struct tn_chan *named = attach(server, "rob");

	(void)state;
	put_file(rob, "f", "text", 0600);
	turn(open_at(named, "f", TN_ORDWR));
	turn(named);
}

/* inode(7): S_ISVTX; capabilities(7): CAP_FOWNER. */
static void root_is_not_held_by_the_sticky_bit(void **state)
{
	struct tn_chan *ken = attach_number(server, "ken", 3, 300), *d;

	(void)state;
	turn(create_at(rob, "d", TN_OREAD, TN_DMDIR | TN_DMSETVTX | 0777));
	assert_int_equal(set_mode(rob, "d", TN_DMDIR | TN_DMSETVTX | 0777), TN_OK);
	d = at(rob, "d");
	put_file(d, "f", "", 0600);
	turn(d);
	assert_int_equal(remove_at(ken, "d/f"), TN_EPERM);
	assert_int_equal(remove_at(root, "d/f"), TN_OK);
	turn(ken);
}

/* ---- chown(2) ---- */

static void root_gives_a_file_to_any_number_which_has_it_then(void **state)
{
	struct tn_chan *seven = attach_number(server, "", 7, TN_NONUNAME);

	(void)state;
	put_file(root, "f", "text", 0600);
	assert_int_equal(open_fails(seven, "f", TN_OREAD), TN_EACCES);
	assert_int_equal(give(root, "f", 7, 1234), TN_OK);
	turn(open_at(seven, "f", TN_ORDWR));
	stat_at(root, "f");
	assert_int_equal(seen.st.n_uid, 7);
	assert_int_equal(seen.st.n_gid, 1234);
	assert_string_equal(seen.uid, "7"); /* without a name it is shown as a number */
	assert_string_equal(seen.gid, "1234");
	assert_int_equal(give(root, "f", TN_NONUNAME, 200), TN_OK);
	assert_int_equal(set_mode(root, "f", 0060), TN_OK);
	turn(open_at(rob, "f", TN_ORDWR)); /* his group */
	turn(seven);
}

static void nobody_but_root_gives_a_file_away(void **state)
{
	struct tn_chan *ken = attach_number(server, "ken", 3, 300);

	(void)state;
	put_file(rob, "f", "", 0666);
	assert_int_equal(give(rob, "f", 3, TN_NONUNAME), TN_EPERM);
	assert_int_equal(give(rob, "f", TN_NONUNAME, 300), TN_EPERM);
	assert_int_equal(give(ken, "f", 3, TN_NONUNAME), TN_EPERM);
	assert_int_equal(give(ken, "f", TN_NONUNAME, 300), TN_EPERM);
	assert_int_equal(give(rob, "f", 2, 200), TN_OK);
	stat_at(root, "f");
	assert_int_equal(seen.st.n_uid, 2);
	assert_int_equal(seen.st.n_gid, 200);
	turn(ken);
}

/* Also if it is to whom it belongs already. A group that may not run it has no right by it: a mark of old locks. */
static void a_file_that_is_given_lends_its_owners_rights_no_more(void **state)
{
	(void)state;
	put_file(root, "f", "", 0644);
	make_dir(root, "d", 0755);
	assert_int_equal(set_mode(root, "f", TN_DMSETUID | TN_DMSETGID | 0755), TN_OK);
	assert_int_equal(set_mode(root, "d", TN_DMDIR | TN_DMSETGID | 0755), TN_OK);
	assert_int_equal(give(root, "f", 0, TN_NONUNAME), TN_OK);
	assert_int_equal(give(root, "d", 7, TN_NONUNAME), TN_OK);
	assert_int_equal(stat_at(root, "f")->mode, 0755);
	assert_int_equal(stat_at(root, "d")->mode, TN_DMDIR | TN_DMSETGID | 0755);
	assert_int_equal(set_mode(root, "f", TN_DMSETUID | TN_DMSETGID | 0745), TN_OK);
	assert_int_equal(give(root, "f", 7, 7), TN_OK);
	assert_int_equal(stat_at(root, "f")->mode, TN_DMSETGID | 0745);
}

/* One request gives it and sets its mode: that holds. */
static void the_mode_of_the_same_change_is_set_behind_the_owner(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NUID | TN_ST_MODE,
		.n_uid = 7,
		.mode = TN_DMSETUID | 0755 };

	(void)state;
	put_file(root, "f", "", 0644);
	assert_int_equal(wstat_at(root, "f", &st), TN_OK);
	assert_int_equal(stat_at(root, "f")->mode, TN_DMSETUID | 0755);
	assert_int_equal(seen.st.n_uid, 7);
}

static void without_memory_a_file_stays_whose_it_was(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NUID | TN_ST_NGID | TN_ST_MODE,
		.n_uid = 7,
		.n_gid = 8,
		.mode = 0600 };
	struct tn_chan *c;
	struct tn_req r;

	(void)state;
	put_file(root, "f", "", 0644);
	c = at(root, "f");
	for (int n = 0; n < 2; n++) {
		tn_req_init(&r, TN_WSTAT, c, &driver);
		r.u.wstat.st = &st;
		allocations_left = n;
		tn_alloc_hook = allow;
		assert_int_equal(ask(&r), TN_ENOMEM);
		tn_alloc_hook = NULL;
		assert_int_equal(stat_at(root, "f")->mode, 0644);
		assert_int_equal(seen.st.n_uid, 0);
		assert_int_equal(seen.st.n_gid, 0);
	}
	turn(c);
}

/* Whom the file would have gone to is let go of: the sanitizer's build tells. */
static void without_memory_for_the_new_name_it_is_nobody_elses(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NUID | TN_ST_NGID | TN_ST_NAME,
		.n_uid = 7,
		.n_gid = 8,
		.name = TN_STR("g") };
	struct tn_chan *c;
	struct tn_req r;

	(void)state;
	put_file(root, "f", "", 0644);
	c = at(root, "f");
	tn_req_init(&r, TN_WSTAT, c, &driver);
	r.u.wstat.st = &st;
	allocations_left = 2; /* both owners */
	tn_alloc_hook = allow;
	assert_int_equal(ask(&r), TN_ENOMEM);
	tn_alloc_hook = NULL;
	stat_at(root, "f");
	assert_int_equal(seen.st.n_uid, 0);
	assert_int_equal(seen.st.n_gid, 0);
	turn(c);
}

/* open(2): the fsgid of who makes it, which root is asked to name. */
static void what_root_makes_has_any_group_that_he_asks_for(void **state)
{
	struct tn_chan *c = at(root, "");
	struct tn_req r;

	(void)state;
	tn_req_init(&r, TN_CREATE, c, &driver);
	r.u.create.name = str("f");
	r.u.create.perm = 0644;
	r.u.create.gid = 1234;
	assert_int_equal(ask(&r), TN_OK);
	turn(c);
	stat_at(root, "f");
	assert_int_equal(seen.st.n_gid, 1234);
	assert_int_equal(seen.st.n_uid, 0);
}

/* ---- links, devices ---- */

static uint64_t links(const char *path)
{
	return stat_at(root, path)->nlink;
}

/* inode(7): st_nlink. */
static void a_directory_has_two_links_and_one_for_each_directory_in_it(void **state)
{
	struct tn_chan *a, *b;
	struct tn_req r;

	(void)state;
	assert_int_equal(links(""), 2);
	make_dir(root, "a", 0755);
	make_dir(root, "b", 0755);
	put_file(root, "f", "", 0644);
	a = at(root, "a");
	b = at(root, "b");
	make_dir(a, "sub", 0755);
	assert_int_equal(links(""), 4);
	assert_int_equal(links("a"), 3);
	tn_req_init(&r, TN_RENAME, a, &driver);
	r.chan2 = b;
	r.u.rename.name = str("sub");
	r.u.rename.newname = str("sub");
	assert_int_equal(ask(&r), TN_OK);
	assert_int_equal(links("a"), 2);
	assert_int_equal(links("b"), 3);
	tn_req_init(&r, TN_RENAME, b, &driver); /* change places, a directory and a file */
	r.chan2 = root;
	r.u.rename.name = str("sub");
	r.u.rename.newname = str("f");
	r.u.rename.how = 2;
	assert_int_equal(ask(&r), TN_OK);
	assert_int_equal(links("b"), 2);
	assert_int_equal(links(""), 5);
	assert_int_equal(remove_at(root, "a"), TN_OK);
	assert_int_equal(stat_chan(a)->nlink, 0);
	assert_int_equal(links(""), 4);
	turn(a);
	turn(b);
}

static char device[64];

static void take_device(struct tn_req *r, const struct tn_stat *st)
{
	(void)r;
	seen.st = *st;
	device[0] = '\0';
	if (st->valid & TN_ST_EXTENSION)
		snprintf(device, sizeof(device), "%.*s", (int)st->extension.len, st->extension.s);
}

static const struct tn_owner device_owner = { .done = count_done, .stat = take_device };

static const char *device_at(const char *path)
{
	struct tn_chan *c = at(root, path);
	struct tn_req r;

	tn_req_init(&r, TN_STAT, c, &device_owner);
	assert_int_equal(ask(&r), TN_OK);
	turn(c);
	return device;
}

static enum tn_err mknod_at(struct tn_chan *dir, const char *name, const char *kind, uint32_t major,
    uint32_t minor)
{
	struct tn_req r;

	tn_req_init(&r, TN_MKNOD, dir, &driver);
	r.u.create.name = str(name);
	r.u.create.perm = TN_DMDEVICE | 0666;
	r.u.create.gid = TN_NONUNAME;
	r.u.create.target = str(kind);
	r.u.create.rdev_major = major;
	r.u.create.rdev_minor = minor;
	return ask(&r);
}

/* mknod(2); the number is Linux's, makedev(3). */
static void root_makes_devices_which_are_numbers_and_are_not_opened(void **state)
{
	(void)state;
	assert_int_equal(mknod_at(root, "b", "b", 7, 300), TN_OK);
	assert_int_equal(mknod_at(root, "c", "c", 4294967295u, 0), TN_OK);
	assert_int_equal(mknod_at(rob, "no", "c", 1, 3), TN_EPERM);
	assert_false(is_there(root, "no"));
	assert_string_equal(device_at("b"), "b 7 300");
	assert_int_equal(seen.st.rdev, 7 << 8 | (300 & 0xff) | (300 & ~0xff) << 12);
	assert_int_equal(seen.st.mode, TN_DMDEVICE | 0666);
	assert_int_equal(seen.st.length, 0);
	assert_string_equal(device_at("c"), "c 4294967295 0");
	assert_int_equal(open_fails(rob, "b", TN_OREAD), TN_ENXIO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(root_may_all_but_run_what_nobody_may),
		TEST(who_is_called_root_without_a_number_has_what_the_bits_grant),
		TEST(users_of_one_name_are_known_by_their_numbers),
		TEST(one_name_with_and_without_a_number_is_one_user),
		TEST(root_is_not_held_by_the_sticky_bit),
		TEST(root_gives_a_file_to_any_number_which_has_it_then),
		TEST(nobody_but_root_gives_a_file_away),
		TEST(a_file_that_is_given_lends_its_owners_rights_no_more),
		TEST(the_mode_of_the_same_change_is_set_behind_the_owner),
		TEST(without_memory_a_file_stays_whose_it_was),
		TEST(without_memory_for_the_new_name_it_is_nobody_elses),
		TEST(what_root_makes_has_any_group_that_he_asks_for),
		TEST(a_directory_has_two_links_and_one_for_each_directory_in_it),
		TEST(root_makes_devices_which_are_numbers_and_are_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
