/*
 * mnt: which messages a request becomes, and what their answers make of it. Sources: section 5 of the manual.
 */
#include "peer.h"

/* ---- version, attach ---- */

static void an_attach_is_a_version_and_an_attach(void **state)
{
	struct ask *a = ask_attach();
	const struct tn_msg *m = peer_expect(TN_TVERSION);

	(void)state;
	assert_int_equal(m->tag, TN_NOTAG);
	assert_int_equal(m->msize, (128 << 10) + TN_IOHDR_SIZE);
	assert_memory_equal(m->version.s, "9P2000", 6);
	peer_answer(m);
	m = peer_expect(TN_TATTACH);
	assert_int_equal(m->afid, TN_NOFID);
	assert_memory_equal(m->uname.s, "glenda", 6);
	peer_answer(m);
	assert_null(peer_take());
	assert_int_equal(a->newchan->qid.path, 1);
	assert_true(a->newchan->flags & TN_CF_USED);
	must(a, TN_OK);
	assert_int_equal(peer_expect(TN_TCLUNK)->fid, 0);
	peer_answer(&peer.m);
	assert_null(peer_take());
}

static const struct {
	const char *version;
	uint32_t msize;
	enum tn_err err;
	const char *words;
} versions[] = {
	{ "9P2000", 8192, TN_OK, "no error" },
	{ "9P2000", (128 << 10) + TN_IOHDR_SIZE, TN_OK, "no error" },
	{ "9P2000.e", 8192, TN_OK, "no error" },
	{ "9P2000", 256, TN_OK, "no error" },
	{ "9P2000", 255, TN_EBADVERSION, "tcp!test!564: msize out of range in Rversion" },
	{ "9P2000", 0, TN_EBADVERSION, "tcp!test!564: msize out of range in Rversion" },
	{ "9P2000", (128 << 10) + 25, TN_EBADVERSION,
	    "tcp!test!564: msize out of range in Rversion" },
	{ "9P2000.u", 8192, TN_EBADVERSION, "tcp!test!564: 9P version not supported: 9P2000.u" },
	{ "9P2000.L", 8192, TN_EBADVERSION, "tcp!test!564: 9P version not supported: 9P2000.L" },
	{ "unknown", 8192, TN_EBADVERSION, "tcp!test!564: 9P version not supported: unknown" },
	{ "9P2001", 8192, TN_EBADVERSION, "tcp!test!564: 9P version not supported: 9P2001" },
	{ "9P20000", 8192, TN_EBADVERSION, "tcp!test!564: 9P version not supported: 9P20000" },
	{ "9P", 8192, TN_EBADVERSION, "tcp!test!564: 9P version not supported: 9P" },
	{ "", 8192, TN_EBADVERSION, "tcp!test!564: 9P version not supported" },
	{ "\033[2J", 8192, TN_EBADVERSION, "tcp!test!564: 9P version not supported: ?[2J" },
};

/* version(5): not more than was offered, of the message's size and of the version. */
static void a_version_that_was_not_offered_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(versions); i++) {
		struct tn_msg m = { .type = TN_RVERSION,
			.tag = TN_NOTAG,
			.msize = versions[i].msize };
		struct ask *a;

		print_message("%s %u\n", versions[i].version, versions[i].msize);
		m.version = (struct tn_str){ versions[i].version,
			(uint32_t)strlen(versions[i].version) };
		peer_start(NULL);
		a = ask_attach();
		peer_expect(TN_TVERSION);
		peer_send(&m);
		peer_serve();
		must_say(a, versions[i].err, versions[i].words);
		peer_end();
	}
}

static void a_refused_version_is_told_in_the_peers_words(void **state)
{
	struct ask *a = ask_attach();

	(void)state;
	peer_error(peer_expect(TN_TVERSION)->tag, "go away");
	run();
	must_say(a, TN_EBADVERSION, "tcp!test!564: version refused: go away");
}

