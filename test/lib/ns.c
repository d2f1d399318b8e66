/* <tenon.h>: name spaces of a thread, and what is done to them as text. */
#include "check.h"
#include "gate.h"

#include <unistd.h>

/* product.md 1, --clean: from an empty root. */
static void an_empty_name_space_has_an_empty_root(void **state)
{
	struct tn_stat st;
	int fd;

	(void)state;
	fd = tn_open("/", TN_OREAD);
	assert_well(fd);
	assert_int_equal(tn_dirread(fd, &st, 1, NULL, 0), 0);
	assert_well(tn_close(fd));
	assert_error(tn_open("/etc/passwd", TN_OREAD), TN_ENOENT);
}

static void with_the_host_its_files_are_there(void **state)
{
	struct tn_stat st;

	(void)state;
	assert_well(use_new(TN_NS_HOST));
	assert_well(tn_stat("/etc/passwd", &st, NULL, 0));
	assert_true(st.valid & TN_ST_LENGTH && st.length > 0);
}

static void mount_points_appear_in_an_empty_root_as_they_are_named(void **state)
{
	(void)state;
	assert_well(tn_bind("#ram", "/a/b", TN_REPL | TN_CREATE_HERE));
	assert_well(put_text("/a/b/f", "x"));
	assert_well(tn_bind("/a/b/f", "/a/g", TN_REPL));
	assert_string_equal(text_of("/a/g"), "x");
	assert_error(tn_bind("#ram", "/a/b/c", TN_REPL),
	    TN_ENOENT); /* that is the RAM disk's own */
}

/* rfork(2): RFNAMEG copies the name space. */
static void a_fork_sees_what_was_and_not_what_comes(void **state)
{
	struct tn_proc *first = tn_ns_new(TN_NS_EMPTY), *copy;

	(void)state;
	assert_well(tn_ns_use(first));
	assert_well(tn_bind("#ram", "/r", TN_REPL | TN_CREATE_HERE));
	assert_well(put_text("/r/f", "before"));
	copy = tn_ns_fork(NULL, 0);
	assert_well(tn_bind("/r", "/late", TN_REPL));
	assert_well(tn_ns_use(copy));
	assert_string_equal(text_of("/r/f"), "before");
	assert_string_equal(text_of("/late/f"), "-TN_ENOENT");
	assert_well(tn_bind("/r", "/q", TN_REPL));
	assert_well(tn_ns_use(first));
	assert_string_equal(text_of("/q/f"), "-TN_ENOENT");
	assert_string_equal(text_of("/late/f"), "before");
	tn_ns_free(copy);
	tn_ns_free(first);
}

/* rfork(2) without RFNAMEG: a process shares the name space and has a directory of its own. */
static void a_share_sees_all_changes_and_has_its_own_dot(void **state)
{
	struct tn_proc *first = tn_ns_new(TN_NS_EMPTY), *other;
	char name[16];

	(void)state;
	assert_well(tn_ns_use(first));
	assert_well(tn_bind("#ram", "/r", TN_REPL | TN_CREATE_HERE));
	assert_well(tn_chdir("/r"));
	other = tn_ns_share(first);
	assert_well(tn_chdir("/"));
	assert_well(put_text("/r/f", "x"));
	assert_well(tn_bind("/r", "/late", TN_REPL));
	assert_well(tn_ns_use(other));
	assert_int_equal(tn_getwd(name, sizeof(name)), 2);
	assert_string_equal(name, "/r");
	assert_string_equal(text_of("/late/f"), "x");
	assert_well(tn_ns_apply(NULL, "bind /r /more\n"));
	assert_well(tn_ns_use(first));
	assert_string_equal(text_of("/more/f"), "x");
	tn_ns_free(other);
	tn_ns_free(first);
}

static void a_name_space_lives_as_long_as_a_thread_uses_it(void **state)
{
	(void)state;
	assert_well(use_new(TN_NS_EMPTY)); /* frees its reference */
	assert_non_null(tn_ns_current());
	assert_well(tn_bind("#ram", "/r", TN_REPL));
	assert_well(tn_ns_use(NULL));
	assert_null(tn_ns_current());
	assert_error(tn_open("/r", TN_OREAD), TN_EINVAL);
	assert_string_equal(tn_errstr(), "this thread uses no name space");
}

/* rfork(2), RFNOMNT; namespace-semantics.md 8. */
static void where_nothing_may_be_mounted_few_devices_can_be_named(void **state)
{
	struct tn_proc *ns = tn_ns_fork(NULL, TN_NS_NOMOUNT), *copy;
	struct tn_stat st;

	(void)state;
	assert_non_null(ns);
	assert_well(tn_ns_use(ns));
	assert_error(tn_bind("#ram", "/r", TN_REPL), TN_ENOATTACH);
	assert_error(tn_open("#host/etc/passwd", TN_OREAD), TN_ENOATTACH);
	assert_error(tn_mount("tcp!127.0.0.1!1", "/r", TN_REPL, "", NULL), TN_ENOATTACH);
	assert_well(tn_stat("#env", &st, NULL, 0));
	copy = tn_ns_fork(ns, 0); /* what one may not, its copies may not */
	assert_well(tn_ns_use(copy));
	assert_error(tn_bind("#ram", "/r", TN_REPL), TN_ENOATTACH);
	tn_ns_free(copy);
	tn_ns_free(ns);
}

