/*
 * Extended attributes of #host: xattr(7), getxattr(2), setxattr(2), listxattr(2). Each test runs with calls on the loop
 * and on workers.
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
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_server *server;
static struct tn_chan *root;
static char dir[64];
static int dir_fd, allocations_left;
static uint8_t value[TN_XATTR_MAX + 1];

static void begin(bool on_workers, bool read_only)
{
	struct tn_hostfs_options o = { .all_workers = on_workers, .read_only = read_only };
	enum tn_err err;

	server = tn_hostfs_new(ask_loop, dir, &o, &err);
	assert_non_null(server);
	root = ask_attach(server, "");
	assert_non_null(root);
}

static void end(void)
{
	ask_put(root);
	tn_server_put(server);
}

static int set_up(void **state)
{
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/tn-hostxattr-XXXXXX");
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir_fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mkdirat(dir_fd, "d", 0755), 0);
	assert_int_equal(symlinkat("f", dir_fd, "l"), 0);
	assert_int_equal(mkfifoat(dir_fd, "p", 0644), 0);
	h = tn_host_loop_new();
	ask_loop = tn_host_loop_core(h);
	ask_flags = TN_OF_NOFOLLOW;
	begin(*state != NULL, false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_alloc_hook = NULL;
	end();
	tn_req_reset(&ask.r);
	tn_host_loop_free(h);
	unlinkat(dir_fd, "f", 0);
	unlinkat(dir_fd, "d", AT_REMOVEDIR);
	unlinkat(dir_fd, "l", 0);
	unlinkat(dir_fd, "p", 0);
	close(dir_fd);
	ask_flags = 0;
	return rmdir(dir);
}

/* The attribute of a file of the host's, without us: its value as text; "!" and errno. */
static const char *host_get(const char *file, const char *name)
{
	static char text[80];
	char path[100];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	n = lgetxattr(path, name, text, sizeof(text) - 1);
	if (n < 0)
		return errno == ENODATA ? "!ENODATA" : "!other";
	text[n] = 0;
	return text;
}

static enum tn_err set_on(struct tn_chan *c, const char *name, const void *data, uint32_t size,
    uint32_t how)
{
	ask_begin(TN_XATTRSET, c);
	ask.r.u.xattr.name = ask_str(name);
	ask.r.u.xattr.data = (uint8_t *)(uintptr_t)data;
	ask.r.u.xattr.size = size;
	ask.r.u.xattr.how = how;
	return ask_send();
}

static enum tn_err set(const char *file, const char *name, const char *text, uint32_t how)
{
	struct tn_chan *c = ask_walk(root, file);
	enum tn_err err = set_on(c, name, text, (uint32_t)strlen(text), how);

	ask_put(c);
	return err;
}

/* The size is in ask.r.u.xattr.len, the value in `value`. */
static enum tn_err get(const char *file, const char *name, uint32_t size)
{
	struct tn_chan *c = ask_walk(root, file);
	enum tn_err err;

	memset(value, 0, sizeof(value));
	ask_begin(TN_XATTRGET, c);
	ask.r.u.xattr.name = ask_str(name);
	ask.r.u.xattr.data = value;
	ask.r.u.xattr.size = size;
	err = ask_send();
	ask_put(c);
	return err;
}

static void a_value_is_set_read_and_removed(void **state)
{
	static const char *const files[] = { "f", "d", "" };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(files); i++) {
		assert_int_equal(set(files[i], "user.a", "one", 0), TN_OK);
		assert_string_equal(host_get(files[i], "user.a"), "one");
		assert_int_equal(get(files[i], "user.a", 100), TN_OK);
		assert_int_equal(ask.r.u.xattr.len, 3);
		assert_string_equal((char *)value, "one");
		assert_int_equal(set(files[i], "user.a", "", 0), TN_OK);
		assert_int_equal(get(files[i], "user.a", 100), TN_OK);
		assert_int_equal(ask.r.u.xattr.len, 0);
		assert_int_equal(set(files[i], "user.a", "", TN_XATTR_REMOVE), TN_OK);
		assert_int_equal(get(files[i], "user.a", 100), TN_ENODATA);
		assert_string_equal(host_get(files[i], "user.a"), "!ENODATA");
	}
}