static void a_refused_attach_is_told_in_the_peers_words(void **state)
{
	struct ask *a = ask_attach();

	(void)state;
	peer_answer(peer_expect(TN_TVERSION));
	peer_error(peer_expect(TN_TATTACH)->tag, "no such tree here");
	must_say(a, TN_EREMOTE, "no such tree here");
}

static void a_failed_dial_is_told_with_its_cause(void **state)
{
	struct ask *a, *b;

	(void)state;
	peer.refuse = true;
	a = ask_attach();
	b = ask_attach();
	run();
	must_say(a, TN_ECONNREFUSED, "tcp!test!564: connection refused");
	must_say(b, TN_ECONNREFUSED, "tcp!test!564: connection refused");
	assert_int_equal(peer.dials, 1);
}

/* ---- walk ---- */

static void a_path_of_five_elements_is_one_walk_and_one_open(void **state)
{
	struct tn_chan *root = got_attach(), *c;
	const struct tn_msg *m;
	struct ask *a = ask_walk(root, "da/db/dc/dd/e");

	(void)state;
	m = peer_expect(TN_TWALK);
	assert_int_equal(m->nwname, 5);
	peer_answer(m);
	assert_int_equal(a->r.u.walk.n_walked, 5);
	assert_int_equal(a->qids[4].path, peer_qid(TN_STR("e")).path);
	assert_int_equal(a->newchan->qid.path, a->qids[4].path);
	c = got(a);
	a = ask_open(c, TN_OREAD);
	peer_answer(peer_expect(TN_TOPEN));
	assert_null(peer_take());
	must(a, TN_OK);
	put(c);
	put(root);
}

static void a_stat_of_a_name_is_walk_stat_clunk(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "da/f");
	struct ask *a = ask_simple(TN_STAT, c);

	(void)state;
	peer_answer(peer_expect(TN_TSTAT));
	assert_string_equal(a->st_name, "f");
	assert_int_equal(a->st.length, 20000);
	must(a, TN_OK);
	tn_chan_put(c);
	peer_answer(peer_expect(TN_TCLUNK));
	assert_null(peer_take());
	assert_int_equal(peer.counts[TN_TWALK], 1);
	put(root);
}

/* walk(5): as far as it went; newfid is made only when all went. */
static void a_walk_that_stops_midway_makes_no_fid(void **state)
{
	struct tn_chan *root = got_attach();
	struct ask *a = ask_walk(root, "da/no/x"), *b = ask_walk(root, "no/x");

	(void)state;
	peer_serve();
	assert_int_equal(a->r.u.walk.n_walked, 1);
	assert_false(a->newchan->flags & TN_CF_USED);
	must(a, TN_OK);
	must_say(b, TN_ENOENT, "file does not exist");
	put(root);
	assert_int_equal(peer.counts[TN_TCLUNK], 1); /* the root's */
}

static void what_is_no_name_is_not_shown_to_the_peer(void **state)
{
	struct tn_chan *root = got_attach();
	struct ask *a = ask_walk(root, "."), *b = ask_walk(root, "da/./db");

	(void)state;
	must(a, TN_ENOENT);
	assert_int_equal(peer_expect(TN_TWALK)->nwname, 1);
	peer_answer(&peer.m);
	peer_answer(peer_expect(TN_TCLUNK)); /* of what the names before it reached */
	assert_int_equal(b->r.u.walk.n_walked, 1);
	must(b, TN_OK);
	put(root);
}

static void a_walk_of_no_names_is_the_same_file(void **state)
{
	struct tn_chan *root = got_attach(), *a = got_walk(root, "da"), *b = got_walk(a, "");

	(void)state;
	assert_int_equal(b->qid.path, a->qid.path);
	put(a);
	put(b);
	put(root);
}

