/*
 * TN_WATCH at a peer: what is attached, opened, written and read for it, and what each answer is to who watches.
 * fs/watch.h has the lines.
 */
#include "core/change.h"
#include "peer.h"

static struct tn_chan *root, *d, *e;
static struct tn_msg reading; /* the feed's Tread */

/* ---- who watches ---- */

/* What is heard is in a->entries, as lines of number 0. */
static void heard(struct tn_req *r, const struct tn_change *c)
{
	struct ask *a = (struct ask *)r;
	char line[TN_CHANGE_LINE_MAX];
	size_t len = strlen(a->entries), n = tn_change_line(line, 0, c);

	assert_true(len + n < sizeof(a->entries));
	memcpy(a->entries + len, line, n);
	a->entries[len + n] = '\0';
}

static const struct tn_owner watcher = { .done = ask_done, .keep = ask_keep, .change = heard };

static struct ask *ask_watch(struct tn_chan *c)
{
	struct ask *a = ask_new(TN_WATCH, c);

	a->r.owner = &watcher;
	ask_go(a);
	return a;
}

static void hears(struct ask *a, const char *lines)
{
	assert_string_equal(a->entries, lines);
	a->entries[0] = '\0';
}

static void flush(struct ask *a)
{
	tn_flush(&a->r);
	must(a, TN_EINTR);
}

/* ---- the peer's file ---- */

/* Answers the attach as a peer does that has the file. */
static void have_file(const char *user)
{
	const struct tn_msg *m = peer_expect(TN_TATTACH);
	struct tn_msg a = { .type = TN_RATTACH, .tag = m->tag, .qid = { .path = 99 } };

	assert_int_equal(m->aname.len, strlen(TN_WATCH_ANAME));
	assert_memory_equal(m->aname.s, TN_WATCH_ANAME, m->aname.len);
	assert_int_equal(m->uname.len, strlen(user));
	assert_memory_equal(m->uname.s, user, m->uname.len);
	peer.fids[m->fid] = (struct peer_fid){ .used = true, .qid = a.qid, .name = "watch" };
	peer_send(&a);
}

static void open_file(const char *user)
{
	have_file(user);
	peer_answer(peer_expect(TN_TOPEN));
	reading = *peer_expect(TN_TREAD);
	assert_int_equal(reading.offset, 0);
}

/* The client's next message is a write of that line. */
static void takes(const char *line)
{
	const struct tn_msg *m = peer_expect(TN_TWRITE);
	struct tn_msg a = { .type = TN_RWRITE, .tag = m->tag, .count = m->count };

	assert_int_equal(m->count, strlen(line));
	assert_memory_equal(m->data, line, m->count);
	peer_send(&a);
}

static void says(const char *lines)
{
	uint32_t n = (uint32_t)strlen(lines);
	struct tn_msg a = { .type = TN_RREAD,
		.tag = reading.tag,
		.data = (uint8_t *)(uintptr_t)lines,
		.count = n };
	uint64_t end = reading.offset + n;

	peer_send(&a);
	reading = *peer_expect(TN_TREAD);
	assert_int_equal(reading.offset, end);
}

/* d is watched as number 1, and that has begun. */
static struct ask *begun(void)
{
	struct ask *a = ask_watch(d);

	open_file("glenda");
	takes("watch 1 /d\n");
	says("begun 1 f 0 \n");
	hears(a, "begun 0 f 0 \n");
	return a;
}

/* ---- tests ---- */

static void a_watch_is_a_line_of_a_file_that_is_attached_beside(void **state)
{
	struct ask *a = begun(), *b;

	(void)state;
	says("made 1 f 0 x\nleft 1 d 7 y\n");
	hears(a, "made 0 f 0 x\nleft 0 d 7 y\n");
	b = ask_watch(e);
	takes("watch 2 /d/de\n");
	says("begun 2 f 0 \nwritten 2 f 0 a\\n\\\\\n");
	hears(a, "");
	hears(b, "begun 0 f 0 \nwritten 0 f 0 a\\n\\\\\n");
	flush(a);
	flush(b);
	peer_serve();
}

