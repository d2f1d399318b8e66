/*
 * Servers of 9P2000.L that answer what cannot be: it harms the request, or the connection, that it came by. Nothing is
 * taken for good before it has been looked at.
 */
#include "scene.h"

static int setup(void **state)
{
	(void)state;
	scene_start(TN_9P2000_L, TN_9P2000_L);
	return 0;
}

/* The mount works on, by a new connection if need be. */
static int teardown(void **state)
{
	struct ask *a;

	(void)state;
	pass(2 * (uint64_t)SECOND);
	peer_serve();
	a = ask_simple(TN_STAT, root);
	peer_serve();
	must(a, TN_OK);
	scene_end();
	return 0;
}

#define L_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- kinds ---- */

static void a_file_that_is_suddenly_a_directory_is_no_answer(void **state)
{
	static const struct {
		const char *name;
		uint32_t perm;
		uint8_t type;
	} rows[] = {
		{ "f", 0040755, TN_QTDIR }, /* the qid says so too, but it was a file */
		{ "f", 0040755, 0 },
		{ "f", 0100644, TN_QTDIR },
		{ "d", 0100644, 0 },
		{ "d", 0100644, TN_QTDIR },
	};

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		struct tn_chan *c = got_walk(root, rows[i].name);
		struct ask *a = ask_simple(TN_STAT, c);

		peer_expect(TN_TGETATTR);
		ANSWER(.valid = 0x7ff, .perm = rows[i].perm, .qid = { .type = rows[i].type });
		must(a, TN_EBADMSG);
		put(c);
	}
}

static void what_opens_as_another_kind_is_stale(void **state)
{
	struct tn_chan *c = got_walk(root, "f");
	struct ask *a = ask_open(c, TN_OREAD);

	(void)state;
	peer_expect(TN_TLOPEN);
	ANSWER(.qid = { .type = TN_QTDIR });
	must(a, TN_EBADMSG);
	must(ask_simple(TN_STAT, c), TN_ESTALE);
	put(c);
}

static struct ask *ask_create(struct tn_chan *d, uint32_t perm)
{
	struct ask *a = ask_new(TN_CREATE, d);

	a->r.u.create.name = TN_STR("new");
	a->r.u.create.perm = perm;
	ask_go(a);
	return a;
}

static void what_is_made_as_another_kind_is_no_answer(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_create(d, TN_DMDIR | 0755);

	(void)state;
	peer_expect(TN_TMKDIR);
	ANSWER(.qid = { .path = 5 });
	must(a, TN_EBADMSG);
	a = ask_create(d, 0644);
	peer_expect(TN_TLCREATE);
	ANSWER(.qid = { .path = 5, .type = TN_QTDIR });
	must(a, TN_EBADMSG);
	must(ask_simple(TN_STAT, d), TN_ESTALE);
	put(d);
	a = ask_new(TN_SYMLINK, root);
	a->r.u.create.name = TN_STR("new");
	a->r.u.create.target = TN_STR("x");
	ask_go(a);
	peer_expect(TN_TSYMLINK);
	ANSWER(.qid = { .path = 5, .type = TN_QTDIR });
	must(a, TN_EBADMSG);
}

/* ---- listings ---- */

struct entry {
	uint64_t offset;
	const char *name;
};

static void answer_list(const struct entry *entries, size_t n, uint32_t cut)
{
	uint8_t buf[4096];
	uint32_t len = 0;

	for (size_t i = 0; i < n; i++) {
		struct tn_dirent d = { .offset = entries[i].offset, .type = 8 };

		d.name = (struct tn_str){ entries[i].name, (uint32_t)strlen(entries[i].name) };
		len += (uint32_t)tn_dirent_encode(&d, buf + len, sizeof(buf) - len);
	}
	ANSWER(.count = len - cut, .data = buf);
}

static const struct {
	const char *what;
	struct entry entries[2];
	uint32_t cut;
	enum tn_err err;
} listings[] = {
	{ "as it should be", { { 6, "a" }, { 4, "b" } }, 0, TN_OK },
	{ "an entry cut off", { { 6, "a" }, { 7, "b" } }, 1, TN_EBADMSG },
	{ "an empty name", { { 6, "a" }, { 7, "" } }, 0, TN_EBADMSG },
	{ "a name with a slash", { { 6, "a" }, { 7, "../b" } }, 0, TN_EBADMSG },
	{ "back to the beginning", { { 6, "a" }, { 0, "b" } }, 0, TN_EBADMSG },
	{ "back to where it is", { { 5, "a" }, { 7, "b" } }, 0, TN_EBADMSG },
	{ "an offset with the top bit", { { 6, "a" }, { 1ull << 63, "b" } }, 0, TN_EBADMSG },
};