/* Sixteen names of a msize that has no room for them go in pieces, and it shows nowhere. */
static void a_small_msize_splits_a_walk(void **state)
{
	static const char path[] =
	    "dddddddddddddddddddddddddddddd1/dddddddddddddddddddddddddddddd2/"
	    "dddddddddddddddddddddddddddddd3/dddddddddddddddddddddddddddddd4/"
	    "dddddddddddddddddddddddddddddd5/dddddddddddddddddddddddddddddd6/"
	    "dddddddddddddddddddddddddddddd7/dddddddddddddddddddddddddddddd8";
	struct tn_chan *root, *c;
	struct ask *a;

	(void)state;
	peer.msize = 256;
	root = got_attach();
	a = ask_walk(root, path);
	peer_serve();
	assert_int_equal(a->r.u.walk.n_walked, 8);
	c = got(a);
	assert_int_equal(peer.counts[TN_TWALK], 2);
	put(c);
	put(root);
}

static void qids_by_name_are_the_names(void **state)
{
	struct tn_client_options o = { .label = "x", .dialect = TN_DIALECTS, .qids_by_name = true };
	struct tn_chan *root, *a, *b;
	struct ask *w, *s;

	(void)state;
	peer_start(&o);
	root = got_attach();
	a = got_walk(root, "da/x");
	w = ask_walk(root, "db/../da/x");
	peer_serve();
	assert_int_equal(w->qids[1].path, root->qid.path);
	b = got(w);
	assert_int_equal(a->qid.path, b->qid.path);
	s = ask_simple(TN_STAT, b);
	peer_serve();
	assert_int_equal(s->st.qid.path, a->qid.path);
	must(s, TN_OK);
	put(b);
	b = got_walk(root, "x");
	assert_int_not_equal(a->qid.path, b->qid.path);
	put(a);
	put(b);
	put(root);
	peer_end();
}

/* ---- reading and writing ---- */

static void a_read_within_a_message_is_one_message(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_io(TN_READ, c, 8192, 100);

	(void)state;
	peer_answer(peer_expect(TN_TREAD));
	assert_null(peer_take());
	assert_int_equal(a->r.u.io.count, 8192);
	assert_memory_equal(a->data, peer.content + 100, 8192);
	must(a, TN_OK);
	put(c);
	put(root);
}

static void a_large_read_of_a_regular_file_is_in_parts_at_once(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_io(TN_READ, c, 60000, 0);

	(void)state;
	/* The first time it is asked whether it is one. */
	peer_answer(peer_expect(TN_TREAD));
	peer_answer(peer_expect(TN_TSTAT));
	peer_serve();
	assert_int_equal(a->r.u.io.count, 20000);
	assert_memory_equal(a->data, peer.content, 20000);
	must(a, TN_OK);
	peer.content_len = 50000;
	memset(peer.counts, 0, sizeof(peer.counts));
	a = ask_io(TN_READ, c, 60000, 0);
	run();
	peer_pull();
	peer_serve();
	assert_int_equal(peer.counts[TN_TREAD], 8);
	assert_int_equal(peer.counts[TN_TSTAT], 0);
	assert_int_equal(a->r.u.io.count, 50000);
	assert_memory_equal(a->data, peer.content, 50000);
	must(a, TN_OK);
	put(c);
	put(root);
}

/* A second part could wait for ever, or take away what comes later. */
static void a_large_read_of_what_may_be_a_device_is_its_first_part(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a;

	(void)state;
	peer.no_stat = true;
	a = ask_io(TN_READ, c, 60000, 0);
	peer_serve();
	assert_int_equal(a->r.u.io.count, 8192);
	assert_int_equal(peer.counts[TN_TREAD], 1);
	must(a, TN_OK);
	put(c);
	/* Nor of what its stat says is one. */
	peer.no_stat = false;
	peer.stat_type = 'c';
	c = got_open(root, "f");
	for (int i = 0; i < 2; i++) {
		a = ask_io(TN_READ, c, 60000, 0);
		peer_serve();
		assert_int_equal(a->r.u.io.count, 8192);
		must(a, TN_OK);
	}
	put(c);
	put(root);
}

