/* mnt in 9P2000.L: attaches, a server with quirks, and memory. */
#include "dotl.h"

/* ---- attach ---- */

static void an_attach_that_is_not_there_is_told_as_one(void **state)
{
	struct ask *a = ask_attach();

	(void)state;
	peer_lerror(peer_expect(TN_TATTACH)->tag, 2);
	must_say(a, TN_EBADATTACH, "bad attach specifier");
	a = ask_attach();
	peer_lerror(peer_expect(TN_TATTACH)->tag, 1);
	must(a, TN_EPERM);
}

/* As nfs-ganesha 4.3 does: type and tag of Rerror, the body of Rlerror. Linux's net/9p takes either. */
static void an_rerror_with_a_number_is_the_errno(void **state)
{
	struct ask *a = ask_attach();
	uint16_t tag = peer_expect(TN_TATTACH)->tag;
	const uint8_t frame[] = { 11, 0, 0, 0, TN_RERROR, (uint8_t)tag, (uint8_t)(tag >> 8), 13, 0,
		0, 0 };

	(void)state;
	peer_bytes(frame, sizeof(frame));
	must(a, TN_EACCES);
	assert_non_null(peer.stream);
}

static void an_rerror_with_words_ends_the_connection(void **state)
{
	struct ask *a = ask_attach();
	uint16_t tag = peer_expect(TN_TATTACH)->tag;
	const uint8_t frame[] = { 12, 0, 0, 0, TN_RERROR, (uint8_t)tag, (uint8_t)(tag >> 8), 3, 0,
		'b', 'a', 'd' };

	(void)state;
	peer_bytes(frame, sizeof(frame));
	must_say(a, TN_ECONNLOST, "connection lost: tcp!test!564: malformed message");
	peer_serve();
}

/* ---- nfs-ganesha: mntquirk.c ---- */

static void ganesha_is_told_the_users_group(void **state)
{
	struct tn_user *user = tn_user_new(TN_STR("who"), 7, 8);
	struct ask *a;

	(void)state;
	for (int is_ganesha = 0; is_ganesha < 2; is_ganesha++) {
		struct tn_chan *d = got_walk(root, "d");

		if (is_ganesha)
			be_ganesha();
		a = ask_new(TN_CREATE, d);
		a->r.u.create.name = TN_STR("f");
		a->r.u.create.perm = 0644;
		a->r.u.create.gid = TN_NONUNAME;
		a->r.user = user;
		ask_go(a);
		assert_int_equal(peer_expect(TN_TLCREATE)->gid, is_ganesha ? 8 : TN_NONUNAME);
		peer_answer(&peer.m);
		must(a, TN_OK);
		put(d);
	}
	tn_user_put(user);
}

/* Tunlinkat, from a fid of the directory that is walked to for that. */
static void ganesha_is_not_sent_a_tremove(void **state)
{
	static const char *const names[] = { "f", "d/f", "d/d" };

	(void)state;
	be_ganesha();
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		struct tn_chan *c = got_walk(root, names[i]);
		struct ask *a = ask_simple(TN_REMOVE, c);
		const char *last = names[i] + strlen(names[i]) - 1;

		while (peer_take()->type != TN_TUNLINKAT)
			peer_answer(&peer.m);
		assert_true(is(peer.m.name, last));
		assert_int_equal(peer.m.flags, *last == 'd' ? 0x200 : 0);
		peer_reply(TN_RUNLINKAT, peer.m.tag);
		must(a, TN_OK);
		put(c);
		peer_serve();
	}
	assert_int_equal(peer.counts[TN_TREMOVE], 0);
}

/* ---- memory ---- */

static void serve_all(struct ask *a)
{
	const struct tn_msg *m;

	while ((m = peer_take()) != NULL) {
		switch (m->type) {
		case TN_TMKDIR: ANSWER(.qid = peer_qid(m->name)); break;
		case TN_TXATTRWALK:
			peer.fids[m->newfid].used = true;
			ANSWER(.length = 0);
			break;
		case TN_TWRITE: ANSWER(.count = m->count); break;
		default: peer_answer(m);
		}
	}
	ask_free(a);
}

static void session(void)
{
	struct ask *a = ask_walk(root, "da/f"), *b = ask_walk(root, "d"), *o;
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("no") };

	peer_serve();
	if (a->r.err == TN_OK) {
		serve_all(ask_xattr(TN_XATTRSET, a->newchan, "user.a", 10, 0));
		serve_all(ask_xattr(TN_XATTRGET, a->newchan, "user.a", 10, 0));
		serve_all(ask_wstat(a->newchan, &st));
		serve_all(ask_simple(TN_FSYNC, a->newchan));
	}
	if (b->r.err == TN_OK) {
		o = ask_open(b->newchan, TN_OREAD);
		peer_serve();
		if (o->r.err == TN_OK)
			serve_all(ask_stats(b->newchan, 0, 100));
		ask_free(o);
	}
	ask_free(b);
	ask_free(a);
	a = ask_walk(root, "d");
	peer_serve();
	if (a->r.err == TN_OK)
		serve_all(ask_create(a->newchan, "dd", TN_OREAD, TN_DMDIR | 0755));
	ask_free(a);
	pass(SECOND); /* clunks that found no memory come again */
	peer_serve();
}

static void in_l_every_allocation_may_fail(void **state)
{
	(void)state;
	scene_sweep(setup, session, teardown, 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(an_attach_that_is_not_there_is_told_as_one),
		L_TEST(an_rerror_with_a_number_is_the_errno),
		L_TEST(an_rerror_with_words_ends_the_connection),
		L_TEST(ganesha_is_told_the_users_group),
		L_TEST(ganesha_is_not_sent_a_tremove),
		cmocka_unit_test(in_l_every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
