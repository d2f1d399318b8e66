/* <tenon.h> from several threads, and in a loop of the caller's. */
#include "check.h"
#include "gate.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 50 };

struct thread {
	pthread_t id;
	int number;
	struct tn_proc *ns; /* what it uses */
	struct tn_server *s;
	const char *wrong; /* what it found to be otherwise than it should */
	char text[2048];
};

/* Only the main thread may fail a test: the others say what is wrong. */
static void *is_wrong(struct thread *t, const char *what)
{
	snprintf(t->text, sizeof(t->text), "%s: %s", what, tn_errstr());
	t->wrong = t->text;
	return t;
}

static void run_all(struct thread *t, int n, void *(*body)(void *))
{
	for (int i = 0; i < n; i++) {
		t[i].number = i;
		assert_int_equal(pthread_create(&t[i].id, NULL, body, &t[i]), 0);
	}
	for (int i = 0; i < n; i++)
		assert_int_equal(pthread_join(t[i].id, NULL), 0);
	for (int i = 0; i < n; i++) {
		if (t[i].wrong)
			fail_msg("thread %d: %s", i, t[i].wrong);
	}
}

/* ---- a name space each ---- */

static void *with_its_own(void *arg)
{
	struct thread *t = arg;
	char text[16];

	if (tn_ns_current())
		return is_wrong(t, "begins with a name space");
	if (use_new(TN_NS_EMPTY) < 0 || tn_bind("#ram", "/mine", TN_REPL | TN_CREATE_HERE) < 0)
		return is_wrong(t, "bind");
	snprintf(text, sizeof(text), "%d", t->number);
	for (int i = 0; i < ROUNDS; i++) {
		if (put_text("/mine/f", text) < 0 || strcmp(text_of("/mine/f"), text) != 0)
			return is_wrong(t, text_of("/mine/f"));
	}
	return NULL;
}

static void each_thread_has_a_name_space_of_its_own(void **state)
{
	struct thread t[THREADS] = { 0 };

	(void)state;
	run_all(t, THREADS, with_its_own);
	assert_well(tn_ns_use(NULL));
	assert_well(tn_end()); /* what threads used went with them */
}

/* ---- one for all ---- */

static void *with_a_share(void *arg)
{
	struct thread *t = arg;
	char place[16], line[64];

	if (tn_ns_use(t->ns) < 0)
		return is_wrong(t, "use");
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(place, sizeof(place), "/%d-%d", t->number, i);
		snprintf(line, sizeof(line), "bind /r %s\n", place);
		if ((i % 2 ? tn_ns_apply(NULL, line) : tn_bind("/r", place, TN_REPL)) < 0)
			return is_wrong(t, "bind");
	}
	return NULL;
}

/* No change is lost, whether it was made by a call or as lines that go to a copy first. */
static void what_threads_bind_in_one_name_space_all_is_there(void **state)
{
	struct thread t[THREADS] = { 0 };
	char place[24];

	(void)state;
	assert_well(tn_bind("#ram", "/r", TN_REPL | TN_CREATE_HERE));
	assert_well(put_text("/r/f", "x"));
	for (int i = 0; i < THREADS; i++)
		t[i].ns = tn_ns_share(NULL);
	run_all(t, THREADS, with_a_share);
	for (int i = 0; i < THREADS * ROUNDS; i++) {
		snprintf(place, sizeof(place), "/%d-%d/f", i / ROUNDS, i % ROUNDS);
		assert_string_equal(text_of(place), "x");
	}
	for (int i = 0; i < THREADS; i++)
		tn_ns_free(t[i].ns);
}

static void *reads_descriptors(void *arg)
{
	struct thread *t = arg;
	char c = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (tn_pread(t->number, &c, 1, 0) != 1 || c != 'x')
			return is_wrong(t, "a descriptor of another thread");
	}
	return NULL;
}

static void a_descriptor_is_for_all_threads(void **state)
{
	struct thread t[THREADS] = { 0 };

	(void)state;
	assert_well(tn_bind("#ram", "/", TN_REPL | TN_CREATE_HERE));
	assert_well(put_text("/f", "x"));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(tn_open("/f", TN_OREAD), i);
	run_all(t, THREADS, reads_descriptors);
}

/* ---- who waits ---- */