/* Answers in any order; the first short part is the end. */
static void parts_may_be_answered_in_any_order(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct tn_msg parts[4];
	struct ask *a = ask_simple(TN_STAT, c);

	(void)state;
	peer_serve();
	must(a, TN_OK);
	a = ask_io(TN_READ, c, 32768, 0);
	for (int i = 0; i < 4; i++)
		parts[i] = *peer_expect(TN_TREAD);
	assert_null(peer_take());
	for (int i = 3; i >= 0; i--) {
		struct tn_msg m = { .type = TN_RREAD, .tag = parts[i].tag, .count = 8192 };

		m.data = (uint8_t *)peer.content + parts[i].offset;
		if (parts[i].offset == 8192)
			m.count = 10;
		peer_send(&m);
	}
	assert_int_equal(a->r.u.io.count, 8202);
	assert_memory_equal(a->data, peer.content, 8202);
	must(a, TN_OK);
	put(c);
	put(root);
}

static void an_error_behind_data_is_a_short_read(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_simple(TN_STAT, c);

	(void)state;
	peer_serve();
	must(a, TN_OK);
	a = ask_io(TN_READ, c, 16384, 0);
	peer_answer(peer_expect(TN_TREAD));
	peer_error(peer_expect(TN_TREAD)->tag, "i/o error");
	assert_int_equal(a->r.u.io.count, 8192);
	must(a, TN_OK);
	a = ask_io(TN_READ, c, 16384, 0);
	peer_error(peer_expect(TN_TREAD)->tag, "sector 7 is gone");
	peer_answer(peer_expect(TN_TREAD));
	must_say(a, TN_EREMOTE, "sector 7 is gone");
	put(c);
	put(root);
}

static void a_large_write_arrives_whole(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "d");
	struct ask *a = ask_new(TN_CREATE, c);

	(void)state;
	a->r.u.create.name = TN_STR("new");
	a->r.u.create.perm = 0644;
	a->r.flags = TN_OWRITE;
	ask_go(a);
	peer_serve();
	must(a, TN_OK);
	assert_true(c->flags & TN_CF_OPEN);
	a = ask_io(TN_WRITE, c, 50000, 0);
	peer_serve();
	assert_int_equal(a->r.u.io.count, 50000);
	assert_memory_equal(peer.content, a->data, 50000);
	assert_int_equal(peer.counts[TN_TWRITE], 7);
	must(a, TN_OK);
	put(c);
	/* And to what may be a pipe: part behind part. */
	c = got_open(root, "p");
	a = ask_io(TN_WRITE, c, 20000, 3);
	peer_answer(peer_expect(TN_TWRITE));
	peer_answer(peer_expect(TN_TWRITE));
	peer_answer(peer_expect(TN_TWRITE));
	assert_null(peer_take());
	assert_int_equal(a->r.u.io.count, 20000);
	assert_memory_equal(peer.content + 3, a->data, 20000);
	must(a, TN_OK);
	put(c);
	put(root);
}

static void the_iounit_is_kept(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "f");
	struct ask *a = ask_open(c, TN_OREAD);
	struct tn_msg m = { .type = TN_ROPEN, .iounit = 1000 };

	(void)state;
	m.tag = peer_expect(TN_TOPEN)->tag;
	peer.fids[peer.m.fid].open = true;
	peer_send(&m);
	assert_int_equal(a->r.u.open.iounit, 1000);
	must(a, TN_OK);
	a = ask_io(TN_READ, c, 5000, 0);
	assert_int_equal(peer_expect(TN_TREAD)->count, 1000);
	peer_answer(&peer.m);
	peer_serve();
	must(a, TN_OK);
	put(c);
	put(root);
}

/* ---- directories ---- */

