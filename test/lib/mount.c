/* <tenon.h>: what is bound and mounted, and file servers that are served. */
#include "check.h"
#include "gate.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* bind(2): the order of a union, and where files are created in it. */
static void a_union_is_searched_in_its_order(void **state)
{
	(void)state;
	assert_well(tn_bind("#ram", "/a", TN_REPL | TN_CREATE_HERE));
	assert_well(tn_bind("#ram", "/b", TN_REPL | TN_CREATE_HERE));
	assert_well(put_text("/a/f", "a"));
	assert_well(put_text("/b/f", "b"));
	assert_well(put_text("/b/g", "only b"));
	assert_well(tn_bind("/a", "/u", TN_REPL));
	assert_well(tn_bind("/b", "/u", TN_AFTER));
	assert_string_equal(text_of("/u/f"), "a");
	assert_string_equal(text_of("/u/g"), "only b");
	assert_error(tn_create("/u/new", TN_OWRITE, 0644), TN_ENOCREATE);
	assert_well(tn_unmount("/a", "/u"));
	assert_string_equal(text_of("/u/f"), "b");
	assert_well(tn_bind("/a", "/u", TN_BEFORE | TN_CREATE_HERE));
	assert_well(put_text("/u/new", "in a"));
	assert_string_equal(text_of("/a/new"), "in a");
	assert_error(tn_unmount("/a/f", "/u"), TN_ENOTUNION);
	assert_well(tn_unmount(NULL, "/u"));
	assert_error(tn_unmount(NULL, "/u"), TN_ENOTMOUNTED);
}

static void kinds_and_names_must_fit(void **state)
{
	(void)state;
	assert_well(tn_bind("#ram", "/a", TN_REPL | TN_CREATE_HERE));
	assert_well(put_text("/a/f", "a"));
	assert_error(tn_bind("/a/f", "/a", TN_REPL), TN_EMOUNT);
	assert_error(tn_bind("/a", "/a/f", TN_REPL), TN_EMOUNT);
	assert_error(tn_bind("/nowhere", "/a", TN_REPL), TN_ENOENT);
	assert_error(tn_bind("#nothing", "/a", TN_REPL), TN_ENODEV);
	assert_error(tn_bind("/a", "b", TN_REPL),
	    TN_ENOENT); /* not from the root: nothing appears */
	assert_error(tn_remove("/a"), TN_EISMOUNT);
	assert_error(tn_bind(NULL, "/a", TN_REPL), TN_EBADARG);
	assert_error(tn_bind("/a", NULL, TN_REPL), TN_EBADARG);
	assert_error(tn_bind("/a", "/a", TN_ORDER), TN_EBADARG);
	assert_error(tn_bind("/a", "/a", 8), TN_EBADARG);
	assert_error(tn_unmount("/a", NULL), TN_EBADARG);
	assert_error(tn_unmount("", "/a"), TN_EEMPTYNAME);
}

/* ---- a server of this program ---- */

static void a_server_of_the_program_is_mounted_without_a_connection(void **state)
{
	struct tn_server *s = gate_new();

	(void)state;
	assert_well(tn_mount_server(s, "/n", TN_REPL, NULL));
	tn_server_put(s);
	assert_string_equal(text_of("/n/text"), GATE_TEXT);
	assert_error(tn_open("/n/key", TN_OREAD), TN_EACCES);
	assert_error(tn_open("/n/none", TN_OREAD), TN_ENOENT);
	assert_int_equal(gates(), 1);
	assert_well(tn_unmount(NULL, "/n"));
	assert_well(tn_chdir("/"));
	assert_int_equal(gates(), 0);
}

static void its_attach_may_be_refused(void **state)
{
	struct tn_server *s = gate_new();

	(void)state;
	assert_error(tn_mount_server(s, "/n", TN_REPL, "some tree"), TN_EBADATTACH);
	assert_error(tn_mount_server(NULL, "/n", TN_REPL, ""), TN_EBADARG);
	assert_error(tn_mount_server(s, NULL, TN_REPL, ""), TN_EBADARG);
	assert_error(tn_mount_server(s, "/n", 8, ""), TN_EBADARG);
	tn_server_put(s);
}

