/*
 * #host with `as_asker`: each request has the rights of who asks, as the kernel has it for his own programs: setfsuid(2),
 * credentials(7), inode(7). For root; each test runs with calls on the loop and on workers. daemon (1) and bin (2) are
 * users of every Debian, with a group of their own and no others.
 */
#include "asker.h"
#include "host/posix/host.h"
#include "host/posix/hostfs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { DAEMON = 1, BIN = 2, NOBODY = 65534 };

static struct tn_host_loop *h;
static struct tn_server *server;
static char dir[64];
static int dir_fd;

static void host_file(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	int fd = openat(dir_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "text", 4), 4);
	assert_int_equal(fchown(fd, uid, gid), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void host_dir(const char *name, mode_t mode, gid_t gid)
{
	assert_int_equal(mkdirat(dir_fd, name, 0700), 0);
	assert_int_equal(fchownat(dir_fd, name, 0, gid, 0), 0);
	assert_int_equal(fchmodat(dir_fd, name, mode, 0), 0);
}

static struct stat host_stat(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void begin(bool on_workers, bool squash)
{
	struct tn_hostfs_options o = { .as_asker = true,
		.all_workers = on_workers,
		.squash = squash,
		.devices = true };
	enum tn_err err;

	server = tn_hostfs_new(ask_loop, dir, &o, &err);
	assert_non_null(server);
}

static int set_up(void **state)
{
	umask(077); /* of this process, and nobody else's */
	snprintf(dir, sizeof(dir), "/tmp/tn-hostuser-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	host_file("secret", 0600, 0, 0);
	host_file("public", 0666, 0, 0);
	host_dir("private", 0700, 0);
	host_file("private/f", 0644, 0, 0);
	host_dir("open", 0777, 0);
	host_dir("tmp", 01777, 0);
	h = tn_host_loop_new();
	ask_loop = tn_host_loop_core(h);
	ask_flags = TN_OF_NOFOLLOW;
	begin(*state != NULL, false);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	tn_server_put(server);
	tn_req_reset(&ask.r);
	tn_host_loop_free(h);
	close(dir_fd);
	umask(022);
	ask_flags = 0;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct tn_chan *attach(const char *name, uint32_t uid, enum tn_err *err)
{
	struct tn_user *user = tn_user_new(ask_str(name), uid, TN_NONUNAME);
	struct tn_chan *c = tn_chan_new(server, user);

	ask_begin(TN_ATTACH, NULL);
	ask.r.server = server;
	ask.r.u.attach.newchan = c;
	*err = ask_send();
	tn_user_put(user);
	if (*err == TN_OK)
		return c;
	tn_chan_put(c);
	return NULL;
}

static struct tn_chan *as(const char *name)
{
	enum tn_err err;
	struct tn_chan *c = attach(name, TN_NONUNAME, &err);

	assert_int_equal(err, TN_OK);
	return c;
}

/* A walk and an open, without an end: its error. */
static enum tn_err open_at(struct tn_chan *from, const char *path, uint32_t flags)
{
	struct tn_chan *c = ask_walk(from, path);
	enum tn_err err = c ? ask_open(c, flags) : (enum tn_err)ask.r.err;

	if (c)
		ask_put(c);
	return err;
}

static enum tn_err create_in(struct tn_chan *from, const char *path, const char *name,
    uint32_t perm, uint32_t gid)
{
	struct tn_chan *c = ask_walk(from, path);
	enum tn_err err;

	assert_non_null(c);
	ask_begin(TN_CREATE, c);
	ask.r.flags |= perm & TN_DMDIR ? TN_OREAD : TN_OWRITE;
	ask.r.u.create.name = ask_str(name);
	ask.r.u.create.perm = perm;
	ask.r.u.create.gid = gid;
	err = ask_send();
	ask_put(c);
	return err;
}

static enum tn_err remove_at(struct tn_chan *from, const char *path)
{
	struct tn_chan *c = ask_walk(from, path);
	enum tn_err err;

	assert_non_null(c);
	err = ask_remove(c);
	ask_put(c);
	return err;
}

/* ---- who ---- */

static const struct {
	const char *name;
	uint32_t uid;
	enum tn_err err;
	uint32_t is; /* who made the file */
} users[] = {
	{ "daemon", TN_NONUNAME, TN_OK, DAEMON },
	{ "", BIN, TN_OK, BIN },
	{ "daemon", BIN, TN_OK, BIN }, /* .L: the number says who it is */
	{ "root", TN_NONUNAME, TN_OK, 0 },
	{ "", 0, TN_OK, 0 },
	{ "no such user", TN_NONUNAME, TN_EUSERS, 0 },
	{ "", TN_NONUNAME, TN_EUSERS, 0 },
	{ "2", TN_NONUNAME, TN_OK, BIN }, /* who has no name says his number */
	{ "3999999999", TN_NONUNAME, TN_OK, 3999999999 },
	{ "4294967295", TN_NONUNAME, TN_EUSERS, 0 },
	{ "42949672960", TN_NONUNAME, TN_EUSERS, 0 },
	{ "2x", TN_NONUNAME, TN_EUSERS, 0 },
	{ "root", 3999999999, TN_OK, 3999999999 },
};

static void whoever_attaches_is_a_user_of_the_host_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(users); i++) {
		enum tn_err err;
		struct tn_chan *root = attach(users[i].name, users[i].uid, &err);

		print_message("%s %u\n", users[i].name, users[i].uid);
		assert_int_equal(err, users[i].err);
		if (!root)
			continue;
		assert_int_equal(create_in(root, "tmp", "f", 0644, TN_NONUNAME), TN_OK);
		assert_int_equal(host_stat("tmp/f").st_uid, users[i].is);
		assert_int_equal(unlinkat(dir_fd, "tmp/f", 0), 0);
		ask_put(root);
	}
}

static void without_a_user_there_is_no_attach(void **state)
{
	(void)state;
	assert_null(ask_attach(server, ""));
	assert_int_equal(ask.r.err, TN_EUSERS);
}

static void squashed_all_are_nobody(void **state)
{
	static const char *const names[] = { "root", "daemon", "no such user" };

	tn_server_put(server);
	begin(*state != NULL, true);
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		struct tn_chan *root = as(names[i]);

		assert_int_equal(create_in(root, "tmp", "f", 0644, 0), TN_OK);
		assert_int_equal(host_stat("tmp/f").st_uid, NOBODY);
		assert_int_equal(host_stat("tmp/f").st_gid, NOBODY);
		assert_int_equal(open_at(root, "secret", TN_OREAD), TN_EACCES);
		assert_int_equal(remove_at(root, "tmp/f"), TN_OK);
		ask_put(root);
	}
}

static void by_a_map_they_are_whom_it_says(void **state)
{
	char path[80];
	unsigned line;
	struct tn_usermap *map;
	struct tn_hostfs_options o = { .as_asker = true, .all_workers = *state != NULL };
	struct tn_chan *root;
	enum tn_err err;
	FILE *f;

	snprintf(path, sizeof(path), "%s/map", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("glenda daemon\nroot 2\nlost no-such-user\n", f);
	assert_int_equal(fclose(f), 0);
	map = tn_usermap_read(path, &line);
	assert_non_null(map);
	tn_server_put(server);
	o.users = map;
	server = tn_hostfs_new(ask_loop, dir, &o, &err);
	assert_non_null(server);
	assert_null(attach("daemon", TN_NONUNAME, &err)); /* not in it */
	assert_int_equal(err, TN_EUSERS);
	assert_null(attach("lost", TN_NONUNAME, &err));
	assert_int_equal(err, TN_EUSERS);
	root = as("glenda");
	assert_int_equal(create_in(root, "tmp", "g", 0644, TN_NONUNAME), TN_OK);
	assert_int_equal(host_stat("tmp/g").st_uid, DAEMON);
	ask_put(root);
	root = as("root");
	assert_int_equal(create_in(root, "tmp", "r", 0644, TN_NONUNAME), TN_OK);
	assert_int_equal(host_stat("tmp/r").st_uid, BIN);
	assert_int_equal(open_at(root, "secret", TN_OREAD), TN_EACCES);
	ask_put(root);
	tn_server_put(server);
	tn_usermap_free(map);
	begin(*state != NULL, false);
}

/* What the program does itself it does as itself: that very user, and no other of his name. */
static void the_programs_own_requests_are_its_own(void **state)
{
	struct tn_user *own = tn_user_new(TN_STR("me"), TN_NONUNAME, TN_NONUNAME);
	struct tn_hostfs_options o = { .as_asker = true,
		.all_workers = *state != NULL,
		.squash = true,
		.own = own };
	struct tn_chan *c, *f;
	enum tn_err err;

	tn_server_put(server);
	server = tn_hostfs_new(ask_loop, dir, &o, &err);
	c = tn_chan_new(server, own);
	ask_begin(TN_ATTACH, NULL);
	ask.r.server = server;
	ask.r.user = own;
	ask.r.u.attach.newchan = c;
	assert_int_equal(ask_send(), TN_OK);
	assert_int_equal(open_at(c, "secret", TN_OREAD), TN_OK);
	f = as("me");
	assert_int_equal(open_at(f, "secret", TN_OREAD), TN_EACCES);
	ask_put(f);
	ask_put(c);
	tn_user_put(own);
}

/* ---- what he may ---- */

static void what_is_not_his_to_read_he_does_not_read(void **state)
{
	struct tn_chan *root = as("daemon"), *c;

	(void)state;
	assert_int_equal(open_at(root, "secret", TN_OREAD), TN_EACCES);
	assert_int_equal(open_at(root, "public", TN_ORDWR), TN_OK);
	assert_int_equal(open_at(root, "private", TN_OREAD), TN_EACCES);
	c = ask_walk(root, "private/f");
	assert_null(c);
	assert_int_equal(ask.n_qids, 1);
	c = ask_walk(root, "private");
	assert_null(ask_walk(c, "f"));
	assert_int_equal(ask.r.err, TN_EACCES);
	ask_put(c);
	ask_put(root);
	root = as("root"); /* who is root is root */
	assert_int_equal(open_at(root, "private/f", TN_OREAD), TN_OK);
	assert_int_equal(open_at(root, "secret", TN_ORDWR), TN_OK);
	ask_put(root);
}

static uint32_t listed_mode;

static void see(void *arg, const struct ask_entry *e)
{
	(void)arg;
	if (strcmp(e->name, "in") == 0)
		listed_mode = e->mode;
}

/* opendir(3): names can be read, what they name cannot be looked at. */
static void a_listing_shows_no_more_than_he_may_see(void **state)
{
	static const char *const names[] = { "root", "daemon" };

	(void)state;
	host_dir("names", 0744, 0);
	host_file("names/in", 0640, 0, 0);
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		struct tn_chan *root = as(names[i]), *c = ask_walk(root, "names");

		assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
		listed_mode = 1;
		assert_int_equal(ask_list(c, 0, 100, see, NULL), TN_OK);
		assert_int_equal(listed_mode, i == 0 ? 0640 : 0);
		ask_put(c);
		ask_put(root);
	}
}

static void what_is_not_his_to_change_he_does_not_change(void **state)
{
	struct tn_stat mode = { .valid = TN_ST_MODE, .mode = 0666 },
		       owner = { .valid = TN_ST_NUID, .n_uid = DAEMON },
		       length = { .valid = TN_ST_LENGTH };
	struct tn_chan *root = as("daemon"), *c = ask_walk(root, "secret");

	(void)state;
	assert_int_equal(ask_wstat(c, &mode), TN_EPERM);
	assert_int_equal(ask_wstat(c, &owner), TN_EPERM);
	assert_int_equal(ask_wstat(c, &length), TN_EACCES);
	ask_put(c);
	assert_int_equal(create_in(root, "", "new", 0644, TN_NONUNAME), TN_EACCES);
	assert_int_equal(remove_at(root, "public"), TN_EACCES);
	ask_begin(TN_MKNOD, c = ask_walk(root, "open"));
	ask.r.u.create.name = TN_STR("null");
	ask.r.u.create.perm = TN_DMDEVICE | 0666;
	ask.r.u.create.rdev_major = 1;
	ask.r.u.create.rdev_minor = 3;
	ask.r.u.create.gid = TN_NONUNAME;
	assert_int_equal(ask_send(), TN_EPERM); /* mknod(2): CAP_MKNOD */
	ask_put(c);
	assert_int_equal(create_in(root, "open", "mine", 0600, TN_NONUNAME), TN_OK);
	c = ask_walk(root, "open/mine");
	owner.n_uid = BIN;
	assert_int_equal(ask_wstat(c, &owner), TN_EPERM);
	assert_int_equal(ask_wstat(c, &mode), TN_OK);
	ask_put(c);
	ask_put(root);
}

/* inode(7): the bits go when somebody else than root writes. */
static void a_write_takes_the_setuid_bit(void **state)
{
	struct tn_chan *root = as("daemon"), *c;

	(void)state;
	host_file("suid", 04777, 0, 0);
	c = ask_walk(root, "suid");
	assert_int_equal(ask_open(c, TN_OWRITE), TN_OK);
	assert_int_equal(ask_write(c, "x", 1, 0), 1);
	ask_put(c);
	assert_int_equal(host_stat("suid").st_mode & 07777, 0777);
	ask_put(root);
}

static void in_a_sticky_directory_names_go_with_their_owners(void **state)
{
	struct tn_chan *daemon = as("daemon"), *bin = as("bin"), *c;

	(void)state;
	assert_int_equal(create_in(daemon, "tmp", "f", 0666, TN_NONUNAME), TN_OK);
	assert_int_equal(remove_at(bin, "tmp/f"), TN_EPERM);
	c = ask_walk(bin, "tmp");
	ask_begin(TN_RENAME, c);
	ask.r.chan2 = c;
	ask.r.u.rename.name = TN_STR("f");
	ask.r.u.rename.newname = TN_STR("g");
	assert_int_equal(ask_send(), TN_EPERM);
	ask_put(c);
	assert_int_equal(remove_at(daemon, "tmp/f"), TN_OK);
	ask_put(daemon);
	ask_put(bin);
}

static const struct {
	const char *what;
	mode_t dir;
	gid_t dir_gid;
	uint32_t perm, gid; /* asked for */
	mode_t mode;        /* what it is then */
	gid_t is;
} made[] = {
	{ "a file", 0777, 0, 0664, DAEMON, 0664, DAEMON },
	{ "a file of a group that is not his", 0777, 0, 0664, BIN, 0664, DAEMON },
	{ "a directory", 0777, 0, TN_DMDIR | 0777, DAEMON, 0777, DAEMON },
	{ "a file below setgid", 02777, BIN, 0664, DAEMON, 0664, BIN },
	{ "a directory below setgid", 02777, BIN, TN_DMDIR | 0775, DAEMON, 02775, BIN },
	{ "for Plan 9: the directory's group, if it is his", 0777, DAEMON, 0664, TN_NONUNAME, 0664,
	    DAEMON },
};

/* open(2), mkdir(2) with umask 0: the peer has applied its own. */
static void what_he_makes_is_his_and_as_he_asks(void **state)
{
	struct tn_chan *root = as("daemon");

	(void)state;
	for (size_t i = 0; i < TN_COUNT(made); i++) {
		struct stat st;

		print_message("%s\n", made[i].what);
		host_dir("d", made[i].dir, made[i].dir_gid);
		assert_int_equal(create_in(root, "d", "n", made[i].perm, made[i].gid), TN_OK);
		st = host_stat("d/n");
		assert_int_equal(st.st_mode & 07777, made[i].mode);
		assert_int_equal(st.st_uid, DAEMON);
		assert_int_equal(st.st_gid, made[i].is);
		assert_int_equal(
		    unlinkat(dir_fd, "d/n", made[i].perm & TN_DMDIR ? AT_REMOVEDIR : 0), 0);
		assert_int_equal(unlinkat(dir_fd, "d", AT_REMOVEDIR), 0);
	}
	ask_put(root);
}

/* A user who has another group than his own, from the host's tables. */
static const char *somebody_in_a_group(gid_t *gid)
{
	static char name[64];
	struct group *g;

	name[0] = 0;
	setgrent();
	while (!name[0] && (g = getgrent()) != NULL) {
		struct passwd *user = g->gr_mem[0] ? getpwnam(g->gr_mem[0]) : NULL;

		if (!user || user->pw_uid == 0 || user->pw_gid == g->gr_gid)
			continue;
		*gid = g->gr_gid;
		snprintf(name, sizeof(name), "%s", user->pw_name);
	}
	endgrent();
	return name[0] ? name : NULL;
}

static void his_other_groups_count_and_those_of_this_process_do_not(void **state)
{
	gid_t gid = BIN, had[64];
	int n = getgroups(64, had);
	const char *name = somebody_in_a_group(&gid);
	struct tn_chan *root;

	(void)state;
	assert_true(n >= 0);
	tn_server_put(server);
	assert_int_equal(setgroups(1, &gid), 0);
	begin(*state != NULL, false);
	host_file("groups", 0640, 0, gid);
	root = as("daemon");
	assert_int_equal(open_at(root, "groups", TN_OREAD), TN_EACCES);
	ask_put(root);
	if (name) {
		print_message("%s is in group %u\n", name, (unsigned)gid);
		root = as(name);
		assert_int_equal(open_at(root, "groups", TN_OREAD), TN_OK);
		ask_put(root);
	}
	assert_int_equal(setgroups((size_t)n, had), 0);
}

/* clunk(5) removes what was opened so; whose rights that takes is open(5)'s matter. */
static void remove_on_close_is_done_with_his_rights(void **state)
{
	struct tn_chan *root = as("daemon"), *c;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		host_file("open/f", 0666, 0, 0);
		c = ask_walk(root, "open/f");
		assert_int_equal(ask_open(c, TN_OREAD | TN_OF_RCLOSE), TN_OK);
		if (i == 0)
			assert_int_equal(fchmodat(dir_fd, "open", 0755, 0), 0);
		ask_begin(TN_CLUNK, c);
		if (tn_chan_close(&ask.r) == TN_LATER)
			ask_wait();
		assert_int_equal(faccessat(dir_fd, "open/f", F_OK, 0), i == 0 ? 0 : -1);
		assert_int_equal(fchmodat(dir_fd, "open", 0777, 0), 0);
	}
	ask_put(root);
}

