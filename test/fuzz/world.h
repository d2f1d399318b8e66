/*
 * A name space to be asked: #ram on /, a union of two on /u, and on /m /env /pipe what these are. Without a host: its
 * loop is turned here, and nothing in it waits for anything but a request.
 */
#ifndef TEST_FUZZ_WORLD_H
#define TEST_FUZZ_WORLD_H

#include "core/chan.h"
#include "core/loop.h"
#include "core/server.h"
#include "core/view.h"
#include "fuzz.h"

struct fuzz_world {
	struct tn_loop *loop;
	struct tn_node node;
	struct tn_user *user;
	struct tn_proc *proc;
	struct tn_server *root, *ram; /* of the devices #/ and #R: the same at each use */
};

/* On a loop of its own, or on one that there is (not NULL), which lives longer. */
void fuzz_world_begin(struct fuzz_world *w, struct tn_loop *loop);
void fuzz_world_end(struct fuzz_world *w);

/* The name space as a server. One reference. */
struct tn_server *fuzz_world_view(struct fuzz_world *w, const struct tn_view_options *o);

/* Runs what is due now; and so many seconds later, what is due then. */
void fuzz_turn(struct tn_loop *loop);
void fuzz_pass(struct tn_loop *loop, unsigned seconds);

#endif
