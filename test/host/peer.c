/* src/host/posix/peer.c: what a peer leaves out of a user the host knows, or nobody does. */
#include "host/posix/peer.h"

#include "core/chan.h"
#include "host/posix/host.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *what, *said;
	uint32_t len, n_said;
	const char *name;
	uint32_t uid, gid;
} users[] = {
	{ "a name", "root", 4, TN_NONUNAME, "root", 0, 0 },
	{ "a number", "", 0, 0, "root", 0, 0 },
	{ "a name whose group has another number", "sync", 4, TN_NONUNAME, "sync", 4, 65534 },
	{ "a number whose group has another", "", 0, 4, "sync", 4, 65534 },
	{ "both, as they are said", "glenda", 6, 0, "glenda", 0, TN_NONUNAME },
	{ "neither", "", 0, TN_NONUNAME, "", TN_NONUNAME, TN_NONUNAME },
	{ "a name of nobody", "no-such-user-9", 14, TN_NONUNAME, "no-such-user-9", TN_NONUNAME,
	    TN_NONUNAME },
	{ "a number of nobody", "", 0, 4294967290u, "", 4294967290u, TN_NONUNAME },
	{ "a name that ends early", "root\0x", 6, TN_NONUNAME, "root\0x", TN_NONUNAME,
	    TN_NONUNAME },
};

/* passwd(5): user 0 is root on every host. base-passwd: sync is 4, in group 65534, on each Debian. */
static void what_is_missing_is_the_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(users); i++) {
		struct tn_user *u = tn_peer_user((struct tn_str){ users[i].said, users[i].len },
		    users[i].n_said);

		print_message("%s\n", users[i].what);
		assert_non_null(u);
		assert_int_equal(u->uid, users[i].uid);
		assert_int_equal(u->gid, users[i].gid);
		assert_int_equal(u->len, users[i].said[0] ? users[i].len : strlen(users[i].name));
		assert_memory_equal(u->name, users[i].name, u->len);
		tn_user_put(u);
	}
}

static void a_name_that_nobody_could_have_is_kept(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'x', sizeof(name));
	for (uint32_t len = 250; len <= sizeof(name); len++) {
		struct tn_user *u = tn_peer_user((struct tn_str){ name, len }, TN_NONUNAME);

		assert_int_equal(u->len, len);
		tn_user_put(u);
	}
}

static bool none(size_t size)
{
	(void)size;
	return false;
}

static void without_memory_there_is_no_user(void **state)
{
	(void)state;
	tn_alloc_hook = none;
	assert_null(tn_peer_user(TN_STR("root"), TN_NONUNAME));
	assert_null(tn_peer_user(TN_STR("no-such-user-9"), TN_NONUNAME));
	tn_alloc_hook = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_is_the_hosts),
		cmocka_unit_test(a_name_that_nobody_could_have_is_kept),
		cmocka_unit_test(without_memory_there_is_no_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