static void *waits_at_the_gate(void *arg)
{
	struct thread *t = arg;
	int fd = tn_ns_use(t->ns) < 0 ? -1 : tn_open("/gate", TN_OREAD);
	char got[8] = "";

	if (fd < 0 || tn_read(fd, got, sizeof(got)) != 4 || memcmp(got, "open", 4) != 0)
		return is_wrong(t, "the gate");
	return tn_close(fd) < 0 ? is_wrong(t, "close") : NULL;
}

static void wait_for(const struct tn_server *s, unsigned n)
{
	struct timespec ms = { 0, 1000000 };

	for (int i = 0; i < 10000 && gate_waits(s) < n; i++)
		nanosleep(&ms, NULL);
	assert_int_equal(gate_waits(s), n);
}

static struct tn_server *gate_at_root(void)
{
	struct tn_server *s = gate_new();

	assert_well(tn_mount_server(s, "/", TN_REPL, ""));
	return s;
}

static void start_waiting(struct thread *t, int n, struct tn_server *s)
{
	for (int i = 0; i < n; i++) {
		t[i] = (struct thread){ .number = i, .ns = tn_ns_current(), .s = s };
		assert_int_equal(pthread_create(&t[i].id, NULL, waits_at_the_gate, &t[i]), 0);
	}
	wait_for(s, (unsigned)n);
}

static void end_waiting(struct thread *t, int n)
{
	int key = tn_open("/key", TN_OWRITE);

	assert_int_equal(tn_write(key, "open", 4), 4);
	assert_well(tn_close(key));
	for (int i = 0; i < n; i++) {
		assert_int_equal(pthread_join(t[i].id, NULL), 0);
		if (t[i].wrong)
			fail_msg("thread %d: %s", i, t[i].wrong);
	}
}

static void a_thread_that_waits_holds_up_no_other(void **state)
{
	struct tn_server *s = gate_at_root();
	struct thread t[THREADS];

	(void)state;
	start_waiting(t, THREADS, s);
	for (int i = 0; i < ROUNDS; i++)
		assert_string_equal(text_of("/text"), GATE_TEXT);
	assert_error(tn_end(), TN_EBUSY); /* they are in calls */
	assert_int_equal(gate_waits(s), THREADS);
	end_waiting(t, THREADS);
	tn_server_put(s);
}

static void *applies_what_the_gate_says(void *arg)
{
	struct thread *t = arg;

	if (tn_ns_use(t->ns) < 0 || tn_ns_apply(NULL, ". /gate\n") < 0)
		return is_wrong(t, "apply");
	return NULL;
}

/* A file that says `text`, and then its end. */
static void say_at_the_gate(struct tn_server *s, const char *text)
{
	int key = tn_open("/key", TN_OWRITE);

	wait_for(s, 1);
	assert_int_equal(tn_write(key, text, strlen(text)), strlen(text));
	wait_for(s, 1);
	assert_int_equal(tn_write(key, "", 0), 0);
	assert_well(tn_close(key));
}

/* Lines that take long are carried out on a copy: what others have bound meanwhile is not lost, they come once more. */
static void lines_that_take_long_lose_no_change_of_others(void **state)
{
	struct tn_server *s = gate_at_root();
	struct thread t = { .ns = tn_ns_share(NULL) };

	(void)state;
	assert_int_equal(pthread_create(&t.id, NULL, applies_what_the_gate_says, &t), 0);
	wait_for(s, 1);
	assert_well(tn_bind("/text", "/inside", TN_REPL));
	say_at_the_gate(s, "bind /text /key\n");
	say_at_the_gate(s, "bind /text /key\n");
	assert_int_equal(pthread_join(t.id, NULL), 0);
	if (t.wrong)
		fail_msg("%s", t.wrong);
	assert_string_equal(text_of("/inside"), GATE_TEXT);
	assert_string_equal(text_of("/key"), GATE_TEXT);
	tn_ns_free(t.ns);
	tn_server_put(s);
}