static void a_server_at_home_elsewhere_is_refused(void **state)
{
	static const struct tn_ops ops = { .name = "stray" };
	struct tn_server stray;

	(void)state;
	tn_server_init(&stray, &ops, NULL, NULL);
	assert_error(tn_mount_server(&stray, "/n", TN_REPL, ""), TN_EBADARG);
	assert_null_error(tn_serve(&stray, "tcp!127.0.0.1!0"), TN_EBADARG);
	assert_null_error(tn_serve_fd(&stray, 0, 0), TN_EBADARG);
}

static void calls_from_inside_of_a_server_are_refused(void **state)
{
	struct tn_server *s = gate_new();

	(void)state;
	assert_well(tn_mount_server(s, "/", TN_REPL, ""));
	tn_server_put(s);
	assert_string_equal(text_of("/inside"), "TN_EDEADLK");
	assert_string_equal(text_of("/text"), GATE_TEXT); /* and all goes on */
}

/* ---- over a connection ---- */

/* Serves until the socket's other end is closed: in a process that this one is not. The one thread does both here. */
static void over_descriptors_it_is_the_same(void **state)
{
	struct tn_server *s = gate_new();
	struct tn_service *service;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	service = tn_serve_fd(s, ends[0], ends[0]);
	tn_server_put(s);
	assert_non_null(service);
	assert_string_equal(tn_serve_address(service), "");
	assert_int_equal(tn_serve_count(service), 1);
	assert_well(tn_mount_fd(ends[1], ends[1], "/n", TN_REPL, ""));
	close(ends[0]);
	close(ends[1]); /* the library has its own */
	assert_string_equal(text_of("/n/text"), GATE_TEXT);
	assert_error(tn_open("/n/none", TN_OREAD), TN_ENOENT);
	tn_serve_end(service);
	assert_error(tn_open("/n/text", TN_OREAD), TN_ECONNLOST);
	assert_non_null(strstr(tn_errstr(), "connection lost"));
}

