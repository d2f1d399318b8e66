/*
 * #cons: the console and the small devices; the log that kmesg shows and console follows. cons(3).
 */
#include "fs/cons.h"

#include "drive.h"
#include "host/posix/host.h"

#include <pthread.h>

enum { LOG_BYTES = 64 };

static struct tn_cons_log *logged;
static struct tn_server *server;
static struct tn_chan *root;
static char host_lines[256]; /* what went to tn_log */

static void take_line(const char *text, size_t len)
{
	strncat(host_lines, text, len);
	strcat(host_lines, "|");
}

static uint32_t own_pid(void *arg)
{
	(void)arg;
	return 4711;
}

static void start_with(struct tn_cons_host host)
{
	host.log = logged = tn_cons_log_new(LOG_BYTES);
	server = tn_cons_new(&loop, &host);
	root = attach(server, "glenda");
}

static int setup(void **state)
{
	(void)state;
	loop_start();
	host_lines[0] = '\0';
	tn_log_hook = take_line;
	start_with((struct tn_cons_host){ .pid = own_pid, .sysname = "node" });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	tn_cons_log_put(logged);
	tn_log_hook = NULL;
	return 0;
}

static void line(const char *text)
{
	tn_cons_log_line(logged, text, strlen(text));
}

static const char *read_once(const char *name, uint64_t off, uint32_t count)
{
	struct tn_chan *c = open_at(root, name, TN_OREAD);
	const char *text = read_at(c, off, count);

	turn(c);
	return text;
}

/* ---- the small devices ---- */

static void it_has_the_small_devices(void **state)
{
	(void)state;
	assert_string_equal(list(root, ""),
	    "cons console null zero full random time pid user sysname kmesg");
}

static void null_takes_all_and_gives_nothing(void **state)
{
	struct tn_chan *c = open_at(root, "null", TN_ORDWR);

	(void)state;
	write_at(c, 7, "text");
	assert_string_equal(read_at(c, 0, 10), "");
	turn(c);
}

static void zero_and_full_give_zeros_and_full_has_no_room(void **state)
{
	struct tn_chan *zero = open_at(root, "zero", TN_ORDWR);
	struct tn_chan *full = open_at(root, "full", TN_ORDWR);
	char buf[5] = "xxxx";
	uint32_t n = 4;

	(void)state;
	assert_int_equal(read_err(zero, 1000, buf, &n), TN_OK);
	assert_int_equal(n, 4);
	assert_memory_equal(buf, "\0\0\0\0x", 4);
	write_at(zero, 0, "text");
	strcpy(buf, "xxxx");
	assert_int_equal(read_err(full, 0, buf, &n), TN_OK);
	assert_memory_equal(buf, "\0\0\0\0", 4);
	assert_int_equal(write_text(full, "text"), TN_ENOSPC);
	turn(zero);
	turn(full);
}

static void random_gives_other_bytes_each_time(void **state)
{
	struct tn_chan *c = open_at(root, "random", TN_OREAD);
	uint8_t a[32], b[32];
	uint32_t n = sizeof(a);

	(void)state;
	assert_int_equal(read_err(c, 0, a, &n), TN_OK);
	assert_int_equal(n, 32);
	assert_int_equal(read_err(c, 0, b, &n), TN_OK);
	assert_memory_not_equal(a, b, 32);
	turn(c);
}

/* cons(3): fields of 12 and 22 bytes, numbers to the right. */
static void time_has_four_fields(void **state)
{
	const char *text = read_once("time", 0, 100);
	unsigned long long s, ns, ticks, hz;

	(void)state;
	assert_int_equal(strlen(text), 12 + 3 * 22);
	assert_int_equal(sscanf(text, "%llu %llu %llu %llu", &s, &ns, &ticks, &hz), 4);
	assert_int_equal(ns / 1000000000, s);
	assert_true(s > 1600000000);
	assert_int_equal(hz, 1000000000);
	assert_int_equal(text[11], ' ');
	assert_int_equal(text[33], ' ');
	assert_int_not_equal(text[32], ' ');
	assert_string_equal(read_once("time", 78, 100), "");
}

static void pid_is_the_requesters_or_else_the_hosts(void **state)
{
	struct tn_chan *c = open_at(root, "pid", TN_OREAD);
	char buf[20] = "";
	struct tn_req r;

	(void)state;
	assert_string_equal(read_at(c, 0, 20), "       4711 ");
	tn_req_init(&r, TN_READ, c, &driver);
	r.pid = 33;
	r.u.io.data = (uint8_t *)buf;
	r.u.io.count = 20;
	assert_int_equal(ask(&r), TN_OK);
	assert_string_equal(buf, "         33 ");
	turn(c);
}

static void user_and_sysname_are_told(void **state)
{
	(void)state;
	assert_string_equal(read_once("user", 0, 100), "glenda");
	assert_string_equal(read_once("user", 3, 100), "nda");
	assert_string_equal(read_once("sysname", 0, 100), "node");
	assert_int_equal(open_fails(root, "sysname", TN_OWRITE), TN_EACCES);
}

