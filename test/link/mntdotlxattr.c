/* mnt in 9P2000.L: extended attributes. */
#include "dotl.h"

static void an_attribute_is_walked_to_read_and_clunked(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRGET, f, "user.a", 20000, 0);
	uint8_t *data = calloc(1, 20000);
	uint32_t fid;

	(void)state;
	peer_expect(TN_TXATTRWALK);
	assert_true(is(peer.m.name, "user.a"));
	fid = peer.m.newfid;
	peer.fids[fid].used = true;
	ANSWER(.length = 10000);
	memset(data, 'x', 10000);
	for (uint32_t at = 0; at < 10000;) {
		uint32_t n = at == 0 ? 100 : 0; /* a short one first */

		peer_expect(TN_TREAD);
		assert_int_equal(peer.m.fid, fid);
		assert_int_equal(peer.m.offset, at);
		n = n ? n : peer.m.count;
		ANSWER(.count = n, .data = data);
		at += n;
	}
	assert_int_equal(a->r.u.xattr.len, 10000);
	assert_memory_equal(a->data, data, 10000);
	must(a, TN_OK);
	assert_int_equal(peer_expect(TN_TCLUNK)->fid, fid);
	peer_answer(&peer.m);
	free(data);
	put(f);
}

static void an_attributes_size_alone_is_not_read(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	static const struct {
		uint32_t size, len;
		enum tn_err err;
	} rows[] = { { 0, 5, TN_OK }, { 4, 5, TN_ERANGE }, { 4, 0, TN_OK } };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		struct ask *a = ask_xattr(TN_XATTRGET, f, "", rows[i].size, 0);

		assert_int_equal(peer_expect(TN_TXATTRWALK)->name.len, 0);
		peer.fids[peer.m.newfid].used = true;
		ANSWER(.length = rows[i].len);
		assert_int_equal(a->r.u.xattr.len, rows[i].len);
		must(a, rows[i].err);
		serve(TN_TCLUNK);
	}
	put(f);
}

static void an_attribute_is_set_when_its_fid_is_clunked(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, "user.a", 9000, TN_XATTR_CREATE);
	uint32_t fid;

	(void)state;
	assert_int_equal(peer_expect(TN_TWALK)->nwname, 0);
	fid = peer.m.newfid;
	peer_answer(&peer.m);
	peer_expect(TN_TXATTRCREATE);
	assert_int_equal(peer.m.fid, fid);
	assert_true(is(peer.m.name, "user.a"));
	assert_int_equal(peer.m.length, 9000);
	assert_int_equal(peer.m.flags, 1);
	ANSWER(.count = 0);
	peer_expect(TN_TWRITE);
	assert_int_equal(peer.m.count, 8192);
	assert_memory_equal(peer.m.data, a->data, 8192);
	ANSWER(.count = 100);
	peer_expect(TN_TWRITE);
	assert_int_equal(peer.m.offset, 100);
	ANSWER(.count = peer.m.count);
	peer_expect(TN_TWRITE);
	assert_int_equal(peer.m.offset, 8292);
	assert_int_equal(peer.m.count, 708);
	ANSWER(.count = peer.m.count);
	assert_int_equal(a->done, 0);
	assert_int_equal(peer_expect(TN_TCLUNK)->fid, fid);
	peer_lerror(peer.m.tag, 28);
	must(a, TN_ENOSPC);
	assert_null(peer_take());
	put(f);
}

static void an_attribute_is_removed_by_replacing_it_with_nothing(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, "user.a", 0, TN_XATTR_REMOVE);

	(void)state;
	serve(TN_TWALK);
	peer_expect(TN_TXATTRCREATE);
	assert_int_equal(peer.m.length, 0);
	assert_int_equal(peer.m.flags, 2);
	ANSWER(.count = 0);
	serve(TN_TCLUNK);
	must(a, TN_OK);
	must(ask_xattr(TN_XATTRSET, f, "user.a", 0, TN_XATTR_REPLACE), TN_ENOTSUP);
	must(ask_xattr(TN_XATTRSET, f, "", 0, 0), TN_ERANGE);
	must(ask_xattr(TN_XATTRSET, f, "user.a", TN_XATTR_MAX + 1, 0), TN_ERANGE);
	assert_null(peer_take());
	put(f);
}

/* walk(5): an open fid cannot be walked from. Its file is gone to by its name. */
static void an_attribute_of_an_open_file_is_set_by_name(void **state)
{
	struct tn_chan *f = got_open(root, "da/f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, "user.a", 1, 0);

	(void)state;
	serve(TN_TATTACH);
	assert_true(is(peer_expect(TN_TWALK)->wname[1], "f"));
	peer_answer(&peer.m);
	peer_expect(TN_TXATTRCREATE);
	ANSWER(.count = 0);
	peer_expect(TN_TWRITE);
	ANSWER(.count = 1);
	serve(TN_TCLUNK);
	must(a, TN_OK);
	a = ask_xattr(TN_XATTRSET, f, "user.a", 1, 0);
	peer.salt += 256;
	serve(TN_TWALK); /* another file has the name now */
	must(a, TN_ESTALE);
	serve(TN_TCLUNK);
	put(f);
}

/* A clunk that was sent is carried out: a flush would leave a fid behind of which nobody knows whether it is there. */
static void the_clunk_of_an_attribute_is_not_flushed(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, "user.a", 1, 0);

	(void)state;
	serve(TN_TWALK);
	peer_expect(TN_TXATTRCREATE);
	ANSWER(.count = 0);
	peer_expect(TN_TWRITE);
	ANSWER(.count = 1);
	peer_expect(TN_TCLUNK);
	tn_flush(&a->r);
	assert_int_equal(a->done, 0);
	peer_answer(&peer.m);
	must(a, TN_OK);
	assert_null(peer_take());
	put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(an_attribute_is_walked_to_read_and_clunked),
		L_TEST(an_attributes_size_alone_is_not_read),
		L_TEST(an_attribute_is_set_when_its_fid_is_clunked),
		L_TEST(an_attribute_is_removed_by_replacing_it_with_nothing),
		L_TEST(an_attribute_of_an_open_file_is_set_by_name),
		L_TEST(the_clunk_of_an_attribute_is_not_flushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
