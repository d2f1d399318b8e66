/*
 * Chans: counted handles of files at their servers. tn_chan_new and tn_chan_clone give one reference.
 */
#ifndef TN_CORE_CHAN_H
#define TN_CORE_CHAN_H

#include "core/path.h"
#include "core/req.h"

/* A Chan of `server` that represents nothing yet, for TN_ATTACH to fill. NULL: no memory. Counts server and user. */
struct tn_chan *tn_chan_new(struct tn_server *server, struct tn_user *user);

/* A Chan of the same server and user as c for TN_WALK to fill; it has c's path too. NULL: no memory. */
struct tn_chan *tn_chan_clone(const struct tn_chan *c);

struct tn_chan *tn_chan_get(struct tn_chan *c);

/* Takes NULL. The last put clunks, if the Chan represents something, and waits for nothing. */
void tn_chan_put(struct tn_chan *c);

/*
 * The same, told when it has been clunked: r is a TN_CLUNK made by tn_req_init with chan = c, whose reference it takes
 * (r->chan is NULL afterwards). While others still hold c the request is kept (TN_LATER) until the last of them puts
 * it. A second closer of the same Chan is answered at once.
 */
enum tn_status tn_chan_close(struct tn_req *r);

/* For req.c: c was clunked; frees it and drops what it holds. */
void tn_chan_destroy(struct tn_chan *c);

/* Sets c's path; takes the reference. */
void tn_chan_set_path(struct tn_chan *c, struct tn_path *path);

/* The same file of the same instance. The version of a qid never counts. */
bool tn_chan_same(const struct tn_chan *a, const struct tn_chan *b);

static inline bool tn_chan_is_dir(const struct tn_chan *c)
{
	return c->qid.type & TN_QTDIR;
}

/* The part of a loop that clunks dropped Chans (loop.h); freed by tn_loop_fini. Takes NULL. */
struct tn_reaper;
void tn_reaper_free(struct tn_reaper *reaper);

/* Users. `name` is copied. */
struct tn_user *tn_user_new(struct tn_str name, uint32_t uid, uint32_t gid);

#endif
