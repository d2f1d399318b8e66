/*
 * What tests of mnt in 9P2000.L share: which messages a request becomes, and what their answers make of it. Sources: diod's
 * protocol.md; Linux's fs/9p and net/9p; open(5), stat(5) for what requests mean.
 */
#ifndef TEST_LINK_DOTL_H
#define TEST_LINK_DOTL_H

#include "scene.h"

static int setup(void **state)
{
	(void)state;
	scene_start(TN_DIALECTS, TN_9P2000_L);
	assert_int_equal(peer.dialect, TN_9P2000_L);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_end();
	return 0;
}

#define L_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* From now on the peer is taken for nfs-ganesha: mntquirk.c. */
static inline void be_ganesha(void)
{
	struct ask *a = ask_simple(TN_STAT, root);
	uint16_t tag = peer_expect(TN_TGETATTR)->tag;

	peer_bytes((const uint8_t[]){ 11, 0, 0, 0, TN_RERROR, (uint8_t)tag, (uint8_t)(tag >> 8), 5,
		       0, 0, 0 },
	    11);
	must(a, TN_EIO);
}

static inline struct ask *ask_create(struct tn_chan *d, const char *name, uint32_t flags,
    uint32_t perm)
{
	struct ask *a = ask_new(TN_CREATE, d);

	a->r.flags = flags;
	a->r.u.create.name = str(name);
	a->r.u.create.perm = perm;
	a->r.u.create.gid = 55;
	ask_go(a);
	return a;
}

static inline void answer_walk(struct tn_qid qid)
{
	peer_expect(TN_TWALK);
	peer.fids[peer.m.newfid] = peer.fids[peer.m.fid];
	peer.fids[peer.m.newfid].qid = qid;
	ANSWER(.nwqid = 1, .wqid = { qid });
}

static inline struct ask *ask_wstat(struct tn_chan *c, const struct tn_stat *st)
{
	struct ask *a = ask_new(TN_WSTAT, c);

	a->r.u.wstat.st = st;
	ask_go(a);
	return a;
}

static inline struct ask *ask_stats(struct tn_chan *d, uint64_t offset, unsigned room)
{
	struct ask *a = ask_new(TN_READDIR, d);

	a->r.flags = TN_OF_STATS;
	a->r.u.readdir.offset = offset;
	a->r.u.readdir.count = 4 * 128;
	a->room = room;
	ask_go(a);
	return a;
}

static inline struct ask *ask_xattr(enum tn_req_type type, struct tn_chan *c, const char *name,
    uint32_t size, uint32_t how)
{
	struct ask *a = ask_new(type, c);

	a->r.u.xattr.name = str(name);
	a->r.u.xattr.data = a->data;
	a->r.u.xattr.size = size;
	a->r.u.xattr.how = how;
	for (uint32_t i = 0; type == TN_XATTRSET && i < size && i < sizeof(a->data); i++)
		a->data[i] = (uint8_t)(i * 7);
	ask_go(a);
	return a;
}

#endif