static void a_line_may_come_in_pieces(void **state)
{
	struct ask *a = begun();

	(void)state;
	says("made 1 f 0 x\nma");
	says("de 1 f 0 y");
	hears(a, "made 0 f 0 x\n");
	says("\n");
	hears(a, "made 0 f 0 y\n");
	flush(a);
	peer_serve();
}

static void the_peer_is_told_when_one_watch_ends_and_the_file_goes_with_the_last(void **state)
{
	struct ask *a = begun(), *b = ask_watch(e);

	(void)state;
	takes("watch 2 /d/de\n");
	flush(a);
	takes("end 1\n");
	assert_null(peer_take());
	says("made 1 f 0 x\nmade 2 f 0 x\n"); /* it had not heard yet */
	hears(b, "made 0 f 0 x\n");
	flush(b);
	peer_serve();
	assert_int_equal(peer.counts[TN_TCLUNK], 1);
}

/* How a watch ends that never began says that there can be none: nobody need ask again soon. */
static void a_watch_ends_as_one_that_cannot_be_or_as_one_of_a_directory_that_went(void **state)
{
	struct ask *a = begun(), *b = ask_watch(e);

	(void)state;
	takes("watch 2 /d/de\n");
	says("end 2 permission denied\n");
	must(b, TN_ENOTSUP);
	says("end 1 file does not exist\n");
	must(a, TN_ENOENT);
	peer_serve();
}

static void a_line_that_is_refused_ends_its_watch_alone(void **state)
{
	struct ask *a = begun(), *b = ask_watch(e);

	(void)state;
	peer_error(peer_expect(TN_TWRITE)->tag, "permission denied");
	run();
	must(b, TN_EACCES);
	says("made 1 f 0 x\n");
	hears(a, "made 0 f 0 x\n");
	flush(a);
	peer_serve();
}

/* 256 names deep: mntwatch.c. */
static void a_directory_that_is_too_deep_for_a_line_is_told_so(void **state)
{
	struct ask *a = begun(), *b;
	struct tn_chan *at = got_walk(root, ""), *next;

	(void)state;
	for (int i = 0; i < 17; i++) {
		next = got_walk(at, "d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d");
		put(at);
		at = next;
	}
	b = ask_watch(at);
	must(b, TN_ENAMETOOLONG);
	says("made 1 f 0 x\n");
	hears(a, "made 0 f 0 x\n");
	flush(a);
	peer_serve();
	put(at);
}

static void a_peer_without_the_file_is_asked_once_a_connection(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ask *a = ask_watch(d), *stat;

		peer_error(peer_expect(TN_TATTACH)->tag, "file does not exist");
		peer_serve();
		must(a, TN_ENOTSUP);
		must(ask_watch(d), TN_ENOTSUP);
		must(ask_watch(e), TN_ENOTSUP);
		assert_null(peer_take());
		peer_hangup();
		stat = ask_simple(TN_STAT, root);
		peer_serve();
		must(stat, TN_OK);
	}
}

static struct tn_chan *got_attach_as(const char *user)
{
	struct ask *a = ask_new(TN_ATTACH, NULL);

	a->r.server = peer.server;
	a->r.u.attach.uname = (struct tn_str){ user, (uint32_t)strlen(user) };
	a->r.u.attach.newchan = a->newchan = tn_chan_new(peer.server, NULL);
	ask_go(a);
	return got(a);
}

