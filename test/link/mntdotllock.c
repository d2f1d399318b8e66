/* mnt in 9P2000.L: locks. */
#include "dotl.h"
#include "link/client.h"

static struct ask *ask_lock(enum tn_req_type type, struct tn_chan *c, uint8_t how, uint64_t owner)
{
	struct ask *a = ask_new(type, c);

	a->r.u.lock.type = how;
	a->r.u.lock.start = 10;
	a->r.u.lock.length = 20;
	a->r.u.lock.owner = owner;
	a->r.u.lock.pid = 77;
	ask_go(a);
	return a;
}

static const struct {
	uint8_t status;
	enum tn_err err;
} locks[] = { { 0, TN_OK }, { 1, TN_EAGAIN }, { 2, TN_EIO }, { 3, TN_EAGAIN }, { 4, TN_EBADMSG } };

static void a_lock_never_waits_and_names_its_owner(void **state)
{
	struct tn_chan *f = got_open(root, "f");
	char first[64];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(locks); i++) {
		struct ask *a = ask_lock(TN_LOCK, f, TN_LK_WRITE, 42);

		peer_expect(TN_TLOCK);
		assert_int_equal(peer.m.lock_type, 1);
		assert_int_equal(peer.m.flags, 0);
		assert_int_equal(peer.m.start, 10);
		assert_int_equal(peer.m.length, 20);
		assert_int_equal(peer.m.proc_id, 77);
		if (i == 0)
			snprintf(first, sizeof(first), "%.*s", (int)peer.m.client_id.len,
			    peer.m.client_id.s);
		assert_true(is(peer.m.client_id, first));
		ANSWER(.status = locks[i].status);
		must(a, locks[i].err);
	}
	struct ask *a = ask_lock(TN_LOCK, f, TN_LK_UNLOCK, 43);

	peer_expect(TN_TLOCK);
	assert_int_equal(peer.m.lock_type, 2);
	assert_false(is(peer.m.client_id, first)); /* another owner */
	ANSWER(.status = 0);
	must(a, TN_OK);
	put(f);
}

/* It takes client_id for a host: an address asks nobody. Owners are apart by proc_id. */
static void ganesha_is_told_an_address_and_a_number(void **state)
{
	struct tn_chan *f;
	uint32_t ids[2];

	(void)state;
	be_ganesha();
	f = got_open(root, "f");
	for (unsigned i = 0; i < 2; i++) {
		struct ask *a = ask_lock(TN_LOCK, f, TN_LK_WRITE, 42 + i);
		unsigned byte[4];
		char id[64];
		int end = 0;

		peer_expect(TN_TLOCK);
		snprintf(id, sizeof(id), "%.*s", (int)peer.m.client_id.len, peer.m.client_id.s);
		assert_int_equal(
		    sscanf(id, "%3u.%3u.%3u.%3u%n", &byte[0], &byte[1], &byte[2], &byte[3], &end),
		    4);
		assert_int_equal(end, strlen(id));
		for (unsigned k = 0; k < 4; k++)
			assert_in_range(byte[k], 0, 255);
		ids[i] = peer.m.proc_id;
		ANSWER(.status = 0);
		must(a, TN_OK);
	}
	assert_int_not_equal(ids[0], ids[1]);
	put(f);
}

/* inet_pton(3): each number in full. */
static void the_address_that_ganesha_is_told_has_each_digit(void **state)
{
	struct tn_chan *f;
	struct ask *a;

	(void)state;
	be_ganesha();
	peer.client->locker = 0x0a6400ff;
	f = got_open(root, "f");
	a = ask_lock(TN_LOCK, f, TN_LK_WRITE, 42);
	peer_expect(TN_TLOCK);
	assert_true(is(peer.m.client_id, "10.100.0.255"));
	ANSWER(.status = 0);
	must(a, TN_OK);
	put(f);
}

/* P9_LOCK_FLAGS_BLOCK: the server does not wait for it, but may see who waits for whom. */
static void who_will_ask_again_for_a_lock_says_so(void **state)
{
	struct tn_chan *f = got_open(root, "f");
	struct ask *a = ask_new(TN_LOCK, f);

	(void)state;
	a->r.u.lock.type = TN_LK_WRITE;
	a->r.u.lock.waits = true;
	ask_go(a);
	peer_expect(TN_TLOCK);
	assert_int_equal(peer.m.flags, 1);
	ANSWER(.status = 1);
	must(a, TN_EAGAIN);
	put(f);
}

static void a_lock_that_stands_in_the_way_is_told(void **state)
{
	struct tn_chan *f = got_open(root, "f");
	struct ask *a = ask_lock(TN_GETLOCK, f, TN_LK_WRITE, 42);

	(void)state;
	peer_expect(TN_TGETLOCK);
	ANSWER(.lock_type = TN_LK_READ, .start = 5, .length = 6, .proc_id = 7,
	    .client_id = TN_STR("x"));
	assert_int_equal(a->r.u.lock.type, TN_LK_READ);
	assert_int_equal(a->r.u.lock.start, 5);
	assert_int_equal(a->r.u.lock.length, 6);
	assert_int_equal(a->r.u.lock.pid, 7);
	must(a, TN_OK);
	put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(a_lock_never_waits_and_names_its_owner),
		L_TEST(ganesha_is_told_an_address_and_a_number),
		L_TEST(the_address_that_ganesha_is_told_has_each_digit),
		L_TEST(who_will_ask_again_for_a_lock_says_so),
		L_TEST(a_lock_that_stands_in_the_way_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