static void a_directory_is_read_with_one_message_and_kept(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "d");
	struct ask *a = ask_readdir(c, 0, 3);
	uint64_t next, third;

	(void)state;
	peer_answer(peer_expect(TN_TREAD));
	assert_string_equal(a->entries, "f0 f1 f2 ");
	third = next = a->next;
	must(a, TN_OK);
	a = ask_readdir(c, next, 4);
	assert_null(peer_take());
	assert_string_equal(a->entries, "f3 f4 f5 f6 ");
	next = a->next;
	must(a, TN_OK);
	a = ask_readdir(c, next, 100);
	assert_null(peer_take());
	assert_string_equal(a->entries, "f7 f8 f9 ");
	next = a->next;
	must(a, TN_OK);
	a = ask_readdir(c, next, 100);
	peer_answer(peer_expect(TN_TREAD));
	assert_string_equal(a->entries, "");
	must(a, TN_OK);
	/* Back to the third, and from the beginning. */
	a = ask_readdir(c, third, 2);
	assert_int_equal(peer_expect(TN_TREAD)->offset, 0);
	peer_answer(&peer.m);
	assert_string_equal(a->entries, "f3 f4 ");
	must(a, TN_OK);
	a = ask_readdir(c, 0, 1);
	assert_int_equal(peer_expect(TN_TREAD)->offset, 0);
	peer_answer(&peer.m);
	assert_string_equal(a->entries, "f0 ");
	must(a, TN_OK);
	put(c);
	put(root);
}

static void a_listing_goes_on_behind_any_place(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "d");
	struct ask *a;

	(void)state;
	a = ask_readdir(c, 3, 100);
	peer_serve();
	assert_string_equal(a->entries, "f1 f2 f3 f4 f5 f6 f7 f8 f9 ");
	must(a, TN_OK);
	a = ask_readdir(c, 1 << 20, 100);
	peer_serve();
	assert_string_equal(a->entries, "");
	must(a, TN_OK);
	put(c);
	put(root);
}

static void two_listings_of_one_chan_do_not_mix(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "d");
	struct ask *a = ask_readdir(c, 0, 2), *b = ask_readdir(c, 0, 3);

	(void)state;
	peer_answer(peer_expect(TN_TREAD));
	assert_int_equal(b->done, 0);
	peer_answer(peer_expect(TN_TREAD));
	assert_string_equal(a->entries, "f0 f1 ");
	assert_string_equal(b->entries, "f0 f1 f2 ");
	must(a, TN_OK);
	must(b, TN_OK);
	put(c);
	put(root);
}

static void a_file_is_no_directory_and_the_reverse(void **state)
{
	struct tn_chan *root = got_attach(), *d = got_open(root, "d"), *f = got_open(root, "f");

	(void)state;
	must(ask_io(TN_READ, d, 10, 0), TN_EISDIR);
	must(ask_readdir(f, 0, 10), TN_ENOTDIR);
	assert_null(peer_take());
	put(d);
	put(f);
	put(root);
}

/* ---- what changes files ---- */

static void a_rename_in_a_directory_is_a_wstat_of_the_name(void **state)
{
	struct tn_chan *root = got_attach(), *d = got_walk(root, "d"), *e = got_walk(root, "de");
	struct ask *a = ask_new(TN_RENAME, d);

	(void)state;
	a->r.chan2 = d;
	a->r.u.rename.name = TN_STR("old");
	a->r.u.rename.newname = TN_STR("new");
	ask_go(a);
	peer_answer(peer_expect(TN_TWALK));
	peer_expect(TN_TWSTAT);
	assert_int_equal(peer.m.stat.valid, TN_ST_NAME);
	assert_memory_equal(peer.m.stat.name.s, "new", 3);
	peer_answer(&peer.m);
	must(a, TN_OK);
	peer_answer(peer_expect(TN_TCLUNK));
	assert_null(peer_take());
	a = ask_new(TN_RENAME, d);
	a->r.chan2 = e;
	a->r.u.rename.name = TN_STR("old");
	a->r.u.rename.newname = TN_STR("new");
	ask_go(a);
	must(a, TN_EXDEV);
	put(d);
	put(e);
	put(root);
}