static void what_is_printed_makes_it_again(void **state)
{
	char text[512], again[512], less[8];
	int64_t n;

	(void)state;
	assert_well(tn_ns_apply(NULL,
	    "# a comment\nbind -c '#ram' /r\nbind -a '#env' /r\nbind '#env' '/a b'\ncd /r\n"));
	n = tn_ns_print(NULL, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_string_equal(text, "bind -c #ram /r\nbind -a #env /r\nbind #env '/a b'\ncd /r\n");
	assert_int_equal(tn_ns_print(NULL, NULL, 0), n);
	assert_int_equal(tn_ns_print(NULL, less, sizeof(less)), n);
	assert_string_equal(less, "bind -c");
	assert_well(use_new(TN_NS_EMPTY));
	assert_well(tn_ns_apply(NULL, text));
	assert_well(tn_ns_print(NULL, again, sizeof(again)));
	assert_string_equal(again, text);
}

/* product.md 4: read whole, checked, then applied. */
static void lines_are_applied_all_or_not_at_all(void **state)
{
	(void)state;
	assert_error(tn_ns_apply(NULL, "bind '#ram' /r\nfrobnicate\n"), TN_EINVAL);
	assert_non_null(strstr(tn_errstr(), "text:2:1"));
	assert_error(tn_open("/r", TN_OREAD), TN_ENOENT);
	assert_error(tn_ns_apply(NULL, "bind '#ram' /r\nbind /nowhere /q\n"), TN_ENOENT);
	assert_non_null(strstr(tn_errstr(), "text:2:1: /nowhere: "));
	assert_int_equal(tn_ns_print(NULL, NULL, 0), strlen("cd /\n"));
	assert_error(tn_ns_apply(NULL, "mount tcp!127.0.0.1!1 /r\n"), TN_ECONNREFUSED);
}

static void wrong_arguments_are_refused(void **state)
{
	(void)state;
	assert_null_error(tn_ns_new(4), TN_EBADARG);
	assert_null_error(tn_ns_fork(NULL, TN_NS_HOST), TN_EBADARG);
	assert_error(tn_ns_apply(NULL, NULL), TN_EBADARG);
	assert_error(tn_ns_print(NULL, NULL, 1), TN_EBADARG);
	tn_ns_free(NULL);
	assert_well(tn_ns_use(NULL));
	assert_null_error(tn_ns_fork(NULL, 0), TN_EINVAL);
	assert_null_error(tn_ns_share(NULL), TN_EINVAL);
	assert_error(tn_ns_print(NULL, NULL, 0), TN_EINVAL);
	assert_error(tn_ns_apply(NULL, ""), TN_EINVAL);
	assert_error(tn_bind("#ram", "/r", 0), TN_EINVAL);
	assert_error(tn_getwd((char[2]){ 0 }, 2), TN_EINVAL);
	assert_error(tn_chdir("/"), TN_EINVAL);
}

static void the_end_waits_for_all_references(void **state)
{
	struct tn_proc *ns = tn_ns_new(TN_NS_EMPTY);
	struct tn_server *s = gate_new();
	struct tn_service *service = tn_serve(s, "tcp!127.0.0.1!0");

	(void)state;
	tn_server_put(s);
	assert_non_null(service);
	assert_error(tn_end(), TN_EBUSY);
	tn_ns_free(ns);
	assert_error(tn_end(), TN_EBUSY);
	assert_int_equal(gates(), 1);
	tn_serve_end(service);
	assert_int_equal(gates(), 0);
	assert_non_null(tn_ns_current()); /* nothing was given up */
	assert_well(tn_bind("#ram", "/r", TN_REPL | TN_CREATE_HERE));
	assert_well(put_text("/r/open", ""));
	assert_well(tn_open("/r/open", TN_OREAD));
	assert_well(tn_end());
	assert_null(tn_ns_current());
	assert_error(tn_close(0), TN_EBADFD); /* a new beginning */
}

static void errors_are_those_of_the_last_call(void **state)
{
	(void)state;
	assert_error(tn_open("/nowhere", TN_OREAD), TN_ENOENT);
	assert_string_equal(tn_errstr(), "file does not exist");
	assert_int_equal(tn_err_linux(tn_errno()), 2);
	assert_well(tn_chdir("/"));
	assert_string_equal(tn_errstr(), "no error");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_name_space_has_an_empty_root),
		TEST(with_the_host_its_files_are_there),
		TEST(mount_points_appear_in_an_empty_root_as_they_are_named),
		TEST(a_fork_sees_what_was_and_not_what_comes),
		TEST(a_share_sees_all_changes_and_has_its_own_dot),
		TEST(a_name_space_lives_as_long_as_a_thread_uses_it),
		TEST(where_nothing_may_be_mounted_few_devices_can_be_named),
		TEST(what_is_printed_makes_it_again),
		TEST(lines_are_applied_all_or_not_at_all),
		TEST(wrong_arguments_are_refused),
		TEST(the_end_waits_for_all_references),
		TEST(errors_are_those_of_the_last_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