static void size_0_asks_for_the_size_and_too_small_is_erange(void **state)
{
	(void)state;
	assert_int_equal(set("f", "user.a", "twelve bytes", 0), TN_OK);
	assert_int_equal(get("f", "user.a", 0), TN_OK);
	assert_int_equal(ask.r.u.xattr.len, 12);
	assert_int_equal(get("f", "user.a", 11), TN_ERANGE);
	assert_int_equal(get("f", "user.a", 12), TN_OK);
	assert_int_equal(get("f", "", 0), TN_OK);
	assert_int_equal(ask.r.u.xattr.len, 7);
	assert_int_equal(get("f", "", 6), TN_ERANGE);
	assert_int_equal(get("f", "", 7), TN_OK);
	assert_memory_equal(value, "user.a", 7);
}

static const struct {
	const char *name;
	uint32_t how;
	enum tn_err err;
} hows[] = {
	{ "user.new", TN_XATTR_CREATE, TN_OK },
	{ "user.new", TN_XATTR_CREATE, TN_EEXIST },
	{ "user.new", TN_XATTR_REPLACE, TN_OK },
	{ "user.no", TN_XATTR_REPLACE, TN_ENODATA },
	{ "user.no", TN_XATTR_REMOVE, TN_ENODATA },
	{ "user.new", TN_XATTR_REMOVE | TN_XATTR_CREATE, TN_EINVAL },
	{ "user.new", 8, TN_EINVAL },
	{ "user.new", TN_XATTR_REMOVE, TN_OK },
	{ "user.new", 0, TN_OK },
};

static void how_says_what_must_be_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(hows); i++) {
		print_message("%s, %u\n", hows[i].name, hows[i].how);
		assert_int_equal(set("f", hows[i].name, "x", hows[i].how), hows[i].err);
	}
}

/* xattr(7): "user" is for files and directories; a link's own attributes are not those of what it leads to. */
static void links_and_fifos_have_none_and_are_not_followed(void **state)
{
	static const char *const files[] = { "l", "p" };

	(void)state;
	assert_int_equal(set("f", "user.a", "of f", 0), TN_OK);
	for (size_t i = 0; i < TN_COUNT(files); i++) {
		assert_int_equal(set(files[i], "user.a", "x", 0), TN_EPERM);
		assert_int_equal(get(files[i], "user.a", 100), TN_ENODATA);
		assert_int_equal(get(files[i], "", 100), TN_OK);
		assert_int_equal(ask.r.u.xattr.len, 0);
	}
	assert_string_equal(host_get("f", "user.a"), "of f");
}

static void other_classes_are_not_there(void **state)
{
	static const char *const names[] = { "trusted.a", "security.selinux", "security.capability",
		"system.posix_acl_access", "use", "user", "a" };
	char path[100];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		print_message("%s\n", names[i]);
		assert_int_equal(set("f", names[i], "x", 0), TN_ENOTSUP);
		assert_int_equal(get("f", names[i], 100), TN_ENOTSUP);
	}
	/* As root another class can be there: it is not listed. */
	snprintf(path, sizeof(path), "%s/f", dir);
	if (geteuid() == 0)
		assert_int_equal(setxattr(path, "trusted.a", "x", 1, 0), 0);
	assert_int_equal(set("f", "user.b", "x", 0), TN_OK);
	assert_int_equal(get("f", "", sizeof(value)), TN_OK);
	assert_int_equal(ask.r.u.xattr.len, 7);
	assert_memory_equal(value, "user.b", 7);
}

/* DMAPPEND and DMEXCL are told by the mode; where they are kept is nobody's business. */
static void the_attribute_of_our_own_is_not_shown(void **state)
{
	struct tn_chan *c = ask_walk(root, "");

	(void)state;
	assert_int_equal(ask_create(c, "x", TN_DMAPPEND | 0644, TN_OWRITE), TN_OK);
	ask_put(c);
	assert_string_equal(host_get("x", "user.tenon.mode"), "40000000");
	assert_int_equal(get("x", "user.tenon.mode", 100), TN_ENODATA);
	assert_int_equal(get("x", "", 100), TN_OK);
	assert_int_equal(ask.r.u.xattr.len, 0);
	assert_int_equal(set("x", "user.tenon.mode", "20000000", 0), TN_EPERM);
	assert_int_equal(set("x", "user.tenon.mode", "", TN_XATTR_REMOVE), TN_EPERM);
	unlinkat(dir_fd, "x", 0);
}