static void a_remove_is_the_fids_end(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "f");
	struct ask *a = ask_simple(TN_REMOVE, c);

	(void)state;
	peer_answer(peer_expect(TN_TREMOVE));
	must(a, TN_OK);
	must(ask_simple(TN_STAT, c), TN_ESTALE);
	put(c);
	put(root);
	assert_int_equal(peer.counts[TN_TCLUNK], 1);
}

/* remove(5): refused or not, the fid is gone. The file is not, so its Chan is walked again. */
static void a_chan_whose_remove_was_refused_is_still_good(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "da/f");
	struct ask *a = ask_simple(TN_REMOVE, c);

	(void)state;
	peer_expect(TN_TREMOVE);
	peer.fids[peer.m.fid].used = false;
	peer_error(peer.m.tag, "permission denied");
	must(a, TN_EACCES);
	a = ask_simple(TN_STAT, c);
	peer_serve();
	assert_string_equal(a->st_name, "f");
	must(a, TN_OK);
	put(c);
	put(root);
}

static void what_9p2000_cannot_say_is_refused_whole(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "f");
	struct tn_stat st = { .valid = TN_ST_MODE | TN_ST_NUID, .mode = 0600 };
	struct ask *a = ask_new(TN_WSTAT, c);

	(void)state;
	a->r.u.wstat.st = &st;
	ask_go(a);
	must(a, TN_ENOTSUP);
	st.valid = TN_ST_MODE | TN_ST_MTIME_NOW | TN_ST_ATIME_NOW;
	a = ask_new(TN_WSTAT, c);
	a->r.u.wstat.st = &st;
	ask_go(a);
	peer_expect(TN_TWSTAT);
	assert_int_equal(peer.m.stat.valid, TN_ST_MODE | TN_ST_MTIME);
	peer_answer(&peer.m);
	must(a, TN_OK);
	put(c);
	put(root);
}

static void names_with_a_slash_go_nowhere(void **state)
{
	struct tn_chan *root = got_attach();
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("../x") };
	struct ask *a = ask_new(TN_CREATE, root);

	(void)state;
	a->r.u.create.name = TN_STR("a/b");
	ask_go(a);
	must(a, TN_EBADCHAR);
	a = ask_new(TN_WSTAT, root);
	a->r.u.wstat.st = &st;
	ask_go(a);
	must(a, TN_EBADCHAR);
	assert_null(peer_take());
	put(root);
}

/* A server that knows version, attach, walk, open, read, write, clunk and error only. */
static void a_server_without_stat_can_be_used(void **state)
{
	struct tn_chan *root, *c;
	struct ask *a;

	(void)state;
	peer.no_stat = true;
	root = got_attach();
	a = ask_simple(TN_STAT, root);
	peer_serve();
	assert_string_equal(a->st_name, "/");
	assert_int_equal(a->st.mode, TN_DMDIR | 0777);
	must(a, TN_OK);
	c = got_walk(root, "f");
	a = ask_simple(TN_STAT, c);
	peer_serve();
	assert_int_equal(a->st.mode, 0666);
	assert_false(a->st.valid & (TN_ST_LENGTH | TN_ST_MTIME | TN_ST_UID));
	must(a, TN_OK);
	put(c);
	put(root);
}

/* ---- limits, and nothing too much ---- */

static void fids_max_is_an_error_of_its_own(void **state)
{
	struct tn_client_options o = { .label = "x", .dialect = TN_DIALECTS, .fids_max = 2 };
	struct tn_chan *root, *c;
	struct ask *a;

	(void)state;
	peer_start(&o);
	root = got_attach();
	c = got_walk(root, "f");
	a = ask_walk(root, "g");
	must(a, TN_ELIMIT_FIDS);
	put(c);
	c = got_walk(root, "g");
	put(c);
	put(root);
	peer_end();
}