/* Others wait, maybe one of them on the loop; a connection is made, used and lost meanwhile. */
static void who_waits_on_the_network_is_woken_by_who_sleeps(void **state)
{
	struct tn_server *s = gate_at_root();
	struct thread t[THREADS];
	struct tn_service *service;
	struct tn_proc *ns = tn_ns_fork(NULL, 0);
	int ends[2];

	(void)state;
	start_waiting(t, THREADS, s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	service = tn_serve_fd(s, ends[0], ends[0]);
	assert_non_null(service);
	assert_well(tn_ns_use(ns));
	tn_ns_free(ns);
	assert_well(tn_mount_fd(ends[1], ends[1], "/", TN_REPL, ""));
	close(ends[0]);
	close(ends[1]);
	for (int i = 0; i < ROUNDS; i++)
		assert_string_equal(text_of("/text"), GATE_TEXT);
	end_waiting(t, THREADS);
	tn_serve_end(service);
	assert_error(tn_open("/text", TN_OREAD), TN_ECONNLOST);
	tn_server_put(s);
}

static uint64_t now_ms(void)
{
	return tn_now_ns() / 1000000;
}

/* The bound of a mount holds, also when who sleeps on the loop began before it, without any. */
static void a_bound_that_comes_while_another_sleeps_is_kept(void **state)
{
	struct tn_server *s = gate_at_root();
	struct thread t[1];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char dial[128];
	int silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t start;

	(void)state;
	start_waiting(t, 1, s);
	snprintf(address.sun_path + 1, 64, "tenon-test-silent-%d", (int)getpid());
	snprintf(dial, sizeof(dial), "unix!@%s", address.sun_path + 1);
	assert_int_equal(bind(silent, (struct sockaddr *)&address,
			     (unsigned)(sizeof(sa_family_t) + strlen(dial) - 5)),
	    0);
	assert_int_equal(listen(silent, 4), 0);
	start = now_ms();
	assert_error(tn_mount(dial, "/", TN_REPL, "", "soft=1"), TN_ECONNLOST);
	assert_in_range(now_ms() - start, 900, 8000);
	close(silent);
	end_waiting(t, 1);
	tn_server_put(s);
}

static void *closes_while_it_is_read(void *arg)
{
	struct thread *t = arg;
	char c[4];

	if (tn_read(t->number, c, sizeof(c)) != 4)
		return is_wrong(t, "read");
	return NULL;
}

/* tenon.h: calls of other threads that use it go on to their end. */
static void a_descriptor_that_is_closed_is_read_to_the_end_by_who_reads_it(void **state)
{
	struct tn_server *s = gate_at_root();
	struct thread t = { 0 };
	char c;
	int fd = tn_open("/gate", TN_OREAD);

	(void)state;
	t.number = fd;
	assert_int_equal(pthread_create(&t.id, NULL, closes_while_it_is_read, &t), 0);
	wait_for(s, 1);
	assert_well(tn_close(fd));
	assert_error(tn_read(fd, &c, 1), TN_EBADFD);
	assert_int_equal(tn_open("/text", TN_OREAD), fd); /* the number is free */
	end_waiting(&t, 1);
	tn_server_put(s);
}

/* ---- a loop of the caller's ---- */

/* A peer that is no Tenon: sends Tversion, and gets an answer while the caller polls. */
static void a_loop_of_the_callers_serves(void **state)
{
	static const unsigned char tversion[] = { 19, 0, 0, 0, 100, 0xff, 0xff, 0, 32, 0, 0, 6, 0,
		'9', 'P', '2', '0', '0', '0' };
	unsigned char answer[64];
	struct tn_server *s = gate_new();
	struct tn_service *service;
	ssize_t n = -1;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
	    0);
	service = tn_serve_fd(s, ends[0], ends[0]);
	tn_server_put(s);
	close(ends[0]);
	assert_int_equal(write(ends[1], tversion, sizeof(tversion)), sizeof(tversion));
	for (int i = 0; i < 100 && n < 0; i++) {
		struct pollfd fds[2] = { { .fd = tn_loop_fd(), .events = POLLIN },
			{ .fd = ends[1], .events = POLLIN } };
		int ms = tn_loop_wait_ms();

		assert_true(poll(fds, 2, ms < 0 ? 5000 : ms) >= 0);
		if (fds[0].revents || ms >= 0)
			assert_well(tn_loop_turn(0));
		n = read(ends[1], answer, sizeof(answer));
	}
	assert_int_equal(n, 19);
	assert_int_equal(answer[4], 101);
	close(ends[1]);
	tn_serve_end(service);
}

static struct tn_loop *home;

struct alarm {
	struct tn_timer timer; /* first */
	struct tn_task set;
	uint32_t n; /* atomic */
};

static void ring(struct tn_timer *timer)
{
	__atomic_add_fetch(&((struct alarm *)timer)->n, 1, __ATOMIC_SEQ_CST);
}

static void set_alarm(struct tn_task *task)
{
	struct alarm *alarm = (struct alarm *)((char *)task - offsetof(struct alarm, set));

	tn_timer_set(home, &alarm->timer, tn_now_ns() + 30000000);
}