static void over_two_pipes_too(void **state)
{
	struct tn_server *s = gate_new();
	struct tn_service *service;
	int up[2], down[2];

	(void)state;
	assert_int_equal(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
	service = tn_serve_fd(s, up[0], down[1]);
	tn_server_put(s);
	assert_non_null(service);
	assert_well(tn_mount_fd(down[0], up[1], "/n", TN_REPL, ""));
	for (int i = 0; i < 2; i++) {
		close(up[i]);
		close(down[i]);
	}
	assert_string_equal(text_of("/n/text"), GATE_TEXT);
	assert_well(tn_unmount(NULL, "/n"));
	for (int i = 0; i < 1000 && tn_serve_count(service) > 0; i++)
		assert_well(tn_loop_turn(10));
	assert_int_equal(tn_serve_count(service), 0); /* it saw the end */
	tn_serve_end(service);
}

static void a_socket_is_dialled_in_each_dialect(void **state)
{
	static const char *const dialects[] = { "9P2000", "9P2000.u", "9P2000.L" };
	struct tn_server *s = gate_new();
	struct tn_service *service = tn_serve(s, "tcp!127.0.0.1!0");
	char options[64], dial[64];

	(void)state;
	tn_server_put(s);
	assert_non_null(service);
	snprintf(dial, sizeof(dial), "%s", tn_serve_address(service));
	assert_memory_equal(dial, "tcp!127.0.0.1!", 14);
	for (size_t i = 0; i < TN_COUNT(dialects); i++) {
		snprintf(options, sizeof(options), "soft=5,dialect=%s", dialects[i]);
		assert_well(tn_mount(dial, "/n", TN_REPL, "", options));
		assert_string_equal(text_of("/n/text"), GATE_TEXT);
		assert_well(tn_unmount(NULL, "/n"));
	}
	tn_serve_end(service);
	assert_error(tn_mount(dial, "/n", TN_REPL, "", NULL), TN_ECONNREFUSED);
}

static void what_cannot_be_mounted_says_why(void **state)
{
	int one[2];

	(void)state;
	assert_error(tn_mount("node", "/n", TN_REPL, "", NULL), TN_EBADDIAL);
	assert_error(tn_mount("tcp!", "/n", TN_REPL, "", NULL), TN_EBADDIAL);
	assert_error(tn_mount("unix!/nowhere/at/all", "/n", TN_REPL, "", NULL), TN_ENOENT);
	assert_error(tn_mount("tcp!127.0.0.1!1", "/n", TN_REPL, "", "soft=never"), TN_EBADARG);
	assert_non_null(strstr(tn_errstr(), "soft=never"));
	assert_error(tn_mount("tcp!127.0.0.1!1", "/n", TN_REPL, "", "frob"), TN_EBADARG);
	assert_error(tn_mount(NULL, "/n", TN_REPL, "", NULL), TN_EBADARG);
	assert_error(tn_mount("tcp!127.0.0.1!1", NULL, TN_REPL, "", NULL), TN_EBADARG);
	assert_error(tn_mount("tcp!127.0.0.1!1", "/n", 8, "", NULL), TN_EBADARG);
	assert_error(tn_mount_fd(-1, -1, "/n", TN_REPL, ""), TN_EBADFD);
	assert_error(tn_mount_fd(0, 0, NULL, TN_REPL, ""), TN_EBADARG);
	assert_int_equal(pipe2(one, O_CLOEXEC), 0);
	assert_error(tn_mount_fd(one[0], one[0], "/n", TN_REPL, ""), TN_EBADFD);
	close(one[0]);
	close(one[1]);
}

static void what_cannot_be_served_says_why(void **state)
{
	struct tn_server *s = gate_new();
	struct tn_service *first = tn_serve(s, "tcp!127.0.0.1!0");

	(void)state;
	assert_null_error(tn_serve(s, tn_serve_address(first)), TN_EADDRINUSE);
	assert_null_error(tn_serve(s, "exec!cat"), TN_EBADDIAL);
	assert_null_error(tn_serve(s, NULL), TN_EBADARG);
	assert_null_error(tn_serve(NULL, "tcp!127.0.0.1!0"), TN_EBADARG);
	assert_null_error(tn_serve_fd(s, -1, -1), TN_EBADFD);
	assert_error(tn_serve_count(NULL), TN_EBADARG);
	assert_string_equal(tn_serve_address(NULL), "");
	tn_serve_end(NULL);
	tn_serve_end(first);
	assert_int_equal(gates(), 1);
	tn_server_put(s);
	assert_int_equal(gates(), 0);
}

/* A descriptor that a mount has used and given up is closed: nothing of the host's leaks. */
static unsigned n_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void mounts_that_fail_keep_no_descriptor(void **state)
{
	int ends[2];
	unsigned before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_well(tn_bind("#ram", "/r", TN_REPL));
	before = n_fds();
	for (int i = 0; i < 20; i++)
		assert_error(tn_mount_fd(ends[0], ends[0], "/r/nowhere", TN_REPL, ""), TN_ENOENT);
	assert_int_equal(n_fds(), before);
	close(ends[0]);
	close(ends[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_union_is_searched_in_its_order),
		TEST(kinds_and_names_must_fit),
		TEST(a_server_of_the_program_is_mounted_without_a_connection),
		TEST(its_attach_may_be_refused),
		TEST(a_server_at_home_elsewhere_is_refused),
		TEST(calls_from_inside_of_a_server_are_refused),
		TEST(over_descriptors_it_is_the_same),
		TEST(over_two_pipes_too),
		TEST(a_socket_is_dialled_in_each_dialect),
		TEST(what_cannot_be_mounted_says_why),
		TEST(what_cannot_be_served_says_why),
		TEST(mounts_that_fail_keep_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
