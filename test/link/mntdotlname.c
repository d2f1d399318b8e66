/* mnt in 9P2000.L: names: renames, links, special files. */
#include "dotl.h"

static struct ask *ask_rename(struct tn_chan *from, const char *name, struct tn_chan *to,
    const char *newname, uint32_t how)
{
	struct ask *a = ask_new(TN_RENAME, from);

	a->r.chan2 = to;
	a->r.u.rename.name = str(name);
	a->r.u.rename.newname = str(newname);
	a->r.u.rename.how = how;
	ask_go(a);
	return a;
}

static void a_rename_between_directories_is_one_message(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_rename(root, "old", d, "new", 0);

	(void)state;
	peer_expect(TN_TRENAMEAT);
	assert_int_equal(peer.m.fid, 0);
	assert_int_equal(peer.m.newfid, 1);
	assert_true(is(peer.m.name, "old") && is(peer.m.newname, "new"));
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(d);
}

static void a_server_without_renameat_is_asked_once(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_rename(root, "old", d, "new", 0);

	(void)state;
	peer_lerror(peer_expect(TN_TRENAMEAT)->tag, 95);
	for (int i = 0; i < 2; i++) {
		uint32_t fid;

		assert_true(is(peer_expect(TN_TWALK)->wname[0], "old"));
		fid = peer.m.newfid;
		peer_answer(&peer.m);
		peer_expect(TN_TRENAME);
		assert_int_equal(peer.m.fid, fid);
		assert_int_equal(peer.m.newfid, 1);
		assert_true(is(peer.m.name, "new"));
		ANSWER(.count = 0);
		must(a, TN_OK);
		serve(TN_TCLUNK);
		if (i == 0)
			a = ask_rename(root, "old", d, "new", 0);
	}
	put(d);
}

static void a_rename_that_must_not_replace_looks_first(void **state)
{
	struct ask *a = ask_rename(root, "old", root, "new", 1);

	(void)state;
	assert_true(is(peer_expect(TN_TWALK)->wname[0], "new"));
	peer_answer(&peer.m);
	must(a, TN_EEXIST);
	serve(TN_TCLUNK);
	a = ask_rename(root, "old", root, "no", 1);
	serve(TN_TWALK);
	peer_expect(TN_TRENAMEAT);
	ANSWER(.count = 0);
	must(a, TN_OK);
	must(ask_rename(root, "old", root, "new", 2), TN_EINVAL);
	assert_null(peer_take());
}

static void a_file_itself_is_renamed_by_its_fid(void **state)
{
	struct tn_chan *f = got_walk(root, "da/f"), *e = got_walk(root, "de");
	struct ask *a = ask_rename(f, "", e, "g", 0);

	(void)state;
	peer_expect(TN_TRENAME);
	assert_int_equal(peer.m.fid, 1);
	assert_int_equal(peer.m.newfid, 2);
	assert_true(is(peer.m.name, "g"));
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(e);
	put(f);
}

static void a_link_names_directory_and_file(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_new(TN_LINK, root);

	(void)state;
	a->r.chan2 = f;
	a->r.u.rename.name = TN_STR("other");
	ask_go(a);
	peer_expect(TN_TLINK);
	assert_int_equal(peer.m.fid, 0);
	assert_int_equal(peer.m.newfid, 1);
	assert_true(is(peer.m.name, "other"));
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(f);
}

/* Both Chans of a request are found again after a loss. */
static void after_a_loss_both_chans_are_walked_again(void **state)
{
	struct tn_chan *d = got_walk(root, "d1"), *e = got_walk(root, "d2");
	struct ask *a;

	(void)state;
	peer_hangup();
	a = ask_rename(d, "old", e, "new", 0);
	serve(TN_TVERSION);
	serve(TN_TATTACH);
	assert_true(is(peer_expect(TN_TWALK)->wname[0], "d1"));
	peer_answer(&peer.m);
	assert_true(is(peer_expect(TN_TWALK)->wname[0], "d2"));
	peer_answer(&peer.m);
	peer_expect(TN_TRENAMEAT);
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(e);
	put(d);
}

static struct ask *ask_make(enum tn_req_type type, uint32_t perm, const char *target)
{
	struct ask *a = ask_new(type, root);

	a->r.u.create.name = TN_STR("new");
	a->r.u.create.perm = perm;
	a->r.u.create.gid = TN_NONUNAME;
	a->r.u.create.rdev_major = 7;
	a->r.u.create.rdev_minor = 300;
	a->r.u.create.target = str(target);
	ask_go(a);
	return a;
}

static void a_symbolic_link_is_made_with_its_target(void **state)
{
	struct ask *a = ask_make(TN_SYMLINK, 0, "../there");

	(void)state;
	peer_expect(TN_TSYMLINK);
	assert_true(is(peer.m.name, "new") && is(peer.m.target, "../there"));
	assert_int_equal(peer.m.gid, TN_NONUNAME);
	ANSWER(.qid = { .path = 9, .type = TN_QTSYMLINK });
	assert_int_equal(a->r.u.create.qid.path, 9);
	must(a, TN_OK);
	must(ask_make(TN_SYMLINK, 0, ""), TN_ENOENT);
}

static const struct {
	uint32_t perm, sent;
	const char *target;
} nodes[] = {
	{ 0644, 0100644, "" },
	{ TN_DMNAMEDPIPE | 0644, 0010644, "" },
	{ TN_DMSOCKET | 0644, 0140644, "" },
	{ TN_DMDEVICE | 0644, 0020644, "" },
	{ TN_DMDEVICE | 0644, 0020644, "c" },
	{ TN_DMDEVICE | TN_DMSETUID | 0644, 0064644, "b" },
};

static void a_special_file_is_made_with_unixs_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(nodes); i++) {
		struct ask *a = ask_make(TN_MKNOD, nodes[i].perm, nodes[i].target);

		peer_expect(TN_TMKNOD);
		assert_int_equal(peer.m.perm, nodes[i].sent);
		assert_int_equal(peer.m.major, 7);
		assert_int_equal(peer.m.minor, 300);
		ANSWER(.qid = { .path = 9 });
		assert_int_equal(a->r.u.create.qid.path, 9);
		must(a, TN_OK);
	}
}

static struct ask *ask_readlink(struct tn_chan *c, uint32_t size)
{
	struct ask *a = ask_new(TN_READLINK, c);

	a->r.u.readlink.buf = a->text;
	a->r.u.readlink.size = size;
	ask_go(a);
	return a;
}

static void a_link_is_read_whole_or_not_at_all(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_readlink(f, 8);

	(void)state;
	peer_expect(TN_TREADLINK);
	ANSWER(.target = TN_STR("../there"));
	assert_int_equal(a->r.u.readlink.len, 8);
	assert_memory_equal(a->text, "../there", 8);
	must(a, TN_OK);
	a = ask_readlink(f, 7);
	peer_expect(TN_TREADLINK);
	ANSWER(.target = TN_STR("../there"));
	must(a, TN_ENAMETOOLONG);
	put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(a_rename_between_directories_is_one_message),
		L_TEST(a_server_without_renameat_is_asked_once),
		L_TEST(a_rename_that_must_not_replace_looks_first),
		L_TEST(a_file_itself_is_renamed_by_its_fid),
		L_TEST(a_link_names_directory_and_file),
		L_TEST(after_a_loss_both_chans_are_walked_again),
		L_TEST(a_symbolic_link_is_made_with_its_target),
		L_TEST(a_special_file_is_made_with_unixs_mode),
		L_TEST(a_link_is_read_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
