/*
 * What tests of mnt share that begin with an attach: whose root it is, small things to say to the peer of peer.h, and the
 * sweep in which each allocation fails in its turn.
 */
#ifndef TEST_LINK_SCENE_H
#define TEST_LINK_SCENE_H

#include "peer.h"

static struct tn_chan *root; /* of scene_start */

/* asked: TN_DIALECTS is any. best: what the peer knows. */
static inline void scene_start(enum tn_dialect asked, enum tn_dialect best)
{
	struct tn_client_options o = { .label = "tcp!test!564", .dialect = asked };

	peer_start(&o);
	peer.best = best;
	root = got_attach();
}

static inline void scene_end(void)
{
	put(root);
	peer_end();
}

static inline bool is(struct tn_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.s, text, s.len) == 0;
}

static inline struct tn_str str(const char *text)
{
	return (struct tn_str){ text, (uint32_t)strlen(text) };
}

/* The next message is of this type and is answered as an ordinary server does. */
static inline void serve(uint8_t type)
{
	peer_answer(peer_expect(type));
}

/* Answers the message that peer_expect gave. */
#define ANSWER(...)  \
	peer_send(&( \
	    struct tn_msg){ .type = (uint8_t)(peer.m.type + 1), .tag = peer.m.tag, __VA_ARGS__ })

/* ---- memory ---- */

static unsigned scene_allocations, scene_fails_at;

/* A Chan is there, or the test has nothing to look at. */
static inline bool scene_alloc(size_t size)
{
	return size == sizeof(struct tn_chan) || ++scene_allocations != scene_fails_at;
}

/* What `session` asks for fails in its turn, between setup and teardown: each request ends once, and nothing leaks. */
static inline void scene_sweep(int (*setup)(void **), void (*session)(void),
    int (*teardown)(void **), unsigned least)
{
	unsigned n = 1;

	for (scene_fails_at = 0; scene_fails_at <= n; scene_fails_at++) {
		setup(NULL);
		tn_chan_put(tn_chan_new(peer.server, NULL)); /* the reaper is there */
		scene_allocations = 0;
		tn_alloc_hook = scene_alloc;
		session();
		tn_alloc_hook = NULL;
		n = scene_fails_at == 0 ? scene_allocations : n;
		pass(11 * (uint64_t)SECOND);
		teardown(NULL);
	}
	print_message("%u allocations\n", n);
	assert_true(n >= least);
}

#endif
