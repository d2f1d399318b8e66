/*
 * Locks of #host: between its own Chans and instances, and against processes of the host. What is said of ranges is
 * tested with core/lock.c.
 */
#include "asker.h"
#include "host/posix/host.h"
#include "host/posix/hostfs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_server *server;
static struct tn_chan *root;
static char dir[64], file[80];
static int allocations_left;

static int set_up(void **state)
{
	enum tn_err err;
	int fd;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/tn-hostlock-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/f", dir);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
	h = tn_host_loop_new();
	ask_loop = tn_host_loop_core(h);
	ask_flags = 0;
	server = tn_hostfs_new(ask_loop, dir, NULL, &err);
	assert_non_null(server);
	root = ask_attach(server, "");
	assert_non_null(root);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_alloc_hook = NULL;
	ask_put(root);
	tn_server_put(server);
	tn_req_reset(&ask.r);
	tn_host_loop_free(h);
	unlink(file);
	return rmdir(dir);
}

static struct tn_chan *open_f(struct tn_chan *from, uint32_t flags)
{
	struct tn_chan *c = ask_walk(from, "f");

	assert_non_null(c);
	assert_int_equal(ask_open(c, flags), TN_OK);
	return c;
}

static enum tn_err lock(struct tn_chan *c, uint64_t owner, uint8_t type, uint64_t start,
    uint64_t length)
{
	ask_begin(TN_LOCK, c);
	ask.r.u.lock.owner = owner;
	ask.r.u.lock.type = type;
	ask.r.u.lock.start = start;
	ask.r.u.lock.length = length;
	ask.r.u.lock.pid = (uint32_t)owner + 100;
	return ask_send();
}

/* What is told to one who would write there: into ask.r.u.lock. */
static void test(struct tn_chan *c, uint64_t start, uint64_t length)
{
	ask_begin(TN_GETLOCK, c);
	ask.r.u.lock.owner = 999;
	ask.r.u.lock.type = TN_LK_WRITE;
	ask.r.u.lock.start = start;
	ask.r.u.lock.length = length;
	assert_int_equal(ask_send(), TN_OK);
}

/*
 * Whether another process of the host may lock [start, start + length): it tries, and ends. fcntl(2): a process's locks
 * and a description's exclude each other.
 */
