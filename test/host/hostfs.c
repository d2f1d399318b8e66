/*
 * src/host/posix/hostfs.c and its parts: the host's files as a file server. Every test runs twice: with calls made on
 * the loop, and with all of them handed to workers. Permissions and the rest of 9P: conformance.py.
 */
#include "host/posix/hostfs.h"

#include "asker.h"
#include "host/posix/host.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_server *server;
static struct tn_chan *root;
static struct tn_hostfs_options options;
static char top[64],
    dir[80]; /* a directory of our own; the exported one in it, beside top/secret */
static int dir_fd;

/* Where a test's directory is, and whether all calls go to workers. */
struct variant {
	const char *base;
	bool workers;
};

static struct variant plain[] = { { "/tmp", false }, { "/tmp", true } };
static struct variant quick[] = { { "/dev/shm", false },
	{ "/dev/shm", true } }; /* for very many files */

static bool on_workers(void **state)
{
	return ((struct variant *)*state)->workers;
}

static void host_write(const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void begin(const struct tn_hostfs_options *o)
{
	enum tn_err err;

	server = tn_hostfs_new(tn_host_loop_core(h), dir, o, &err);
	assert_non_null(server);
	root = ask_attach(server, "");
	assert_non_null(root);
}

static void end(void)
{
	ask_put(root);
	tn_server_put(server);
	root = NULL;
	server = NULL;
}

static int set_up(void **state)
{
	const char *base = ((struct variant *)*state)->base;

	options = (struct tn_hostfs_options){ .all_workers = on_workers(state) };
	snprintf(top, sizeof(top), "%s/tn-hostfs-XXXXXX", access(base, W_OK) ? "/tmp" : base);
	assert_non_null(mkdtemp(top));
	snprintf(dir, sizeof(dir), "%s/export", top);
	assert_int_equal(mkdir(dir, 0755), 0);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	host_write("../secret", "secret");
	host_write("f", "hello");
	assert_int_equal(mkdirat(dir_fd, "d", 0755), 0);
	host_write("d/g", "in d");
	h = tn_host_loop_new();
	ask_loop = tn_host_loop_core(h);
	ask_flags = 0;
	begin(&options);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	tn_alloc_hook = NULL;
	umask(022);
	if (root)
		end();
	tn_req_reset(&ask.r);
	tn_host_loop_free(h);
	close(dir_fd);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

/* ---- nothing leads out ---- */

static const struct {
	const char *target, *path, *content;
} links[] = {
	{ "f", "l", "hello" },
	{ "d/g", "l", "in d" },
	{ "d", "l/g", "in d" },
	{ "/f", "l", "hello" }, /* absolute is from the exported root */
	{ "/d/../f", "l", "hello" },
	{ "d/../../../f", "l", "hello" }, /* `..` of the root is the root */
	{ "../secret", "l", "!TN_ENOENT" },
	{ "../../../../../../../../etc/passwd", "l", "!TN_ENOENT" },
	{ "/etc/passwd", "l", "!TN_ENOENT" },
	{ "/proc/self/root/etc/passwd", "l", "!TN_ENOENT" },
	{ "..", "l/f", "hello" },
	{ "..", "l/secret", "!walked 1: TN_OK" },
	{ "/", "l/etc", "!walked 1: TN_OK" },
	{ "/", "l/l/l/l/f", "hello" },
	{ "l", "l", "!TN_ENOENT" }, /* a loop is a link to nowhere */
	{ "gone", "l", "!TN_ENOENT" },
	{ "gone", "l/x", "!walked 1: TN_OK" },
};

static void no_symbolic_link_leads_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(links); i++) {
		print_message("%s -> %s\n", links[i].path, links[i].target);
		assert_int_equal(symlinkat(links[i].target, dir_fd, "l"), 0);
		assert_string_equal(ask_cat(root, links[i].path), links[i].content);
		assert_int_equal(unlinkat(dir_fd, "l", 0), 0);
	}
}

static void dot_dot_stays_below_the_root(void **state)
{
	struct tn_chan *c = ask_walk(root, "../../d/../../../d/..");

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->qid.path, root->qid.path);
	ask_put(c);
	assert_string_equal(ask_cat(root, "../secret"), "!walked 1: TN_OK");
}

static void a_directory_that_was_moved_out_leads_back_in_by_dot_dot(void **state)
{
	struct tn_chan *d = ask_walk(root, "d"), *up;
	char there[100];

	(void)state;
	snprintf(there, sizeof(there), "%s/moved", top);
	assert_int_equal(renameat(dir_fd, "d", AT_FDCWD, there), 0);
	up = ask_walk(d, "..");
	assert_int_equal(up->qid.path, root->qid.path);
	ask_put(up);
	assert_string_equal(ask_cat(d, "../secret"), "!walked 1: TN_OK");
	ask_put(d);
}

static bool racing;

static void *swap(void *arg)
{
	while (__atomic_load_n(&racing, __ATOMIC_RELAXED))
		renameat2(dir_fd, "d", dir_fd, "l", RENAME_EXCHANGE);
	return arg;
}

