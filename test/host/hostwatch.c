/*
 * TN_WATCH of #host: what others do in a directory of the host is told, to each that watches it, until he lets go; and
 * nothing is left then. inotify(7).
 */
#include "asker.h"
#include "host/posix/host.h"
#include "host/posix/hostfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_server *server;
static struct tn_chan *root;
static char dir[64];

struct watch {
	struct tn_req r; /* first */
	bool done;
	char heard[4096]; /* "WHAT NAME;" */
};

static const char *const words[TN_CHANGES] = { "begun", "made", "gone", "written", "status", "left",
	"came", "lost" };

static void hear(struct tn_req *r, const struct tn_change *c)
{
	struct watch *w = (struct watch *)r;
	size_t len = strlen(w->heard);

	snprintf(w->heard + len, sizeof(w->heard) - len, "%s%s %.*s;", words[c->what],
	    c->is_dir ? "/" : "", (int)c->name.len, c->name.s);
}

static void done(struct tn_req *r)
{
	((struct watch *)r)->done = true;
}

static const struct tn_owner watcher = { .done = done, .change = hear };

static int set_up(void **state)
{
	enum tn_err err;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/tn-hostwatch-XXXXXX");
	assert_non_null(mkdtemp(dir));
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
	ask_put(root);
	tn_server_put(server);
	tn_req_reset(&ask.r);
	tn_host_loop_free(h);
	return rmdir(dir);
}

static void begin(struct watch *w, struct tn_chan *c)
{
	memset(w, 0, sizeof(*w));
	tn_req_init(&w->r, TN_WATCH, c, &watcher);
	assert_int_equal(tn_submit(&w->r), TN_LATER);
	assert_string_equal(w->heard, "begun ;");
	w->heard[0] = '\0';
}

static void end(struct watch *w)
{
	tn_flush(&w->r);
	assert_true(w->done);
	assert_int_equal(w->r.err, TN_EINTR);
	tn_req_reset(&w->r);
}

static const char *path(const char *name)
{
	static char buf[2][128];
	static unsigned i;

	snprintf(buf[++i % 2], sizeof(buf[0]), "%s/%s", dir, name);
	return buf[i % 2];
}

static void touch(const char *name)
{
	int fd = open(path(name), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void hears(struct watch *w, const char *want)
{
	for (int i = 0; i < 1000 && strlen(w->heard) < strlen(want); i++)
		tn_host_loop_turn(ask_loop);
	assert_string_equal(w->heard, want);
	w->heard[0] = '\0';
}

/* Descriptors of inotify that this process has. */
static unsigned n_inotify(void)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(fds);
	while ((e = readdir(fds))) {
		char link[64] = "";

		if (readlinkat(dirfd(fds), e->d_name, link, sizeof(link) - 1) > 0)
			n += strstr(link, "inotify") != NULL;
	}
	closedir(fds);
	return n;
}

static void what_others_do_is_told_in_its_order(void **state)
{
	struct watch w;

	(void)state;
	begin(&w, root);
	touch("f");
	rename(path("f"), path("g"));
	chmod(path("g"), 0600);
	unlink(path("g"));
	mkdir(path("d"), 0755);
	rmdir(path("d"));
	hears(&w, "made f;written f;left f;came g;status g;gone g;made/ d;gone/ d;");
	end(&w);
}

static void each_that_watches_is_told_and_who_has_let_go_is_not(void **state)
{
	struct watch a, b;

	(void)state;
	begin(&a, root);
	begin(&b, root);
	touch("f");
	hears(&a, "made f;written f;");
	hears(&b, "made f;written f;");
	end(&a);
	unlink(path("f"));
	hears(&b, "gone f;");
	assert_string_equal(a.heard, "");
	end(&b);
}

static void a_directory_is_watched_by_itself(void **state)
{
	struct tn_chan *d;
	struct watch w;

	(void)state;
	mkdir(path("d"), 0755);
	d = ask_walk(root, "d");
	begin(&w, d);
	touch("f");
	touch("d/g");
	unlink(path("f"));
	unlink(path("d/g"));
	hears(&w, "made g;written g;gone g;");
	end(&w);
	ask_put(d);
	rmdir(path("d"));
}

static void without_a_watch_there_is_no_descriptor(void **state)
{
	struct watch a, b;

	(void)state;
	assert_int_equal(n_inotify(), 0);
	begin(&a, root);
	begin(&b, root);
	assert_int_equal(n_inotify(), 1);
	end(&a);
	assert_int_equal(n_inotify(), 1);
	end(&b);
	assert_int_equal(n_inotify(), 0);
}

static void a_file_has_nothing_to_watch(void **state)
{
	struct tn_chan *f;

	(void)state;
	touch("f");
	f = ask_walk(root, "f");
	ask_begin(TN_WATCH, f);
	assert_int_equal(ask_send(), TN_ENOTDIR);
	ask_put(f);
	unlink(path("f"));
	assert_int_equal(n_inotify(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_others_do_is_told_in_its_order),
		TEST(each_that_watches_is_told_and_who_has_let_go_is_not),
		TEST(a_directory_is_watched_by_itself),
		TEST(without_a_watch_there_is_no_descriptor),
		TEST(a_file_has_nothing_to_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