/* A request says who asks: a Chan that root has made gives nobody else root's rights. */
static void the_request_counts_and_not_whose_the_chan_is(void **state)
{
	struct tn_chan *root = as("root"), *c = ask_walk(root, "secret");
	struct tn_user *daemon = tn_user_new(TN_STR("daemon"), TN_NONUNAME, TN_NONUNAME);

	(void)state;
	ask_begin(TN_OPEN, c);
	ask.r.user = daemon;
	assert_int_equal(ask_send(), TN_EACCES);
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	ask_put(c);
	ask_put(root);
	tn_user_put(daemon);
}

static void between_requests_the_loop_is_itself(void **state)
{
	struct tn_chan *root = as("daemon");
	gid_t before[64], after[64];
	int n = getgroups(64, before);

	(void)state;
	assert_int_equal(create_in(root, "open", "f", 0644, TN_NONUNAME), TN_OK);
	assert_int_equal(open_at(root, "open", TN_OREAD), TN_OK);
	assert_int_equal(setfsuid((uid_t)-1), 0);
	assert_int_equal(setfsgid((gid_t)-1), 0);
	assert_int_equal(getgroups(64, after), n);
	assert_memory_equal(before, after, (size_t)n * sizeof(gid_t));
	host_file("as root", 0600, 0, 0);
	ask_put(root);
}