/* What the peer tells by a file is what the user may know who attached: fs/watch.h. */
static void each_user_who_attached_has_a_file_of_his_own(void **state)
{
	struct tn_chan *his = got_attach_as("rob"), *also = got_attach_as("glenda");
	struct ask *a = begun(), *b, *c;
	struct tn_msg glendas = reading;

	(void)state;
	c = ask_watch(also);
	takes("watch 2 \n");
	b = ask_watch(his);
	open_file("rob");
	takes("watch 1 \n");
	says("begun 1 f 0 \nmade 1 f 0 x\n");
	hears(a, "");
	hears(b, "begun 0 f 0 \nmade 0 f 0 x\n");
	flush(b);
	peer_serve();
	reading = glendas;
	says("made 1 f 0 y\nbegun 2 f 0 \n");
	hears(a, "made 0 f 0 y\n");
	hears(c, "begun 0 f 0 \n");
	flush(a);
	flush(c);
	peer_serve();
	put(his);
	put(also);
}

/* A peer that passes attach names over. */
static void a_directory_is_no_such_file(void **state)
{
	struct ask *a = ask_watch(d);

	(void)state;
	peer_answer(peer_expect(TN_TATTACH));
	peer_answer(peer_expect(TN_TCLUNK));
	must(a, TN_ENOTSUP);
	assert_null(peer_take());
}

static void what_is_no_line_ends_every_watch(void **state)
{
	static const char *const bad[] = { "hello\n", "made 1 f 0 a/b\n", "begun x f 0 \n" };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(bad); i++) {
		struct ask *a = begun();
		struct tn_msg m = { .type = TN_RREAD,
			.tag = reading.tag,
			.data = (uint8_t *)(uintptr_t)bad[i],
			.count = (uint32_t)strlen(bad[i]) };

		peer_send(&m);
		peer_serve();
		must(a, TN_ENOTSUP);
		assert_null(peer_take());
		peer_hangup();
		a = ask_simple(TN_STAT, root);
		peer_serve();
		must(a, TN_OK);
	}
}

static void after_a_loss_all_is_asked_for_again_and_something_may_be_missed(void **state)
{
	struct ask *a = begun();

	(void)state;
	peer_hangup();
	assert_int_equal(a->done, 0);
	pass(2 * (uint64_t)SECOND);
	peer_answer(peer_expect(TN_TVERSION));
	open_file("glenda");
	takes("watch 1 /d\n");
	says("begun 1 f 0 \n");
	hears(a, "begun 0 f 0 \nlost 0 f 0 \n");
	says("made 1 f 0 x\n");
	hears(a, "made 0 f 0 x\n");
	flush(a);
	peer_serve();
}

/* A feed that was too slow says it once for all. */
static void what_the_peer_has_lost_all_are_told(void **state)
{
	struct ask *a = begun(), *b = ask_watch(e);

	(void)state;
	takes("watch 2 /d/de\n");
	says("begun 2 f 0 \nlost 0 f 0 \n");
	hears(a, "lost 0 f 0 \n");
	hears(b, "begun 0 f 0 \nlost 0 f 0 \n");
	flush(a);
	flush(b);
	peer_serve();
}

static int set_up(void **state)
{
	peer_setup(state);
	root = got_attach();
	d = got_walk(root, "d");
	e = got_walk(root, "d/de");
	return 0;
}

static int tear_down(void **state)
{
	put(e);
	put(d);
	put(root);
	return peer_teardown(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_watch_is_a_line_of_a_file_that_is_attached_beside),
		TEST(a_line_may_come_in_pieces),
		TEST(the_peer_is_told_when_one_watch_ends_and_the_file_goes_with_the_last),
		TEST(a_watch_ends_as_one_that_cannot_be_or_as_one_of_a_directory_that_went),
		TEST(a_line_that_is_refused_ends_its_watch_alone),
		TEST(a_directory_that_is_too_deep_for_a_line_is_told_so),
		TEST(a_peer_without_the_file_is_asked_once_a_connection),
		TEST(each_user_who_attached_has_a_file_of_his_own),
		TEST(a_directory_is_no_such_file),
		TEST(what_is_no_line_ends_every_watch),
		TEST(after_a_loss_all_is_asked_for_again_and_something_may_be_missed),
		TEST(what_the_peer_has_lost_all_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