static void without_a_host_cons_is_for_lines_of_the_log(void **state)
{
	struct tn_chan *c = open_at(root, "cons", TN_ORDWR);

	(void)state;
	assert_string_equal(read_at(c, 0, 10), "");
	write_at(c, 0, "one\ntwo\n");
	write_at(c, 0, "\nthree");
	assert_string_equal(host_lines, "one|two||three|");
	turn(c);
}

static enum tn_status host_read(void *arg, struct tn_req *r)
{
	struct tn_req **kept = arg;

	if (!tn_keep(r))
		return TN_DONE;
	*kept = r;
	return TN_LATER;
}

static enum tn_status host_write(void *arg, struct tn_req *r)
{
	(void)arg;
	take_line((const char *)r->u.io.data, r->u.io.count);
	return TN_DONE;
}

static void host_flush(void *arg, struct tn_req *r)
{
	assert_ptr_equal(*(struct tn_req **)arg, r);
	tn_fail(r, TN_EINTR);
	tn_respond(r);
}

static void cons_is_the_hosts(void **state)
{
	struct tn_req *kept = NULL;
	struct tn_chan *c;
	struct kept *k;

	(void)state;
	teardown(NULL);
	loop_start();
	tn_log_hook = take_line;
	start_with((struct tn_cons_host){ .arg = &kept,
	    .read = host_read,
	    .write = host_write,
	    .flush = host_flush });
	c = open_at(root, "cons", TN_ORDWR);
	write_at(c, 0, "prompt: ");
	assert_string_equal(host_lines, "prompt: |");
	k = keep_read(c, 0, 10);
	assert_true(is_waiting(k));
	memcpy(kept->u.io.data, "key", 3);
	kept->u.io.count = 3;
	tn_respond(kept);
	assert_string_equal(kept_text(k), "key");
	k = keep_read(c, 0, 10);
	tn_flush(&k->r);
	assert_int_equal(kept_err(k), TN_EINTR);
	turn(c);
}

/* ---- the log ---- */

static void console_begins_with_what_is_kept_and_follows(void **state)
{
	struct tn_chan *c;
	struct kept *k;

	(void)state;
	line("one");
	line("two");
	c = open_at(root, "console", TN_OREAD);
	assert_string_equal(read_at(c, 0, 5), "one\nt");
	assert_string_equal(read_at(c, 5, 100), "wo\n");
	k = keep_read(c, 8, 100);
	assert_true(is_waiting(k));
	tn_loop_run(&loop);
	assert_true(is_waiting(k));
	line("three");
	tn_loop_run(&loop);
	assert_string_equal(kept_text(k), "three\n");
	assert_string_equal(read_at(c, 4, 100), "two\nthree\n"); /* again, if it is asked */
	turn(c);
}

static void all_who_wait_get_the_line_from_their_places(void **state)
{
	struct tn_chan *a, *b;
	struct kept *k, *l, *behind;

	(void)state;
	a = open_at(root, "console", TN_OREAD);
	line("one");
	b = open_at(root, "console", TN_OREAD);
	k = keep_read(a, 4, 100);
	l = keep_read(b, 4, 2);
	behind = keep_read(b, 8, 100);
	line("two");
	tn_loop_run(&loop);
	assert_string_equal(kept_text(k), "two\n");
	assert_string_equal(kept_text(l), "tw");
	assert_true(is_waiting(behind));
	line("x");
	tn_loop_run(&loop);
	assert_string_equal(kept_text(behind), "x\n");
	turn(a);
	turn(b);
}

static void what_is_too_old_goes_by_whole_lines(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		line("0123456789"); /* 110 bytes, 64 are kept: 5 lines and a part */
	assert_int_equal(strlen(read_once("kmesg", 0, 100)), 55);
	assert_int_equal(strncmp(read_once("console", 0, 100), "0123456789\n", 11), 0);
	assert_int_equal(strlen(read_once("console", 0, 100)), 55);
}