static void names_and_values_are_as_long_as_linux_has_them(void **state)
{
	char name[TN_XATTR_NAME_MAX + 2];
	struct tn_chan *c = ask_walk(root, "f");
	struct tn_str with_nul = { "user.\0a", 7 };

	(void)state;
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[TN_XATTR_NAME_MAX + 1] = 0;
	assert_int_equal(set("f", name, "x", 0), TN_ERANGE);
	assert_int_equal(get("f", name, 10), TN_ERANGE);
	name[TN_XATTR_NAME_MAX] = 0;
	assert_int_equal(set("f", name, "x", 0), TN_OK);
	assert_int_equal(set("f", "", "x", 0), TN_ERANGE);
	assert_int_equal(set_on(c, "user.big", value, TN_XATTR_MAX + 1, 0), TN_E2BIG);
	ask_begin(TN_XATTRGET, c);
	ask.r.u.xattr.name = with_nul;
	assert_int_equal(ask_send(), TN_EINVAL);
	ask_put(c);
}

static void a_read_only_export_has_them_as_they_are(void **state)
{
	(void)state;
	assert_int_equal(set("f", "user.a", "one", 0), TN_OK);
	end();
	begin(*state != NULL, true);
	assert_int_equal(set("f", "user.a", "two", 0), TN_EROFS);
	assert_int_equal(set("f", "user.a", "", TN_XATTR_REMOVE), TN_EROFS);
	assert_int_equal(get("f", "user.a", 100), TN_OK);
	assert_string_equal((char *)value, "one");
}

static bool allow(size_t size)
{
	(void)size;
	return allocations_left-- > 0;
}

static void without_memory_they_fail_and_nothing_has_changed(void **state)
{
	static const char *const asked[] = { "user.a", "" };
	struct tn_chan *c = ask_walk(root, "f");
	enum tn_err err;
	int n = 0;

	(void)state;
	assert_int_equal(set("f", "user.a", "one", 0), TN_OK);
	do {
		allocations_left = n++;
		tn_alloc_hook = allow;
		err = set_on(c, "user.a", "two", 3, 0);
		tn_alloc_hook = NULL;
		assert_string_equal(host_get("f", "user.a"), err ? "one" : "two");
	} while (err == TN_ENOMEM && n < 10);
	assert_int_equal(err, TN_OK);
	assert_true(n >= 2);
	for (size_t i = 0; i < TN_COUNT(asked); i++) {
		n = 0;
		do {
			ask_begin(TN_XATTRGET, c);
			ask.r.u.xattr.name = ask_str(asked[i]);
			ask.r.u.xattr.data = value;
			ask.r.u.xattr.size = sizeof(value);
			allocations_left = n++;
			tn_alloc_hook = allow;
			err = ask_send();
			tn_alloc_hook = NULL;
		} while (err == TN_ENOMEM && n < 10);
		assert_int_equal(err, TN_OK);
		assert_true(n >= 2);
	}
	ask_put(c);
}

static bool workers = true;

/* clang-format off */
#define TWICE(name) \
	{ #name ", on the loop", name, set_up, tear_down, NULL }, { #name ", on workers", name, set_up, tear_down, &workers }
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWICE(a_value_is_set_read_and_removed),
		TWICE(size_0_asks_for_the_size_and_too_small_is_erange),
		TWICE(how_says_what_must_be_there),
		TWICE(links_and_fifos_have_none_and_are_not_followed),
		TWICE(other_classes_are_not_there),
		TWICE(the_attribute_of_our_own_is_not_shown),
		TWICE(names_and_values_are_as_long_as_linux_has_them),
		TWICE(a_read_only_export_has_them_as_they_are),
		TWICE(without_memory_they_fail_and_nothing_has_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