static void a_listing_is_looked_at_whole_before_any_of_it_is_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(listings); i++) {
		struct tn_chan *d = got_open(root, "d");
		struct ask *a = ask_readdir(d, 5, 100);

		print_message("%s\n", listings[i].what);
		peer_expect(TN_TREADDIR);
		answer_list(listings[i].entries, 2, listings[i].cut);
		assert_string_equal(a->entries, listings[i].err ? "" : "a b ");
		must(a, listings[i].err);
		put(d);
	}
}

/* Offsets of some file systems go down: only one that comes twice is a circle. */
static void a_listing_in_a_circle_ends(void **state)
{
	(void)state;
	for (uint64_t length = 1; length < 40; length++) {
		struct tn_chan *d = got_open(root, "d");
		uint64_t at = 0, asked = 0;
		enum tn_err err = TN_OK;

		while (err == TN_OK && asked < 200) {
			struct entry e = { .name = "a", .offset = 1000 - asked % length };
			struct ask *a = ask_readdir(d, at, 100);

			peer_expect(TN_TREADDIR);
			answer_list(&e, 1, 0);
			at = a->next;
			asked++;
			err = (enum tn_err)a->r.err;
			ask_free(a);
		}
		assert_int_equal(err, TN_EBADMSG);
		assert_in_range(asked, length, 4 * length + 2);
		put(d);
	}
}

static void a_long_listing_downwards_is_no_circle(void **state)
{
	struct tn_chan *d = got_open(root, "d");
	uint64_t at = 0;

	(void)state;
	for (uint64_t i = 2000; i > 0; i--) {
		struct entry e = { .name = "a", .offset = i };
		struct ask *a = ask_readdir(d, at, 100);

		peer_expect(TN_TREADDIR);
		answer_list(&e, 1, 0);
		at = a->next;
		must(a, TN_OK);
	}
	put(d);
}

static void a_listing_of_nothing_but_dots_has_the_usual_bound(void **state)
{
	struct tn_chan *d = got_open(root, "d");
	struct ask *a = ask_readdir(d, 0, 100);
	uint64_t offset = 1;

	(void)state;
	while (a->done == 0 && offset < 100) {
		struct entry e = { .name = ".." };

		peer_expect(TN_TREADDIR);
		e.offset = offset++;
		answer_list(&e, 1, 0);
		pass(SECOND);
	}
	must(a, TN_ECONNLOST);
	put(d);
}

/* ---- sizes ---- */

static void more_than_was_asked_for_ends_the_connection(void **state)
{
	static const uint8_t types[] = { TN_TREADDIR, TN_TREAD };
	uint8_t *data = calloc(1, 70000);

	(void)state;
	for (size_t i = 0; i < TN_COUNT(types); i++) {
		struct tn_chan *c = got_open(root, i == 0 ? "d" : "f");
		struct ask *a = i == 0 ? ask_readdir(c, 0, 9) : ask_io(TN_READ, c, 10, 0);

		peer_expect(types[i]);
		ANSWER(.count = peer.m.count + 1, .data = data);
		must(a, TN_ECONNLOST);
		tn_chan_put(c);
		pass(2 * (uint64_t)SECOND);
		peer_serve();
		a = ask_simple(TN_STAT, root);
		peer_serve();
		must(a, TN_OK);
	}
	free(data);
}

static struct ask *ask_xattr(enum tn_req_type type, struct tn_chan *c, uint32_t size)
{
	struct ask *a = ask_new(type, c);

	a->r.u.xattr.name = TN_STR("user.a");
	a->r.u.xattr.data = a->data;
	a->r.u.xattr.size = size;
	ask_go(a);
	return a;
}

static void a_huge_attribute_is_refused(void **state)
{
	static const uint64_t sizes[] = { TN_XATTR_MAX + 1, 1ull << 32, UINT64_MAX };
	struct tn_chan *f = got_walk(root, "f");

	(void)state;
	for (size_t i = 0; i < TN_COUNT(sizes); i++) {
		struct ask *a = ask_xattr(TN_XATTRGET, f, 65536);

		peer_expect(TN_TXATTRWALK);
		peer.fids[peer.m.newfid].used = true;
		ANSWER(.length = sizes[i]);
		must(a, TN_EBADMSG);
		peer_answer(peer_expect(TN_TCLUNK));
	}
	put(f);
}