static void a_timer_of_a_server_is_a_reason_to_turn(void **state)
{
	struct alarm alarm = { .timer.fn = ring, .set.fn = set_alarm };
	uint64_t start = now_ms();

	(void)state;
	home = tn_home(); /* no call is made from inside of the loop */
	tn_loop_post(home, &alarm.set);
	assert_in_range(tn_loop_wait_ms(), 1, 31);
	for (int i = 0; i < 100 && alarm.n == 0; i++)
		assert_well(tn_loop_turn(-1));
	assert_int_equal(alarm.n, 1);
	assert_true(now_ms() - start >= 29);
	assert_int_equal(tn_loop_wait_ms(), -1);
}

struct post {
	struct tn_task task; /* first */
	pthread_t on;
	uint32_t n; /* atomic */
};

static void posted(struct tn_task *task)
{
	struct post *p = (struct post *)task;

	p->on = pthread_self();
	__atomic_add_fetch(&p->n, 1, __ATOMIC_SEQ_CST);
}

static void *posts(void *arg)
{
	tn_loop_post(tn_home(), arg);
	return NULL;
}

/* server.h: how what another thread has found out comes to a server. */
static void what_a_thread_posts_runs_where_the_loop_is_turned(void **state)
{
	struct post post = { .task.fn = posted };
	pthread_t id;

	(void)state;
	assert_int_equal(pthread_create(&id, NULL, posts, &post), 0);
	for (int i = 0; i < 100 && __atomic_load_n(&post.n, __ATOMIC_SEQ_CST) == 0; i++)
		assert_well(tn_loop_turn(5000));
	assert_int_equal(pthread_join(id, NULL), 0);
	assert_int_equal(post.n, 1);
}

static void *turns(void *arg)
{
	struct thread *t = arg;

	t->number = tn_loop_turn(-1);
	__atomic_store_n(&t->wrong, "", __ATOMIC_SEQ_CST);
	return NULL;
}

/* Whether it sleeps on the loop or behind another thread that does. */
static void who_turns_is_woken(void **state)
{
	struct tn_server *s = gate_at_root();
	struct timespec ms = { 0, 1000000 };

	(void)state;
	for (int other = 0; other < 2; other++) {
		struct thread t = { .number = -1 }, sleeper[1];

		if (other)
			start_waiting(sleeper, 1, s);
		assert_int_equal(pthread_create(&t.id, NULL, turns, &t), 0);
		for (int i = 0; i < 5000 && !__atomic_load_n(&t.wrong, __ATOMIC_SEQ_CST); i++) {
			tn_loop_wake(); /* maybe before it sleeps: then once more */
			nanosleep(&ms, NULL);
		}
		assert_int_equal(pthread_join(t.id, NULL), 0);
		assert_int_equal(t.number, 0);
		if (other)
			end_waiting(sleeper, 1);
	}
	tn_server_put(s);
}

static char line[256];

static void take_line(const char *text, size_t len)
{
	snprintf(line, sizeof(line), "%.*s", (int)len, text);
}

static void what_the_library_logs_goes_where_it_is_told(void **state)
{
	int fd;

	(void)state;
	line[0] = '\0';
	assert_well(tn_bind("#cons", "/dev", TN_REPL));
	fd = tn_open("/dev/cons", TN_OWRITE);
	assert_int_equal(tn_write(fd, "unheard\n", 8), 8);
	tn_log_to(take_line);
	assert_int_equal(tn_write(fd, "heard\n", 6), 6);
	tn_log_to(NULL);
	assert_int_equal(tn_write(fd, "unheard\n", 8), 8);
	assert_well(tn_close(fd));
	assert_string_equal(line, "heard");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_thread_has_a_name_space_of_its_own),
		TEST(what_threads_bind_in_one_name_space_all_is_there),
		TEST(a_descriptor_is_for_all_threads),
		TEST(a_thread_that_waits_holds_up_no_other),
		TEST(lines_that_take_long_lose_no_change_of_others),
		TEST(who_waits_on_the_network_is_woken_by_who_sleeps),
		TEST(a_bound_that_comes_while_another_sleeps_is_kept),
		TEST(a_descriptor_that_is_closed_is_read_to_the_end_by_who_reads_it),
		TEST(a_loop_of_the_callers_serves),
		TEST(a_timer_of_a_server_is_a_reason_to_turn),
		TEST(what_a_thread_posts_runs_where_the_loop_is_turned),
		TEST(who_turns_is_woken),
		TEST(what_the_library_logs_goes_where_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