static void a_line_of_the_logs_size_or_more_leaves_its_end(void **state)
{
	char text[2 * LOG_BYTES + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[LOG_BYTES - 1] = '\0';
	line(text); /* with its newline it just fits */
	assert_int_equal(strlen(read_once("kmesg", 0, 100)), LOG_BYTES);
	text[LOG_BYTES - 1] = 'x';
	text[LOG_BYTES] = '\0';
	line(text);
	assert_string_equal(read_once("kmesg", 0, 100), "");
	text[LOG_BYTES] = 'x';
	text[2 * LOG_BYTES] = '\0';
	line(text);
	line("after");
	assert_string_equal(read_once("kmesg", 0, 100), "after\n");
}

static void a_reader_who_falls_behind_is_told(void **state)
{
	struct tn_chan *c;

	(void)state;
	line("first");
	c = open_at(root, "console", TN_OREAD);
	assert_string_equal(read_at(c, 0, 100), "first\n");
	for (int i = 0; i < 10; i++)
		line("0123456789");
	assert_string_equal(read_at(c, 6, 100), "... lines were lost\n");
	assert_int_equal(strlen(read_at(c, 26, 100)), 55);
	line("more");
	assert_string_equal(read_at(c, 81, 100), "more\n");
	turn(c);
}

static void kmesg_stays_as_it_was_when_it_was_opened(void **state)
{
	struct tn_chan *c;

	(void)state;
	line("one");
	c = open_at(root, "kmesg", TN_OREAD);
	line("two");
	assert_string_equal(read_at(c, 0, 100), "one\n");
	assert_string_equal(read_at(c, 4, 100), "");
	turn(c);
}

static void a_flushed_reader_waits_no_more(void **state)
{
	struct tn_chan *c = open_at(root, "console", TN_OREAD);
	struct kept *k = keep_read(c, 0, 100), *l = keep_read(c, 0, 100);

	(void)state;
	tn_flush(&k->r);
	assert_int_equal(kept_err(k), TN_EINTR);
	line("one");
	tn_flush(&l->r); /* its wake is on the way */
	assert_int_equal(kept_err(l), TN_EINTR);
	tn_loop_run(&loop);
	assert_int_equal(n_done, 2);
	turn(c);
}

/* Owner of a request who flushes another one while he is told of his own. */
static struct kept *to_flush;

static void flush_the_other(struct tn_req *r)
{
	(void)r;
	n_done++;
	if (to_flush)
		tn_flush(&to_flush->r);
}

static void a_reader_may_be_flushed_by_the_one_before_him(void **state)
{
	static const struct tn_owner flusher = { .done = flush_the_other };
	struct tn_chan *c = open_at(root, "console", TN_OREAD);
	struct kept *k = keep_read(c, 0, 100);

	(void)state;
	to_flush = keep_read(c, 0, 100);
	k->r.owner = &flusher;
	line("one");
	tn_loop_run(&loop);
	assert_string_equal(kept_text(k), "one\n");
	assert_int_equal(kept_err(to_flush), TN_EINTR);
	turn(c);
}

static void *logs_lines(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++)
		line("0123456789");
	line("end");
	return NULL;
}

static void lines_come_from_any_thread(void **state)
{
	struct tn_chan *c = open_at(root, "console", TN_OREAD);
	uint64_t off = 0;
	pthread_t thread;
	bool ended = false;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, logs_lines, NULL), 0);
	while (!ended) {
		struct kept *k = keep_read(c, off, 1000);
		const char *text;

		while (is_waiting(k))
			tn_loop_run(&loop);
		text = kept_text(k);
		off += strlen(text);
		ended = strstr(text, "end\n") != NULL;
	}
	pthread_join(thread, NULL);
	turn(c);
}

static bool refuse(size_t size)
{
	(void)size;
	return false;
}

static bool keep_not(struct tn_req *r)
{
	(void)r;
	return false;
}

static void without_memory_opens_and_reads_fail(void **state)
{
	static const struct tn_owner poor = { .keep = keep_not };
	struct tn_chan *k = at(root, "kmesg"), *c = open_at(root, "console", TN_OREAD);
	struct tn_req r;
	char buf[10];

	(void)state;
	tn_alloc_hook = refuse;
	assert_int_equal(open_chan(k, TN_OREAD), TN_ENOMEM);
	assert_null(tn_cons_log_new(0));
	assert_null(tn_cons_new(&loop, &(struct tn_cons_host){ .arg = NULL }));
	tn_alloc_hook = NULL;
	tn_req_init(&r, TN_READ, c, &poor);
	r.u.io.data = (uint8_t *)buf;
	r.u.io.count = sizeof(buf);
	assert_int_equal(ask(&r), TN_ENOMEM);
	turn(k);
	turn(c); /* and nobody is left to be woken: the server goes at the end */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_has_the_small_devices),
		TEST(null_takes_all_and_gives_nothing),
		TEST(zero_and_full_give_zeros_and_full_has_no_room),
		TEST(random_gives_other_bytes_each_time),
		TEST(time_has_four_fields),
		TEST(pid_is_the_requesters_or_else_the_hosts),
		TEST(user_and_sysname_are_told),
		TEST(without_a_host_cons_is_for_lines_of_the_log),
		TEST(cons_is_the_hosts),
		TEST(console_begins_with_what_is_kept_and_follows),
		TEST(all_who_wait_get_the_line_from_their_places),
		TEST(what_is_too_old_goes_by_whole_lines),
		TEST(a_line_of_the_logs_size_or_more_leaves_its_end),
		TEST(a_reader_who_falls_behind_is_told),
		TEST(kmesg_stays_as_it_was_when_it_was_opened),
		TEST(a_flushed_reader_waits_no_more),
		TEST(a_reader_may_be_flushed_by_the_one_before_him),
		TEST(lines_come_from_any_thread),
		TEST(without_memory_opens_and_reads_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