enum { MANY = 901 };

static struct tn_msg reads[MANY];
static int n_reads;

/* Tells that the peer lives; reads are noted. */
static void answer_probes(void)
{
	const struct tn_msg *m;

	while ((m = peer_take()) != NULL) {
		if (m->type == TN_TREAD)
			reads[n_reads++] = *m;
		else
			peer_answer(m);
	}
}

static void too_many_requests_wait_and_have_an_error_of_their_own(void **state)
{
	static struct ask *asks[MANY];
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");

	(void)state;
	for (int i = 0; i < MANY; i++)
		asks[i] = ask_io(TN_READ, c, 10, 0);
	assert_int_equal(asks[MANY - 1]->done, 0);
	peer_serve();
	for (int i = 0; i < MANY; i++)
		must(asks[i], TN_OK);
	/* They all wait, as reads of a device may: the next is told why it cannot begin. */
	for (int i = 0; i < MANY; i++)
		asks[i] = ask_io(TN_READ, c, 10, 0);
	for (int i = 0; i < 3; i++) {
		pass(4 * (uint64_t)SECOND);
		answer_probes();
	}
	must(asks[MANY - 1], TN_ELIMIT_REQS);
	for (int i = 0; i < MANY - 1; i++)
		peer_answer(&reads[i]);
	peer_serve();
	for (int i = 0; i < MANY - 1; i++)
		must(asks[i], TN_OK);
	put(c);
	put(root);
}

static unsigned allocations;

static bool count_allocation(size_t size)
{
	(void)size;
	allocations++;
	return true;
}

static void work(struct tn_chan *root)
{
	struct tn_chan *c = got_walk(root, "da/db/f");
	struct ask *a = ask_open(c, TN_OREAD);

	peer_serve();
	must(a, TN_OK);
	a = ask_io(TN_READ, c, 4000, 0);
	peer_serve();
	must(a, TN_OK);
	a = ask_simple(TN_STAT, c);
	peer_serve();
	must(a, TN_OK);
	put(c);
}

static bool no_request_allocation(size_t size)
{
	return size == 1 || count_allocation(size); /* 1: ask_keep */
}

static void in_the_steady_state_nothing_is_allocated(void **state)
{
	struct tn_chan *root = got_attach();

	(void)state;
	for (int i = 0; i < 4; i++)
		work(root);
	allocations = 0;
	tn_alloc_hook = no_request_allocation;
	for (int i = 0; i < 10; i++)
		work(root);
	tn_alloc_hook = NULL;
	assert_int_equal(allocations, 0);
	put(root);
}

/* Every allocation failing in its turn: each request ends once, nothing leaks, the client works on. */
static unsigned fail_at;

static bool fail_one(size_t size)
{
	(void)size;
	return ++allocations != fail_at;
}

static void whole_session(void)
{
	struct ask *a = ask_attach(), *w = NULL, *b;
	struct tn_chan *c;

	peer_serve();
	if (a->r.err != TN_OK)
		goto out;
	w = ask_walk(a->newchan, "da/db/f");
	peer_serve();
	c = w->newchan;
	if (w->r.err == TN_OK) {
		b = ask_open(c, TN_ORDWR);
		peer_serve();
		if (b->r.err == TN_OK) {
			ask_free(b);
			b = ask_io(TN_READ, c, 60000, 0);
			peer_serve();
			ask_free(b);
			b = ask_io(TN_WRITE, c, 30000, 0);
			peer_serve();
		}
		ask_free(b);
	}
	b = ask_walk(a->newchan, "d");
	peer_serve();
	c = b->newchan;
	if (b->r.err == TN_OK) {
		struct ask *o = ask_open(c, TN_OREAD), *l;

		peer_serve();
		if (o->r.err == TN_OK) {
			l = ask_readdir(c, 0, 2);
			peer_serve();
			if (l->r.err == TN_OK)
				assert_string_equal(l->entries, "f0 f1 ");
			ask_free(l);
		}
		ask_free(o);
	}
	ask_free(b);
	peer_serve();
out:
	if (w)
		ask_free(w);
	ask_free(a);
	pass(SECOND); /* clunks that found no memory come again */
	peer_serve();
}