/* credentials(7): setfsuid(2) and setgroups(2) are for root. */
static void who_cannot_become_another_is_told_at_once(void **state)
{
	struct tn_hostfs_options o = { .as_asker = true };
	enum tn_err err;

	(void)state;
	h = tn_host_loop_new();
	assert_null(tn_hostfs_new(tn_host_loop_core(h), "/", &o, &err));
	assert_int_equal(err, TN_EPERM);
	tn_host_loop_free(h);
}

static bool workers = true;

/* clang-format off */
#define TWICE(name) \
	{ #name ", on the loop", name, set_up, tear_down, NULL }, { #name ", on workers", name, set_up, tear_down, &workers }
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWICE(whoever_attaches_is_a_user_of_the_host_or_refused),
		TWICE(without_a_user_there_is_no_attach),
		TWICE(squashed_all_are_nobody),
		TWICE(by_a_map_they_are_whom_it_says),
		TWICE(the_programs_own_requests_are_its_own),
		TWICE(what_is_not_his_to_read_he_does_not_read),
		TWICE(a_listing_shows_no_more_than_he_may_see),
		TWICE(what_is_not_his_to_change_he_does_not_change),
		TWICE(a_write_takes_the_setuid_bit),
		TWICE(in_a_sticky_directory_names_go_with_their_owners),
		TWICE(what_he_makes_is_his_and_as_he_asks),
		TWICE(his_other_groups_count_and_those_of_this_process_do_not),
		TWICE(remove_on_close_is_done_with_his_rights),
		TWICE(the_request_counts_and_not_whose_the_chan_is),
		TWICE(between_requests_the_loop_is_itself),
	};

	const struct CMUnitTest others[] = {
		cmocka_unit_test(who_cannot_become_another_is_told_at_once),
	};

	if (geteuid() != 0)
		return cmocka_run_group_tests(others, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
