/*
 * #ns: what its files ask of the host, and what they show.
 */
#include "fs/ns.h"

#include "drive.h"
#include "host/posix/host.h"

static char asked[256]; /* what the host was asked, in order */
static struct tn_req *kept_req;
static bool host_keeps;
static unsigned n_freed;

static void note(const char *what, struct tn_str text)
{
	size_t have = strlen(asked);

	snprintf(asked + have, sizeof(asked) - have, "%s(%.*s)", what, (int)text.len, text.s);
}

static enum tn_status ctl(void *arg, struct tn_req *r, struct tn_str text)
{
	assert_ptr_equal(arg, asked);
	note("ctl", text);
	if (host_keeps && tn_keep(r)) {
		kept_req = r;
		return TN_LATER;
	}
	if (text.len == 2 && memcmp(text.s, "ns", 2) == 0)
		tn_nsdev_answer(r, "bind /a /b\n", 11);
	return text.len == 3 && memcmp(text.s, "bad", 3) == 0 ? tn_fail(r, TN_EBADARG) : TN_DONE;
}

static enum tn_status answer(struct tn_req *r, const char *text)
{
	tn_nsdev_answer(r, text, strlen(text));
	return TN_DONE;
}

static const char *ns_text;

static enum tn_status print(void *arg, struct tn_req *r, struct tn_str text)
{
	(void)arg;
	note("print", text);
	return answer(r, ns_text);
}

static enum tn_status whence(void *arg, struct tn_req *r, struct tn_str text)
{
	(void)arg;
	note("whence", text);
	if (host_keeps && tn_keep(r)) {
		kept_req = r;
		return TN_LATER;
	}
	return answer(r, "it is here\n");
}

static void flush(void *arg, struct tn_req *r)
{
	(void)arg;
	assert_ptr_equal(r, kept_req);
	tn_fail(r, TN_EINTR);
	tn_respond(r);
}

static void freed(void *arg)
{
	(void)arg;
	n_freed++;
}

static const struct tn_nsdev_host host = {
	.arg = asked,
	.ctl = ctl,
	.print = print,
	.whence = whence,
	.flush = flush,
	.free = freed,
};

static struct tn_server *server;
static struct tn_chan *root;

static int setup(void **state)
{
	(void)state;
	loop_start();
	asked[0] = '\0';
	host_keeps = false;
	n_freed = 0;
	ns_text = "bind /a /b\n";
	server = tn_nsdev_new(&loop, &host);
	root = attach(server, "glenda");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	assert_int_equal(n_freed, 1);
	return 0;
}

static void a_write_to_ctl_is_answered_by_the_host(void **state)
{
	struct tn_chan *c = open_at(root, "ctl", TN_OWRITE);

	(void)state;
	assert_int_equal(write_text(c, "bind /a /b\n"), TN_OK);
	assert_int_equal(write_text(c, "bad\n"), TN_EBADARG);
	assert_int_equal(write_text(c, "\n"), TN_OK); /* nothing to do */
	assert_string_equal(asked, "ctl(bind /a /b)ctl(bad)");
	turn(c);
}

/* It is LeakSanitizer that finds what does not. */
static void what_a_question_to_ctl_is_answered_goes_with_its_chan(void **state)
{
	struct tn_chan *c = open_at(root, "ctl", TN_OWRITE);

	(void)state;
	assert_int_equal(write_text(c, "ns\n"), TN_OK);
	assert_int_equal(write_text(c, "ns\n"), TN_OK);
	assert_non_null(c->aux.p);
	turn(c);
}

static void a_write_to_ctl_may_be_answered_later(void **state)
{
	struct tn_chan *c = open_at(root, "ctl", TN_OWRITE);
	struct kept *k;
	struct tn_str text;

	(void)state;
	host_keeps = true;
	k = keep_write(c, 0, "mount tcp!x!1 /n\n");
	assert_true(is_waiting(k));
	text = tn_nsdev_text(kept_req);
	assert_int_equal(text.len, 16);
	tn_fail(kept_req, TN_ECONNREFUSED);
	tn_respond(kept_req);
	assert_int_equal(kept_err(k), TN_ECONNREFUSED);
	k = keep_write(c, 0, "mount tcp!x!1 /n\n");
	tn_flush(&k->r);
	assert_int_equal(kept_err(k), TN_EINTR);
	turn(c);
}

static void ns_shows_what_was_when_it_was_opened(void **state)
{
	struct tn_chan *c = open_at(root, "ns", TN_OREAD);

	(void)state;
	ns_text = "changed\n";
	assert_string_equal(read_at(c, 0, 4), "bind");
	assert_string_equal(read_at(c, 4, 100), " /a /b\n");
	assert_string_equal(read_at(c, 11, 100), "");
	assert_string_equal(cat(root, "ns"), "changed\n");
	turn(c);
}

static void whence_answers_on_the_chan_that_asked(void **state)
{
	struct tn_chan *c = open_at(root, "whence", TN_ORDWR);
	struct tn_chan *other = open_at(root, "whence", TN_ORDWR);

	(void)state;
	assert_string_equal(read_at(c, 0, 100), "");
	assert_int_equal(write_text(c, "/bin/ls\n"), TN_OK);
	assert_string_equal(read_at(c, 0, 100), "it is here\n");
	assert_string_equal(read_at(c, 3, 100), "is here\n");
	assert_string_equal(read_at(other, 0, 100), "");
	assert_int_equal(write_text(c, "\n"), TN_EEMPTYNAME);
	assert_string_equal(asked, "whence(/bin/ls)");
	turn(c);
	turn(other);
}

static void whence_may_answer_later(void **state)
{
	struct tn_chan *c = open_at(root, "whence", TN_ORDWR);
	struct kept *k;

	(void)state;
	host_keeps = true;
	k = keep_write(c, 0, "/n/far");
	assert_true(is_waiting(k));
	assert_true(tn_nsdev_answer(kept_req, "far", 3));
	tn_respond(kept_req);
	assert_int_equal(kept_err(k), TN_OK);
	assert_string_equal(read_at(c, 0, 100), "far");
	turn(c);
}

static void what_the_host_does_not_give_is_refused(void **state)
{
	(void)state;
	assert_string_equal(list(root, ""), "ctl ns whence stats");
	assert_int_equal(open_fails(root, "stats", TN_OREAD), TN_EACCES);
	assert_int_equal(open_fails(root, "ctl", TN_OREAD), TN_EACCES);
	assert_int_equal(open_fails(root, "ns", TN_OWRITE), TN_EACCES);
}

static bool refuse(size_t size)
{
	(void)size;
	return false;
}

static void without_memory_the_open_fails(void **state)
{
	struct tn_chan *c = at(root, "ns");
	enum tn_err err;

	(void)state;
	tn_alloc_hook = refuse;
	err = open_chan(c, TN_OREAD);
	tn_alloc_hook = NULL;
	assert_int_equal(err, TN_ENOMEM);
	turn(c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_write_to_ctl_is_answered_by_the_host),
		TEST(what_a_question_to_ctl_is_answered_goes_with_its_chan),
		TEST(a_write_to_ctl_may_be_answered_later),
		TEST(ns_shows_what_was_when_it_was_opened),
		TEST(whence_answers_on_the_chan_that_asked),
		TEST(whence_may_answer_later),
		TEST(what_the_host_does_not_give_is_refused),
		TEST(without_memory_the_open_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