/* newchan is there, or the test has nothing to look at. */
static bool fail_one_big(size_t size)
{
	return size == sizeof(struct tn_chan) || fail_one(size);
}

static void every_allocation_may_fail(void **state)
{
	unsigned n;

	(void)state;
	allocations = 0;
	fail_at = 0;
	tn_alloc_hook = fail_one_big;
	whole_session();
	n = allocations;
	tn_alloc_hook = NULL;
	peer_end();
	assert_true(n > 10);
	for (fail_at = 1; fail_at <= n; fail_at++) {
		struct tn_chan *root;

		peer_start(NULL);
		tn_chan_put(tn_chan_new(peer.server, NULL)); /* the reaper is there */
		allocations = 0;
		tn_alloc_hook = fail_one_big;
		whole_session();
		tn_alloc_hook = NULL;
		pass(11 * (uint64_t)SECOND);
		root = got_attach();
		put(root);
		peer_end();
	}
	peer_start(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEER_TEST(an_attach_is_a_version_and_an_attach),
		cmocka_unit_test(a_version_that_was_not_offered_is_refused),
		PEER_TEST(a_refused_version_is_told_in_the_peers_words),
		PEER_TEST(a_refused_attach_is_told_in_the_peers_words),
		PEER_TEST(a_failed_dial_is_told_with_its_cause),
		PEER_TEST(a_path_of_five_elements_is_one_walk_and_one_open),
		PEER_TEST(a_stat_of_a_name_is_walk_stat_clunk),
		PEER_TEST(a_walk_that_stops_midway_makes_no_fid),
		PEER_TEST(what_is_no_name_is_not_shown_to_the_peer),
		PEER_TEST(a_walk_of_no_names_is_the_same_file),
		PEER_TEST(a_small_msize_splits_a_walk),
		cmocka_unit_test(qids_by_name_are_the_names),
		PEER_TEST(a_read_within_a_message_is_one_message),
		PEER_TEST(a_large_read_of_a_regular_file_is_in_parts_at_once),
		PEER_TEST(a_large_read_of_what_may_be_a_device_is_its_first_part),
		PEER_TEST(parts_may_be_answered_in_any_order),
		PEER_TEST(an_error_behind_data_is_a_short_read),
		PEER_TEST(a_large_write_arrives_whole),
		PEER_TEST(the_iounit_is_kept),
		PEER_TEST(a_directory_is_read_with_one_message_and_kept),
		PEER_TEST(a_listing_goes_on_behind_any_place),
		PEER_TEST(two_listings_of_one_chan_do_not_mix),
		PEER_TEST(a_file_is_no_directory_and_the_reverse),
		PEER_TEST(a_rename_in_a_directory_is_a_wstat_of_the_name),
		PEER_TEST(a_remove_is_the_fids_end),
		PEER_TEST(a_chan_whose_remove_was_refused_is_still_good),
		PEER_TEST(what_9p2000_cannot_say_is_refused_whole),
		PEER_TEST(names_with_a_slash_go_nowhere),
		PEER_TEST(a_server_without_stat_can_be_used),
		cmocka_unit_test(fids_max_is_an_error_of_its_own),
		PEER_TEST(too_many_requests_wait_and_have_an_error_of_their_own),
		PEER_TEST(in_the_steady_state_nothing_is_allocated),
		PEER_TEST(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