static void an_attribute_that_ends_before_its_size_is_refused(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRGET, f, 100);

	(void)state;
	peer_expect(TN_TXATTRWALK);
	peer.fids[peer.m.newfid].used = true;
	ANSWER(.length = 10);
	peer_expect(TN_TREAD);
	ANSWER(.count = 5, .data = (const uint8_t *)"aaaaa");
	peer_expect(TN_TREAD);
	ANSWER(.count = 0, .data = (const uint8_t *)"");
	must(a, TN_EBADMSG);
	put(f);
}

static void an_attribute_that_takes_nothing_ends(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, 100);

	(void)state;
	peer_answer(peer_expect(TN_TWALK));
	peer_expect(TN_TXATTRCREATE);
	ANSWER(.count = 0);
	peer_expect(TN_TWRITE);
	ANSWER(.count = 0);
	must(a, TN_EIO);
	put(f);
}

static struct ask *ask_readlink(struct tn_chan *c)
{
	struct ask *a = ask_new(TN_READLINK, c);

	a->r.u.readlink.buf = a->text;
	a->r.u.readlink.size = sizeof(a->text);
	ask_go(a);
	return a;
}

/* A string of the wire is shorter than a message, and has no NUL: the codec sees to that. */
static void a_target_that_no_name_has_is_refused(void **state)
{
	static char big[8000];
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_readlink(f);

	(void)state;
	memset(big, 'x', sizeof(big));
	peer_expect(TN_TREADLINK);
	ANSWER(.target = { big, sizeof(big) });
	must(a, TN_ENAMETOOLONG);
	a = ask_readlink(f);
	peer_expect(TN_TREADLINK);
	ANSWER(.target = { big, 0 });
	must(a, TN_EBADMSG);
	a = ask_readlink(f);
	peer_expect(TN_TREADLINK);
	ANSWER(.target = { "a\0b", 3 });
	must_say(a, TN_ECONNLOST, "connection lost: tcp!test!564: malformed message");
	put(f);
}

static void a_lock_of_no_kind_is_no_answer(void **state)
{
	struct tn_chan *f = got_open(root, "f");
	struct ask *a = ask_new(TN_GETLOCK, f);

	(void)state;
	ask_go(a);
	peer_expect(TN_TGETLOCK);
	ANSWER(.lock_type = 3);
	must(a, TN_EBADMSG);
	put(f);
}

static void more_qids_than_names_end_the_connection(void **state)
{
	struct ask *a = ask_new(TN_RENAME, root);

	(void)state;
	a->r.chan2 = root;
	a->r.u.rename.name = TN_STR("a");
	a->r.u.rename.newname = TN_STR("b");
	a->r.u.rename.how = 1;
	ask_go(a);
	peer_expect(TN_TWALK);
	ANSWER(.nwqid = 2);
	must(a, TN_ECONNLOST);
}

/* Messages of 9P2000 are none of .L. */
static void an_answer_of_another_dialect_ends_the_connection(void **state)
{
	struct ask *a = ask_simple(TN_STAT, root);
	struct tn_msg m = { .type = TN_RERROR, .ename = TN_STR("no") };

	(void)state;
	m.tag = peer_expect(TN_TGETATTR)->tag;
	peer.dialect = TN_9P2000;
	peer_send(&m);
	must(a, TN_ECONNLOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(a_file_that_is_suddenly_a_directory_is_no_answer),
		L_TEST(what_opens_as_another_kind_is_stale),
		L_TEST(what_is_made_as_another_kind_is_no_answer),
		L_TEST(a_listing_is_looked_at_whole_before_any_of_it_is_shown),
		L_TEST(a_listing_in_a_circle_ends),
		L_TEST(a_long_listing_downwards_is_no_circle),
		L_TEST(a_listing_of_nothing_but_dots_has_the_usual_bound),
		L_TEST(more_than_was_asked_for_ends_the_connection),
		L_TEST(a_huge_attribute_is_refused),
		L_TEST(an_attribute_that_ends_before_its_size_is_refused),
		L_TEST(an_attribute_that_takes_nothing_ends),
		L_TEST(a_target_that_no_name_has_is_refused),
		L_TEST(a_lock_of_no_kind_is_no_answer),
		L_TEST(more_qids_than_names_end_the_connection),
		L_TEST(an_answer_of_another_dialect_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