static bool host_may(short type, off_t start, off_t length)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct flock want = { .l_type = type,
			.l_whence = SEEK_SET,
			.l_start = start,
			.l_len = length };
		int fd = open(file, O_RDWR | O_CLOEXEC);

		_exit(fd < 0 ? 2 : fcntl(fd, F_SETLK, &want) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

/* A process of the host that has a lock until host_end. */
static pid_t host_lock(short type, off_t start, off_t length)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct flock want = { .l_type = type,
			.l_whence = SEEK_SET,
			.l_start = start,
			.l_len = length };
		int fd = open(file, O_RDWR | O_CLOEXEC);

		if (fd < 0 || fcntl(fd, F_SETLK, &want) || write(ready[1], "x", 1) != 1)
			_exit(1);
		close(ready[1]);
		alarm(60); /* not for ever, should the test end before it */
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void host_end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void owners_exclude_each_other_on_one_chan_and_on_two(void **state)
{
	struct tn_chan *a = open_f(root, TN_ORDWR), *b = open_f(root, TN_ORDWR);

	(void)state;
	assert_int_equal(lock(a, 1, TN_LK_WRITE, 0, 10), TN_OK);
	assert_int_equal(lock(a, 2, TN_LK_READ, 9, 1), TN_EAGAIN);
	assert_int_equal(lock(b, 2, TN_LK_READ, 9, 1), TN_EAGAIN);
	assert_int_equal(lock(b, 1, TN_LK_READ, 9, 1), TN_OK); /* its own */
	assert_int_equal(lock(b, 2, TN_LK_READ, 9, 1), TN_OK);
	test(b, 0, 0);
	assert_int_equal(ask.r.u.lock.type, TN_LK_WRITE);
	assert_int_equal(ask.r.u.lock.start, 0);
	assert_int_equal(ask.r.u.lock.length, 9);
	assert_int_equal(ask.r.u.lock.pid, 101);
	ask_put(a);
	ask_put(b);
}

static void two_instances_of_one_file_exclude_each_other(void **state)
{
	enum tn_err err;
	struct tn_server *other = tn_hostfs_new(ask_loop, dir, NULL, &err);
	struct tn_chan *other_root = ask_attach(other, ""), *a = open_f(root, TN_ORDWR),
		       *b = open_f(other_root, TN_ORDWR);

	(void)state;
	assert_int_equal(lock(a, 1, TN_LK_WRITE, 0, 0), TN_OK);
	assert_int_equal(lock(b, 2, TN_LK_WRITE, 5, 1), TN_EAGAIN);
	assert_int_equal(lock(b, 1, TN_LK_READ, 5, 1), TN_OK); /* the host sees one of us */
	ask_put(a);
	assert_int_equal(lock(b, 2, TN_LK_WRITE, 6, 1), TN_OK);
	ask_put(b);
	ask_put(other_root);
	tn_server_put(other);
}

static void the_clunk_of_its_chan_is_the_end_of_a_lock(void **state)
{
	struct tn_chan *a = open_f(root, TN_ORDWR), *b = open_f(root, TN_ORDWR);

	(void)state;
	assert_int_equal(lock(a, 1, TN_LK_WRITE, 0, 10), TN_OK);
	assert_int_equal(lock(b, 1, TN_LK_WRITE, 10, 10), TN_OK);
	assert_false(host_may(F_RDLCK, 0, 1));
	ask_put(a);
	assert_true(host_may(F_WRLCK, 0, 10));
	assert_false(host_may(F_RDLCK, 10, 1));
	ask_put(b);
	assert_true(host_may(F_WRLCK, 0, 0));
}

static void processes_of_the_host_are_excluded(void **state)
{
	struct tn_chan *a = open_f(root, TN_ORDWR), *b = open_f(root, TN_OREAD);

	(void)state;
	assert_int_equal(lock(a, 1, TN_LK_WRITE, 0, 10), TN_OK);
	assert_int_equal(lock(b, 2, TN_LK_READ, 20, 10), TN_OK);
	assert_int_equal(lock(a, 3, TN_LK_READ, 22, 1), TN_OK);
	assert_int_equal(lock(a, 3, TN_LK_READ, 25, 0), TN_OK);
	assert_false(host_may(F_RDLCK, 9, 1));
	assert_true(host_may(F_WRLCK, 10, 10));
	assert_true(host_may(F_RDLCK, 20, 0));
	assert_false(host_may(F_WRLCK, 20, 1));
	assert_false(host_may(F_WRLCK, 1000, 1));
	/* What one of two readers gives up, the other has still. */
	assert_int_equal(lock(b, 2, TN_LK_UNLOCK, 0, 0), TN_OK);
	assert_true(host_may(F_WRLCK, 20, 2));
	assert_false(host_may(F_WRLCK, 22, 1));
	assert_true(host_may(F_WRLCK, 23, 2));
	assert_false(host_may(F_WRLCK, 25, 1));
	assert_int_equal(lock(a, 1, TN_LK_READ, 5, 5), TN_OK); /* less than it had */
	assert_true(host_may(F_RDLCK, 5, 5));
	assert_false(host_may(F_RDLCK, 4, 1));
	ask_put(b);
	ask_put(a);
}

static void a_process_of_the_host_excludes(void **state)
{
	struct tn_chan *a = open_f(root, TN_ORDWR), *b = open_f(root, TN_OREAD);
	pid_t pid = host_lock(F_WRLCK, 5, 5);

	(void)state;
	assert_int_equal(lock(a, 1, TN_LK_WRITE, 0, 6), TN_EAGAIN);
	assert_int_equal(lock(b, 1, TN_LK_READ, 9, 1), TN_EAGAIN);
	assert_int_equal(lock(a, 1, TN_LK_WRITE, 0, 5), TN_OK);
	for (unsigned i = 0; i < 2; i++) { /* asked on the Chan, and where our locks are */
		test(i ? a : b, 5, 0);
		assert_int_equal(ask.r.u.lock.type, TN_LK_WRITE);
		assert_int_equal(ask.r.u.lock.start, 5);
		assert_int_equal(ask.r.u.lock.length, 5);
		assert_int_equal(ask.r.u.lock.pid, pid);
		assert_int_equal(lock(a, 1, TN_LK_UNLOCK, 0, 0), TN_OK);
	}
	host_end(pid);
	assert_int_equal(lock(a, 1, TN_LK_WRITE, 0, 6), TN_OK);
	test(b, 6, 0);
	assert_int_equal(ask.r.u.lock.type, TN_LK_UNLOCK);
	ask_put(a);
	ask_put(b);
}

/* A file that may be read only is locked for reading only, by whoever asks first. */
static void a_lock_needs_no_more_rights_than_the_chan_has(void **state)
{
	struct tn_chan *c = open_f(root, TN_OREAD);

	(void)state;
	assert_int_equal(chmod(file, 0444), 0);
	assert_int_equal(lock(c, 1, TN_LK_READ, 0, 0), TN_OK);
	assert_int_equal(lock(c, 1, TN_LK_WRITE, 0, 0), TN_EBADUSE);
	assert_int_equal(chmod(file, 0644), 0);
	assert_false(host_may(F_WRLCK, 0, 0));
	ask_put(c);
	c = ask_walk(root, "f");
	assert_int_equal(lock(c, 1, TN_LK_READ, 0, 0), TN_ENOTOPEN);
	ask_put(c);
}

static bool allow(size_t size)
{
	(void)size;
	return allocations_left-- > 0;
}

static void without_memory_there_is_no_lock_and_no_descriptor(void **state)
{
	struct tn_chan *c = open_f(root, TN_ORDWR);
	enum tn_err err;
	int n = 0, next = dup(0); /* the lowest number that is free */

	(void)state;
	close(next);
	do {
		allocations_left = n++;
		tn_alloc_hook = allow;
		err = lock(c, 1, TN_LK_WRITE, 0, 0);
		tn_alloc_hook = NULL;
		assert_true(host_may(F_WRLCK, 0, 0) == (err != TN_OK));
	} while (err == TN_ENOMEM && n < 10);
	assert_int_equal(err, TN_OK);
	assert_int_equal(n, 4); /* the table's file, its range, the host's file */
	assert_int_equal(lock(c, 1, TN_LK_UNLOCK, 0, 0), TN_OK);
	assert_int_equal(dup(0), next); /* as many are open as before */
	close(next);
	ask_put(c);
}

/* What may hang is not asked for locks: they hold among us. */
static void where_calls_may_hang_locks_are_between_chans_alone(void **state)
{
	struct tn_hostfs_options o = { .all_workers = true };
	enum tn_err err;
	struct tn_server *slow = tn_hostfs_new(ask_loop, dir, &o, &err);
	struct tn_chan *slow_root = ask_attach(slow, ""), *c = open_f(slow_root, TN_ORDWR);

	(void)state;
	assert_int_equal(lock(c, 1, TN_LK_WRITE, 0, 0), TN_OK);
	assert_int_equal(lock(c, 2, TN_LK_WRITE, 0, 0), TN_EAGAIN);
	assert_true(host_may(F_WRLCK, 0, 0));
	test(c, 0, 0);
	assert_int_equal(ask.r.u.lock.type, TN_LK_WRITE);
	ask_put(c);
	ask_put(slow_root);
	tn_server_put(
	    slow); /* what is closed on a worker holds it; the loop's end waits for that */
}

static void a_directory_is_locked_among_us(void **state)
{
	struct tn_chan *c = ask_walk(root, "");

	(void)state;
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	assert_int_equal(lock(c, 1, TN_LK_READ, 0, 0), TN_OK);
	assert_int_equal(lock(c, 1, TN_LK_WRITE, 0, 0), TN_EBADUSE);
	test(c, 0, 0);
	assert_int_equal(ask.r.u.lock.type, TN_LK_READ);
	ask_put(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(owners_exclude_each_other_on_one_chan_and_on_two),
		TEST(two_instances_of_one_file_exclude_each_other),
		TEST(the_clunk_of_its_chan_is_the_end_of_a_lock),
		TEST(processes_of_the_host_are_excluded),
		TEST(a_process_of_the_host_excludes),
		TEST(a_lock_needs_no_more_rights_than_the_chan_has),
		TEST(without_memory_there_is_no_lock_and_no_descriptor),
		TEST(where_calls_may_hang_locks_are_between_chans_alone),
		TEST(a_directory_is_locked_among_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