/* `d` is now a directory, now a link to where `secret` is; `d/g` must be the one inside, or nothing. */
static void no_race_of_renames_leads_out(void **state)
{
	unsigned reads = 0, n = on_workers(state) ? 500 : 5000;
	pthread_t other;

	assert_int_equal(symlinkat("..", dir_fd, "l"), 0);
	host_write("../g", "secret");
	racing = true;
	assert_int_equal(pthread_create(&other, NULL, swap, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		const char *text = ask_cat(root, "d/g");

		assert_string_not_equal(text, "secret");
		reads += strcmp(text, "in d") == 0;
	}
	__atomic_store_n(&racing, false, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	assert_true(reads > 0);
}

static void an_attach_name_is_a_tree_of_its_own(void **state)
{
	struct tn_chan *d = ask_attach(server, "/d"), *up;

	(void)state;
	assert_non_null(d);
	assert_string_equal(ask_cat(d, "g"), "in d");
	up = ask_walk(d, "..");
	assert_int_equal(up->qid.path, d->qid.path);
	ask_put(up);
	assert_string_equal(ask_cat(d, "../f"), "!walked 1: TN_OK");
	assert_int_equal(symlinkat("/f", dir_fd, "d/l"), 0);
	assert_string_equal(ask_cat(d, "l"), "!TN_ENOENT"); /* the root is d */
	ask_put(d);
	assert_null(ask_attach(server, "nowhere"));
	assert_int_equal(ask.r.err, TN_EBADATTACH);
	d = ask_attach(server, "../../..");
	assert_int_equal(d->qid.path, root->qid.path);
	ask_put(d);
}

/* ---- names ---- */

static void a_name_that_is_none_is_refused_before_the_kernel_sees_it(void **state)
{
	static const struct {
		struct tn_str name;
		enum tn_err create, walk;
	} rows[] = {
		{ { "", 0 }, TN_EBADCHAR, TN_ENOENT },
		{ { ".", 1 }, TN_EBADCHAR, TN_ENOENT },
		{ { "a/b", 3 }, TN_EBADCHAR, TN_ENOENT },
		{ { "/", 1 }, TN_EBADCHAR, TN_ENOENT },
		{ { "../x", 4 }, TN_EBADCHAR, TN_ENOENT },
		{ { "a\0b", 3 }, TN_EBADCHAR, TN_ENOENT },
		{ { "..", 2 }, TN_EBADCHAR, TN_OK },
	};
	struct tn_stat st = { .valid = TN_ST_NAME };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		struct tn_chan *c = ask_walk(root, ""), *f = ask_walk(root, "f");

		ask_begin(TN_CREATE, c);
		ask.r.u.create.name = rows[i].name;
		ask.r.u.create.perm = 0644;
		assert_int_equal(ask_send(), rows[i].create);
		st.name = rows[i].name;
		assert_int_equal(ask_wstat(f, &st), rows[i].create);
		ask_begin(TN_WALK, root);
		ask.r.u.walk.names = &rows[i].name;
		ask.r.u.walk.n_names = 1;
		ask.r.u.walk.qids = ask.qids;
		ask.r.u.walk.newchan = tn_chan_clone(root);
		assert_int_equal(ask_send(), rows[i].walk);
		ask_put(ask.r.u.walk.newchan);
		ask_put(c);
		ask_put(f);
	}
}

static void names_are_bytes(void **state)
{
	struct tn_chan *c = ask_walk(root, "");

	(void)state;
	assert_int_equal(ask_create(c, "\xff\xfe \n\\", 0644, TN_OWRITE), TN_OK);
	ask_put(c);
	assert_int_equal(faccessat(dir_fd, "\xff\xfe \n\\", F_OK, 0), 0);
	assert_string_equal(ask_cat(root, "\xff\xfe \n\\"), "");
}

/* ---- links as they are ---- */

static void a_peer_that_follows_links_itself_sees_them(void **state)
{
	struct tn_chan *c;

	(void)state;
	assert_int_equal(symlinkat("d/g", dir_fd, "l"), 0);
	ask_flags = TN_OF_NOFOLLOW;
	c = ask_walk(root, "l");
	assert_int_equal(c->qid.type, TN_QTSYMLINK);
	assert_int_equal(ask_stat(c), TN_OK);
	assert_true(ask.st.mode & TN_DMSYMLINK);
	assert_string_equal(ask.extension, "d/g");
	assert_int_equal(ask_open(c, TN_OREAD), TN_ESYMLINK);
	ask_put(c);
	assert_null(ask_walk(root, "l/x"));
}

static void see(void *arg, const struct ask_entry *e)
{
	struct ask_entry *found = arg;

	if (strcmp(e->name, found->name) == 0)
		*found = *e;
}

static void a_listing_shows_what_a_walk_finds(void **state)
{
	static const uint32_t flags[] = { 0, TN_OF_NOFOLLOW };
	static const char *const names[] = { "f", "d", "l" };

	(void)state;
	assert_int_equal(symlinkat("d", dir_fd, "l"), 0);
	for (size_t i = 0; i < TN_COUNT(flags); i++) {
		ask_flags = flags[i];
		for (size_t k = 0; k < TN_COUNT(names); k++) {
			struct ask_entry e = { .mode = UINT32_MAX };
			struct tn_chan *d = ask_walk(root, ""), *c = ask_walk(root, names[k]);

			snprintf(e.name, sizeof(e.name), "%s", names[k]);
			assert_int_equal(ask_open(d, TN_OREAD), TN_OK);
			assert_int_equal(ask_list(d, 0, 100, see, &e), TN_OK);
			assert_int_equal(ask_stat(c), TN_OK);
			assert_int_equal(e.mode, ask.st.mode);
			assert_int_equal(e.qid.path, ask.st.qid.path);
			assert_int_equal(e.qid.version, ask.st.qid.version);
			ask_put(d);
			ask_put(c);
		}
	}
}

/* The entry of that name in the root, by a listing of names alone, of a Chan that has walked nothing else. */
static struct ask_entry named(const char *name)
{
	struct ask_entry e = { .mode = UINT32_MAX };
	struct tn_chan *d = ask_walk(root, "");

	snprintf(e.name, sizeof(e.name), "%s", name);
	assert_int_equal(ask_open(d, TN_OREAD), TN_OK);
	assert_int_equal(ask_names(d, 100, see, &e), TN_OK);
	ask_put(d);
	return e;
}

/* readdir(3), d_ino and d_type. tenon/server.h: TN_OF_STATS. */
static void a_listing_of_names_has_the_numbers_and_kinds_of_a_walk(void **state)
{
	static const uint32_t flags[] = { 0, TN_OF_NOFOLLOW };
	static const char *const names[] = { "f", "d", "l", "p", "gone" };

	(void)state;
	assert_int_equal(symlinkat("d", dir_fd, "l"), 0);
	assert_int_equal(symlinkat("nowhere", dir_fd, "gone"), 0);
	assert_int_equal(mkfifoat(dir_fd, "p", 0600), 0);
	for (size_t i = 0; i < TN_COUNT(flags); i++) {
		ask_flags = flags[i];
		for (size_t k = 0; k < TN_COUNT(names); k++) {
			struct ask_entry before = named(names[k]), after;
			struct tn_chan *c = ask_walk(root, names[k]);

			after = named(names[k]);
			assert_int_equal(ask_stat(c), TN_OK);
			assert_int_equal(before.qid.path, ask.st.qid.path);
			assert_int_equal(after.qid.path, ask.st.qid.path);
			assert_int_equal(before.qid.type, ask.st.qid.type);
			assert_int_equal(before.mode >> 16, ask.st.mode >> 16);
			ask_put(c);
		}
	}
}

/* intro(5): "the old and new path components of the qids should be different", also where nobody has walked to it. */
static void a_file_made_anew_has_another_number_in_listings(void **state)
{
	struct ask_entry old;

	(void)state;
	for (int i = 0; i < 20; i++) {
		old = named("f");
		assert_int_equal(unlinkat(dir_fd, "f", 0), 0);
		close(openat(dir_fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		assert_int_not_equal(named("f").qid.path, old.qid.path);
	}
}

static void a_dangling_link_can_be_removed(void **state)
{
	struct tn_chan *c;

	(void)state;
	assert_int_equal(symlinkat("gone", dir_fd, "l"), 0);
	c = ask_walk(root, "l");
	assert_non_null(c);
	assert_int_equal(ask_remove(c), TN_OK);
	ask_put(c);
	assert_int_equal(faccessat(dir_fd, "l", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void removing_a_followed_link_removes_the_link(void **state)
{
	struct tn_chan *c;

	(void)state;
	assert_int_equal(symlinkat("d", dir_fd, "l"), 0);
	c = ask_walk(root, "l");
	assert_int_equal(ask_remove(c), TN_OK);
	ask_put(c);
	assert_int_equal(faccessat(dir_fd, "l", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_string_equal(ask_cat(root, "d/g"), "in d");
}

/* ---- which file it is ---- */

static struct tn_qid qid_of(const char *path)
{
	struct tn_chan *c = ask_walk(root, path);
	struct tn_qid qid = c->qid;

	ask_put(c);
	return qid;
}

static void a_file_made_anew_has_another_qid_path(void **state)
{
	uint64_t seen[200];
	struct stat st;
	unsigned reused = 0;
	ino_t last = 0;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(seen); i++) {
		host_write("again", "x");
		seen[i] = qid_of("again").path;
		assert_int_equal(fstatat(dir_fd, "again", &st, 0), 0);
		reused += st.st_ino == last;
		last = st.st_ino;
		assert_int_equal(unlinkat(dir_fd, "again", 0), 0);
		for (size_t k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
	print_message("inode numbers used anew: %u\n", reused);
}

static void a_file_has_one_qid_path_by_all_its_names(void **state)
{
	uint64_t path = qid_of("f").path;

	(void)state;
	assert_int_equal(linkat(dir_fd, "f", dir_fd, "d/hard", 0), 0);
	assert_int_equal(symlinkat("/f", dir_fd, "soft"), 0);
	assert_int_equal(qid_of("d/hard").path, path);
	assert_int_equal(qid_of("soft").path, path);
	end();
	begin(&options);
	assert_int_equal(qid_of("f").path, path); /* and the next time */
}

static void every_write_moves_the_version(void **state)
{
	uint32_t seen[300];
	struct tn_chan *c = ask_walk(root, "f");

	(void)state;
	assert_int_equal(ask_open(c, TN_OWRITE), TN_OK);
	for (size_t i = 0; i < TN_COUNT(seen); i++) {
		assert_int_equal(ask_write(c, "x", 1, 0), 1);
		seen[i] = qid_of("f").version;
		for (size_t k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
	ask_put(c);
}

static void another_file_under_the_name_is_stale_and_not_taken_for_it(void **state)
{
	struct tn_chan *c = ask_walk(root, "f");

	(void)state;
	host_write("new", "other");
	assert_int_equal(renameat(dir_fd, "new", dir_fd, "f"), 0);
	assert_int_equal(ask_remove(c), TN_ESTALE);
	assert_string_equal(ask_cat(root, "f"), "other");
	ask_put(c);
}

static void a_rename_shows_in_all_chans_of_the_file(void **state)
{
	struct tn_chan *one = ask_walk(root, "d"), *other = ask_walk(root, "d"),
		       *below = ask_walk(root, "d/g");
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("e") };

	(void)state;
	assert_int_equal(ask_wstat(one, &st), TN_OK);
	assert_int_equal(ask_stat(other), TN_OK);
	assert_string_equal(ask.name, "e");
	assert_int_equal(ask_remove(below), TN_OK);
	assert_int_equal(ask_remove(other), TN_OK);
	assert_int_equal(faccessat(dir_fd, "e", F_OK, 0), -1);
	ask_put(one);
	ask_put(other);
	ask_put(below);
}

/* ---- descriptors ---- */

static void many_chans_need_few_descriptors(void **state)
{
	static struct tn_chan *c[3000];
	struct tn_hostfs_options few = { .held_max = 50, .open_max = 20 };
	struct tn_hostfs_stats stats;
	char name[32];

	if (on_workers(state))
		return; /* those of file systems that may hang are all kept */
	end();
	begin(&few);
	for (size_t i = 0; i < TN_COUNT(c); i++) {
		snprintf(name, sizeof(name), "d/%zu", i);
		host_write(name, name);
		c[i] = ask_walk(root, name);
		assert_non_null(c[i]);
	}
	tn_hostfs_stats(server, &stats);
	assert_true(stats.held <= 52); /* the root's and one that is being used */
	for (size_t i = 0; i < TN_COUNT(c); i += 7) {
		char text[32] = "";

		snprintf(name, sizeof(name), "d/%zu", i);
		assert_int_equal(ask_stat(c[i]), TN_OK);
		assert_string_equal(ask.name, name + 2);
		assert_int_equal(ask_open(c[i], TN_OREAD), TN_OK);
		assert_true(ask_read(c[i], text, sizeof(text), 0) > 0);
		assert_string_equal(text, name);
		ask_put(c[i]);
		c[i] = NULL;
	}
	/* One that has no descriptor now, and whose name leads to another file. */
	assert_int_equal(unlinkat(dir_fd, "d/1", 0), 0);
	host_write("d/1", "another");
	assert_int_equal(ask_stat(c[1]), TN_ESTALE);
	for (size_t i = 0; i < TN_COUNT(c); i++)
		tn_chan_put(c[i]);
	ask_put(ask_walk(root, ""));
	tn_hostfs_stats(server, &stats);
	assert_int_equal(stats.places, 1);
	assert_int_equal(stats.held, 1);
}

static void opening_too_many_files_is_an_error_of_its_own(void **state)
{
	struct tn_hostfs_options few = options;
	struct tn_chan *c[4];

	(void)state;
	few.open_max = 3;
	end();
	begin(&few);
	for (size_t i = 0; i < 4; i++) {
		c[i] = ask_walk(root, "f");
		assert_int_equal(ask_open(c[i], TN_OREAD), i < 3 ? TN_OK : TN_ELIMIT_OPEN);
	}
	ask_put(c[0]);
	assert_int_equal(ask_open(c[3], TN_OREAD), TN_OK);
	for (size_t i = 1; i < 4; i++)
		ask_put(c[i]);
}

/* ---- special files ---- */

static void a_fifo_is_seen_and_never_waited_for(void **state)
{
	static const uint32_t modes[] = { TN_OREAD, TN_OWRITE, TN_ORDWR };

	(void)state;
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0666), 0);
	for (size_t i = 0; i < TN_COUNT(modes); i++) {
		struct tn_chan *c = ask_walk(root, "fifo");

		assert_int_equal(ask_stat(c), TN_OK);
		assert_true(ask.st.mode & TN_DMNAMEDPIPE);
		assert_int_equal(ask_open(c, modes[i]), TN_EPERM);
		ask_put(c);
	}
}

static void a_socket_is_seen_and_not_opened(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct tn_chan *c;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	c = ask_walk(root, "sock");
	assert_int_equal(ask_open(c, TN_OREAD), TN_ENXIO);
	ask_put(c);
	close(fd);
}

/* product.md 5: whatever a server does, an operation ends. */
static void a_read_that_hangs_is_flushed_at_once(void **state)
{
	struct tn_hostfs_options with = options;
	struct tn_chan *c;
	char buf[16];
	int fd;

	(void)state;
	with.devices = true;
	end();
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0666), 0);
	begin(&with);
	c = ask_walk(root, "fifo");
	fd = openat(dir_fd, "fifo", O_RDWR | O_NONBLOCK);
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	ask_begin(TN_READ, c);
	ask.r.u.io.data = (uint8_t *)buf;
	ask.r.u.io.count = sizeof(buf);
	assert_true(ask_start());
	tn_flush(&ask.r);
	assert_true(ask.done);
	assert_int_equal(ask.r.err, TN_EINTR);

	assert_int_equal(write(fd, "abc", 3), 3); /* the next one comes through behind it */
	assert_int_equal(ask_read(c, buf, sizeof(buf), 0) > 0 || write(fd, "abc", 3) == 3, true);
	ask_put(c);
	close(fd);
}

/* ---- data ---- */

static void a_sparse_file_beyond_4_GiB(void **state)
{
	struct tn_chan *c = ask_walk(root, "");
	uint64_t far = (UINT64_C(5) << 30) + 3;
	char buf[8];

	(void)state;
	assert_int_equal(ask_create(c, "big", 0644, TN_ORDWR), TN_OK);
	assert_int_equal(ask_write(c, "far", 3, far), 3);
	assert_int_equal(ask_stat(c), TN_OK);
	assert_int_equal(ask.st.length, far + 3);
	assert_true(ask.st.blocks < 100);
	assert_int_equal(ask_read(c, buf, 8, far - 2), 5);
	assert_memory_equal(buf, "\0\0far", 5);
	assert_int_equal(ask_read(c, buf, 8, far + 3), 0);
	ask_begin(TN_SEEKHOLE, c);
	ask.r.u.range.how = SEEK_DATA;
	assert_int_equal(ask_send(), TN_OK);
	assert_true(ask.r.u.range.offset > far - 65536);
	assert_int_equal(ask_write(c, "x", 1, INT64_MAX), -TN_EFBIG);
	assert_int_equal(ask_read(c, buf, 1, UINT64_MAX), 0);
	ask_put(c);
}

static void large_reads_come_whole_however_cold(void **state)
{
	static uint8_t all[3000000], back[3000000];
	struct tn_chan *c;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 31 + i / 4096);
	fd = openat(dir_fd, "large", O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, all, sizeof(all)), sizeof(all));
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* out of the page cache */
	close(fd);
	c = ask_walk(root, "large");
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	assert_int_equal(ask_read(c, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(all, back, sizeof(all));
	ask_put(c);
}

static bool put_text(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good;
}

/* Runs `body` in a child with a file system of 64 KiB at `dir`. 77: this machine does not allow it. */
static int in_tiny_tmpfs(void (*body)(void))
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[32], gids[32];
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (uid != 0 && unshare(CLONE_NEWUSER) == 0) {
			snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
			snprintf(gids, sizeof(gids), "0 %u 1", (unsigned)gid);
			if (!put_text("/proc/self/uid_map", map) ||
			    !put_text("/proc/self/setgroups", "deny") ||
			    !put_text("/proc/self/gid_map", gids))
				_exit(77);
		}
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", dir, "tmpfs", 0, "size=64k"))
			_exit(77);
		body();
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

#define MUST(x)                                                     \
	do {                                                        \
		if (!(x)) {                                         \
			fprintf(stderr, "does not hold: %s\n", #x); \
			_exit(1);                                   \
		}                                                   \
	} while (0)

static void fill_the_disk(void)
{
	static uint8_t data[100000];
	struct tn_chan *c;
	enum tn_err err;
	int64_t n;

	h = tn_host_loop_new();
	ask_loop = tn_host_loop_core(h);
	server = tn_hostfs_new(ask_loop, dir, &options, &err);
	MUST(server);
	root = ask_attach(server, "");
	c = ask_walk(root, "");
	MUST(ask_create(c, "f", 0644, TN_ORDWR) == TN_OK);
	n = ask_write(c, data, sizeof(data), 0);
	MUST(n > 0 && n <= 65536); /* what was written counts */
	MUST(ask_stat(c) == TN_OK && ask.st.length == (uint64_t)n);
	MUST(ask_write(c, data, sizeof(data), (uint64_t)n) == -TN_ENOSPC);
	MUST(ask_stat(c) == TN_OK && ask.st.length == (uint64_t)n);
	ask_begin(TN_STATFS, c);
	struct tn_statfs fs;
	ask.r.u.statfs.out = &fs;
	MUST(ask_send() == TN_OK && fs.bavail == 0);
}

static void a_full_disk_is_said_and_what_was_written_counts(void **state)
{
	int status;

#ifdef __SANITIZE_THREAD__ /* which allows no threads behind a fork of several */
	if (on_workers(state))
		skip();
#endif
	(void)state;
	status = in_tiny_tmpfs(fill_the_disk);
	if (status == 77) {
		print_message("SKIPPED: no mount name space is to be had here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* ---- directories ---- */

enum { ENTRIES = 100000 };

static void mark(void *arg, const struct ask_entry *e)
{
	uint8_t *seen = arg;

	seen[strtoul(e->name, NULL, 10)]++;
}

static size_t allocated;

static bool count_bytes(size_t size)
{
	__atomic_add_fetch(&allocated, size, __ATOMIC_RELAXED);
	return true;
}

static void a_huge_directory_is_read_in_little_memory(void **state)
{
	unsigned n = on_workers(state) ? ENTRIES / 10 : ENTRIES;
	uint8_t *seen = calloc(1, ENTRIES);
	struct rusage before, after;
	uint64_t offset = 0;
	struct tn_chan *c;
	char name[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d/%u", i);
		close(openat(dir_fd, name, O_CREAT | O_WRONLY, 0644));
	}
	assert_int_equal(unlinkat(dir_fd, "d/g", 0), 0);
	c = ask_walk(root, "d");
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	getrusage(RUSAGE_SELF, &before);
	allocated = 0;
	tn_alloc_hook = count_bytes;
	do {
		assert_int_equal(ask_list(c, offset, 97, mark, seen), TN_OK);
		offset = ask.next;
	} while (ask.n_entries > 0);
	tn_alloc_hook = NULL;
	getrusage(RUSAGE_SELF, &after);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(seen[i], 1);
#ifndef __SANITIZE_ADDRESS__ /* which gives back what is freed much later */
	assert_true(after.ru_maxrss - before.ru_maxrss < 4096); /* KiB */
#endif
	if (!on_workers(state))
		assert_true(allocated < 100000);
	free(seen);
	ask_put(c);
}

static void count_entry(void *arg, const struct ask_entry *e)
{
	(void)e;
	++*(unsigned *)arg;
}

static void a_directory_can_be_read_again_and_from_any_entry(void **state)
{
	struct tn_chan *c = ask_walk(root, "");
	uint64_t after_first;
	unsigned n = 0;

	(void)state;
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	assert_int_equal(ask_list(c, 0, 1, count_entry, &n), TN_OK);
	after_first = ask.next;
	assert_int_equal(ask_list(c, after_first, 100, count_entry, &n), TN_OK);
	assert_int_equal(n, 2);
	assert_int_equal(ask_list(c, after_first, 100, count_entry, &n), TN_OK);
	assert_int_equal(n, 3);
	host_write("new", "");
	assert_int_equal(ask_list(c, 0, 100, count_entry, &n), TN_OK);
	assert_int_equal(n, 6);
	ask_put(c);
}

/* ---- changes ---- */

static void what_is_created_has_perm_and_the_directorys_and_no_umask(void **state)
{
	static const mode_t umasks[] = { 0, 022, 0777 };
	mode_t old = umask(0);

	(void)state;
	for (size_t i = 0; i < TN_COUNT(umasks); i++) {
		struct tn_chan *c = ask_walk(root, "");
		struct stat st;

		umask(umasks[i]);
		assert_int_equal(ask_create(c, "n", 0667, TN_OWRITE | TN_OF_INHERIT), TN_OK);
		ask_put(c);
		assert_int_equal(fstatat(dir_fd, "n", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777,
		    0645); /* open(5): 0667 & (~0666 | 0755 & 0666) */
		unlinkat(dir_fd, "n", 0);
		c = ask_walk(root, "");
		assert_int_equal(ask_create(c, "n", TN_DMDIR | 0777, TN_OREAD | TN_OF_INHERIT),
		    TN_OK);
		ask_put(c);
		assert_int_equal(fstatat(dir_fd, "n", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0755);
		unlinkat(dir_fd, "n", AT_REMOVEDIR);
	}
	umask(old);
}

/* open(2), mkdir(2): the peer's own umask was taken from it already, and this process's is nobody's. */
static void without_inherit_what_is_created_has_perm_as_it_is(void **state)
{
	static const uint32_t perms[] = { 0667, TN_DMDIR | 0777 };
	mode_t old = umask(077);

	(void)state;
	for (size_t i = 0; i < TN_COUNT(perms); i++) {
		struct tn_chan *c = ask_walk(root, "");
		bool is_dir = perms[i] & TN_DMDIR;
		struct stat st;

		assert_int_equal(ask_create(c, "n", perms[i], is_dir ? TN_OREAD : TN_OWRITE),
		    TN_OK);
		ask_put(c);
		assert_int_equal(fstatat(dir_fd, "n", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, perms[i] & 0777);
		unlinkat(dir_fd, "n", is_dir ? AT_REMOVEDIR : 0);
	}
	umask(old);
}

static void a_wstat_that_fails_has_changed_nothing(void **state)
{
	static const struct {
		const char *what;
		struct tn_stat st;
		enum tn_err err;
	} rows[] = {
		{ "a name that is there",
		    { .valid = TN_ST_NAME | TN_ST_MODE, .mode = 0600, .name = { "d", 1 } },
		    TN_EEXIST },
		{ "a length that no file has",
		    { .valid = TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME,
			.mode = 0600,
			.length = (uint64_t)INT64_MAX + 1,
			.name = { "new", 3 } },
		    TN_EFBIG },
		{ "a directory's bit",
		    { .valid = TN_ST_MODE | TN_ST_LENGTH, .mode = TN_DMDIR | 0600, .length = 1 },
		    TN_EPERM },
		{ "an owner",
		    { .valid = TN_ST_UID | TN_ST_MODE, .mode = 0600, .uid = { "nosuchuser", 10 } },
		    TN_EPERM },
		{ "a group",
		    { .valid = TN_ST_GID | TN_ST_MODE, .mode = 0600, .gid = { "nosuchgroup", 11 } },
		    TN_EUSERS },
	};

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		struct tn_chan *c = ask_walk(root, "f");
		struct stat st;

		print_message("%s\n", rows[i].what);
		assert_int_equal(ask_wstat(c, &rows[i].st), rows[i].err);
		assert_int_equal(fstatat(dir_fd, "f", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0644);
		assert_int_equal(st.st_size, 5);
		ask_put(c);
	}
}

static void times_are_nanoseconds(void **state)
{
	struct tn_stat want = { .valid = TN_ST_MTIME | TN_ST_ATIME,
		.mtime_ns = 1234567890123456789,
		.atime_ns = -1 };
	struct tn_chan *c = ask_walk(root, "f");

	(void)state;
	assert_int_equal(ask_wstat(c, &want), TN_OK);
	assert_int_equal(ask_stat(c), TN_OK);
	assert_int_equal(ask.st.mtime_ns, want.mtime_ns);
	assert_int_equal(ask.st.atime_ns, -1);
	ask_put(c);
}

static void append_and_exclusive_outlive_the_server(void **state)
{
	static const uint32_t bits[] = { TN_DMAPPEND, TN_DMEXCL, TN_DMAPPEND | TN_DMEXCL };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(bits); i++) {
		struct tn_chan *c = ask_walk(root, "");

		assert_int_equal(ask_create(c, "x", bits[i] | 0644, TN_OWRITE), TN_OK);
		assert_int_equal(ask_write(c, "abc", 3, 100), 3);
		ask_put(c);
		end();
		begin(&options);
		c = ask_walk(root, "x");
		assert_int_equal(ask_stat(c), TN_OK);
		assert_int_equal(ask.st.mode, bits[i] | 0644);
		assert_int_equal(ask.st.qid.type, bits[i] >> 24);
		assert_int_equal(ask.st.length, bits[i] & TN_DMAPPEND ? 3 : 103);
		assert_int_equal(ask_remove(c), TN_OK);
		ask_put(c);
	}
}

static void an_exclusive_file_is_open_once(void **state)
{
	struct tn_chan *c = ask_walk(root, ""), *other;

	(void)state;
	assert_int_equal(ask_create(c, "x", TN_DMEXCL | 0644, TN_OWRITE), TN_OK);
	other = ask_walk(root, "x");
	assert_int_equal(ask_open(other, TN_OREAD), TN_EEXCL);
	ask_put(c);
	assert_int_equal(ask_open(other, TN_OREAD), TN_OK);
	ask_put(other);
}

static void a_removed_file_goes_on_while_it_is_open(void **state)
{
	struct tn_chan *c = ask_walk(root, "f"), *other = ask_walk(root, "f");
	char buf[8];

	(void)state;
	assert_int_equal(ask_open(c, TN_ORDWR), TN_OK);
	assert_int_equal(ask_remove(other), TN_OK);
	ask_put(other);
	assert_int_equal(ask_read(c, buf, 8, 0), 5);
	assert_int_equal(ask_write(c, "more", 4, 5), 4);
	assert_int_equal(ask_stat(c), TN_OK);
	assert_int_equal(ask.st.length, 9);
	assert_int_equal(ask_remove(c), TN_EGONE);
	ask_put(c);
}

/* Its descriptor is all there is of it: nobody could walk to it again. */
static void a_removed_file_is_there_for_who_stands_at_it_however_few_descriptors(void **state)
{
	struct tn_hostfs_options few = { .held_max = 4, .open_max = 4 };
	struct tn_chan *c, *other, *many[12];
	char name[32];

	if (on_workers(state))
		return; /* those of file systems that may hang are all kept */
	end();
	begin(&few);
	c = ask_walk(root, "f");
	other = ask_walk(root, "f");
	assert_int_equal(ask_remove(other), TN_OK);
	ask_put(other);
	assert_int_equal(ask_stat(c), TN_OK);
	for (size_t i = 0; i < TN_COUNT(many); i++) {
		snprintf(name, sizeof(name), "d/%zu", i);
		host_write(name, name);
		many[i] = ask_walk(root, name);
	}
	assert_int_equal(ask_stat(c), TN_OK);
	assert_int_equal(ask.st.length, 5);
	for (size_t i = 0; i < TN_COUNT(many); i++)
		ask_put(many[i]);
	ask_put(c);
}

static void a_directory_with_files_is_not_removed(void **state)
{
	struct tn_chan *c = ask_walk(root, "d");

	(void)state;
	assert_int_equal(ask_remove(c), TN_ENOTEMPTY);
	ask_put(c);
	assert_int_equal(ask_remove(root), TN_EPERM);
}

static void a_read_only_tree_refuses_whatever_changes_it(void **state)
{
	struct tn_hostfs_options o = options;
	struct tn_stat st = { .valid = TN_ST_MODE, .mode = 0600 };
	struct tn_chan *c, *f;

	(void)state;
	o.read_only = true;
	end();
	begin(&o);
	c = ask_walk(root, "");
	f = ask_walk(root, "f");
	assert_int_equal(ask_create(c, "n", 0644, TN_OREAD), TN_EROFS);
	assert_int_equal(ask_open(f, TN_OWRITE), TN_EROFS);
	assert_int_equal(ask_open(f, TN_OREAD | TN_OF_TRUNC), TN_EROFS);
	assert_int_equal(ask_open(f, TN_OREAD | TN_OF_RCLOSE), TN_EROFS);
	assert_int_equal(ask_remove(f), TN_EROFS);
	assert_int_equal(ask_wstat(f, &st), TN_EROFS);
	ask_begin(TN_SYMLINK, c);
	ask.r.u.create.name = TN_STR("n");
	ask.r.u.create.target = TN_STR("f");
	assert_int_equal(ask_send(), TN_EROFS);
	assert_int_equal(ask_open(f, TN_OREAD), TN_OK);
	ask_put(c);
	ask_put(f);
}

/* ---- what FUSE and .L ask beside 9P ---- */

static enum tn_err rename_to(const char *name, struct tn_chan *to, const char *newname,
    uint32_t how)
{
	ask_begin(TN_RENAME, root);
	ask.r.chan2 = to;
	ask.r.u.rename.name = ask_str(name);
	ask.r.u.rename.newname = ask_str(newname);
	ask.r.u.rename.how = how;
	return ask_send();
}

static void a_rename_moves_and_chans_follow(void **state)
{
	struct tn_chan *d = ask_walk(root, "d"), *f = ask_walk(root, "f"),
		       *g = ask_walk(root, "d/g");

	(void)state;
	assert_int_equal(rename_to("f", d, "g", RENAME_NOREPLACE), TN_EEXIST);
	assert_int_equal(rename_to("f", d, "h", RENAME_NOREPLACE), TN_OK);
	assert_int_equal(ask_stat(f), TN_OK);
	assert_string_equal(ask.name, "h");
	assert_string_equal(ask_cat(f, ".."), "!TN_EISDIR");
	host_write("f", "second");
	assert_int_equal(rename_to("f", d, "g", 0), TN_OK); /* over g */
	assert_string_equal(ask_cat(root, "d/g"), "second");
	assert_int_equal(ask_remove(g), TN_EGONE);
	host_write("f", "third");
	assert_int_equal(rename_to("f", d, "g", RENAME_EXCHANGE), TN_OK);
	assert_string_equal(ask_cat(root, "d/g"), "third");
	assert_string_equal(ask_cat(root, "f"), "second");
	assert_int_equal(ask_remove(f), TN_OK);
	ask_put(d);
	ask_put(f);
	ask_put(g);
}

static enum tn_err rename_itself(struct tn_chan *c, struct tn_chan *to, const char *newname)
{
	ask_begin(TN_RENAME, c);
	ask.r.chan2 = to;
	ask.r.u.rename.newname = ask_str(newname);
	return ask_send();
}

/* .L's Trename: wherever it is by now. */
static void a_file_is_renamed_by_its_chan(void **state)
{
	struct tn_chan *d = ask_walk(root, "d"), *f = ask_walk(root, "f");

	(void)state;
	assert_int_equal(rename_itself(f, d, "h"), TN_OK);
	assert_string_equal(ask_cat(root, "d/h"), "hello");
	assert_null(ask_walk(root, "f"));
	assert_int_equal(rename_itself(f, d, "i"), TN_OK); /* the same Chan, from there */
	assert_int_equal(ask_stat(f), TN_OK);
	assert_string_equal(ask.name, "i");
	assert_int_equal(ask_open(f, TN_OREAD), TN_OK);
	assert_int_equal(rename_itself(f, root, "f"), TN_OK); /* open */
	assert_string_equal(ask_cat(root, "f"), "hello");
	assert_int_equal(rename_itself(d, d, "in itself"), TN_EINVAL);
	assert_int_equal(rename_itself(f, d, "a/b"), TN_EBADCHAR);
	assert_int_equal(rename_itself(f, d, ""), TN_EBADCHAR);
	assert_int_equal(rename_itself(d, f, "x"), TN_ENOTDIR);
	assert_int_equal(rename_itself(root, d, "root"), TN_EPERM);
	assert_int_equal(renameat(dir_fd, "f", dir_fd, "elsewhere"), 0); /* by the host */
	host_write("f", "another");
	assert_int_equal(rename_itself(f, d, "x"), TN_ESTALE);
	assert_string_equal(ask_cat(root, "f"), "another");
	ask_put(f);
	f = ask_walk(root, "f");
	assert_int_equal(ask_remove(f), TN_OK);
	assert_int_equal(rename_itself(f, d, "x"), TN_EGONE);
	ask_put(f);
	ask_put(d);
}

static void links_fifos_and_link_targets(void **state)
{
	struct tn_chan *f = ask_walk(root, "f"), *c;
	char buf[4] = "";

	(void)state;
	ask_flags = TN_OF_NOFOLLOW;
	ask_begin(TN_LINK, root);
	ask.r.chan2 = f;
	ask.r.u.rename.name = TN_STR("hard");
	assert_int_equal(ask_send(), TN_OK);
	assert_string_equal(ask_cat(root, "hard"), "hello");

	ask_begin(TN_SYMLINK, root);
	ask.r.u.create.name = TN_STR("soft");
	ask.r.u.create.target = TN_STR("anywhere");
	ask.r.u.create.gid = TN_NONUNAME;
	assert_int_equal(ask_send(), TN_OK);
	assert_int_equal(ask.r.u.create.qid.type, TN_QTSYMLINK);
	c = ask_walk(root, "soft");
	ask_begin(TN_READLINK, c);
	ask.r.u.readlink.buf = buf;
	ask.r.u.readlink.size = 3;
	assert_int_equal(ask_send(), TN_OK);
	assert_int_equal(ask.r.u.readlink.len, 3);
	assert_string_equal(buf, "any");
	ask_put(c);

	ask_begin(TN_MKNOD, root);
	ask.r.u.create.name = TN_STR("fifo");
	ask.r.u.create.perm = TN_DMNAMEDPIPE | 0640;
	ask.r.u.create.gid = TN_NONUNAME;
	assert_int_equal(ask_send(), TN_OK);
	c = ask_walk(root, "fifo");
	assert_int_equal(ask_stat(c), TN_OK);
	assert_int_equal(ask.st.mode, TN_DMNAMEDPIPE | 0640);
	ask_put(c);
	ask_put(f);
}

static void files_are_synced_allocated_and_copied(void **state)
{
	struct tn_chan *c = ask_walk(root, "f"), *to = ask_walk(root, ""),
		       *closed = ask_walk(root, "f");
	struct tn_stat nothing = { .valid = 0 };

	(void)state;
	assert_int_equal(ask_open(c, TN_ORDWR), TN_OK);
	ask_begin(TN_FSYNC, c);
	assert_int_equal(ask_send(), TN_OK);
	assert_int_equal(ask_wstat(closed, &nothing), TN_OK);
	assert_int_equal(ask_wstat(root, &nothing), TN_OK);
	assert_int_equal(ask_create(to, "copy", 0644, TN_ORDWR), TN_OK);
	ask_begin(TN_COPYRANGE, to);
	ask.r.chan2 = c;
	ask.r.u.range.offset2 = 1;
	ask.r.u.range.length = 3;
	assert_int_equal(ask_send(), TN_OK);
	assert_int_equal(ask.r.u.range.length, 3);
	assert_string_equal(ask_cat(root, "copy"), "ell");
	ask_begin(TN_FALLOCATE, to);
	ask.r.u.range.length = 1000;
	assert_int_equal(ask_send(), TN_OK);
	assert_int_equal(ask_stat(to), TN_OK);
	assert_int_equal(ask.st.length, 1000);
	ask_put(c);
	ask_put(to);
	ask_put(closed);
}

/* ---- memory ---- */

static unsigned allowed;

static bool fail_the_nth(size_t size)
{
	(void)size;
	return allowed == 0 || --allowed > 0;
}

static void without_memory_requests_fail_and_nothing_is_lost(void **state)
{
	struct tn_hostfs_stats stats;

	(void)state;
	for (unsigned n = 1; n < 40; n++) {
		struct tn_chan *c;

		allowed = n;
		tn_alloc_hook = fail_the_nth;
		c = ask_walk(root, "d/g");
		if (c && ask_open(c, TN_ORDWR) == TN_OK) {
			char buf[8];

			ask_read(c, buf, 8, 0);
			ask_write(c, "in d", 4, 0);
			ask_stat(c);
		}
		tn_alloc_hook = NULL;
		tn_chan_put(c);
		for (unsigned i = 0; i < 5; i++)
			tn_host_loop_poll(ask_loop);
		assert_string_equal(ask_cat(root, "d/g"), "in d");
	}
	tn_hostfs_stats(server, &stats);
	assert_int_equal(stats.open, 0);
}

/* clang-format off */
#define TWICE(name, variants)                                                                                          \
	{ #name ", on the loop", name, set_up, tear_down, &(variants)[0] },                                            \
	{ #name ", on workers", name, set_up, tear_down, &(variants)[1] }
#define ROW(name) TWICE(name, plain)
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(no_symbolic_link_leads_out),
		ROW(dot_dot_stays_below_the_root),
		ROW(a_directory_that_was_moved_out_leads_back_in_by_dot_dot),
		ROW(no_race_of_renames_leads_out),
		ROW(an_attach_name_is_a_tree_of_its_own),
		ROW(a_name_that_is_none_is_refused_before_the_kernel_sees_it),
		ROW(names_are_bytes),
		ROW(a_peer_that_follows_links_itself_sees_them),
		ROW(a_listing_shows_what_a_walk_finds),
		ROW(a_listing_of_names_has_the_numbers_and_kinds_of_a_walk),
		TWICE(a_listing_of_names_has_the_numbers_and_kinds_of_a_walk, quick),
		ROW(a_file_made_anew_has_another_number_in_listings),
		TWICE(a_file_made_anew_has_another_number_in_listings, quick),
		ROW(a_dangling_link_can_be_removed),
		ROW(removing_a_followed_link_removes_the_link),
		ROW(a_file_made_anew_has_another_qid_path),
		ROW(a_file_has_one_qid_path_by_all_its_names),
		ROW(every_write_moves_the_version),
		ROW(another_file_under_the_name_is_stale_and_not_taken_for_it),
		ROW(a_rename_shows_in_all_chans_of_the_file),
		TWICE(many_chans_need_few_descriptors, quick),
		ROW(opening_too_many_files_is_an_error_of_its_own),
		ROW(a_fifo_is_seen_and_never_waited_for),
		ROW(a_socket_is_seen_and_not_opened),
		ROW(a_read_that_hangs_is_flushed_at_once),
		ROW(a_sparse_file_beyond_4_GiB),
		ROW(large_reads_come_whole_however_cold),
		ROW(a_full_disk_is_said_and_what_was_written_counts),
		TWICE(a_huge_directory_is_read_in_little_memory, quick),
		ROW(a_directory_can_be_read_again_and_from_any_entry),
		ROW(what_is_created_has_perm_and_the_directorys_and_no_umask),
		ROW(without_inherit_what_is_created_has_perm_as_it_is),
		ROW(a_wstat_that_fails_has_changed_nothing),
		ROW(times_are_nanoseconds),
		ROW(append_and_exclusive_outlive_the_server),
		ROW(an_exclusive_file_is_open_once),
		ROW(a_removed_file_goes_on_while_it_is_open),
		ROW(a_removed_file_is_there_for_who_stands_at_it_however_few_descriptors),
		ROW(a_directory_with_files_is_not_removed),
		ROW(a_read_only_tree_refuses_whatever_changes_it),
		ROW(a_rename_moves_and_chans_follow),
		ROW(a_file_is_renamed_by_its_chan),
		ROW(links_fifos_and_link_targets),
		ROW(files_are_synced_allocated_and_copied),
		ROW(without_memory_requests_fail_and_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
