/*
 * The content of a file that is made when it is opened, or by a write, and read in pieces: kept in the Chan's aux until
 * its clunk, so that later reads go on in what the first began.
 */
#ifndef TN_FS_SNAPSHOT_H
#define TN_FS_SNAPSHOT_H

#include "tenon/server.h"

#include "core/host.h"
#include "core/mem.h"

struct tn_snapshot {
	size_t len;
	char text[];
};

/* Replaces what c has; copied. false: no memory, and it has what it had. */
static inline bool tn_snapshot_set(struct tn_chan *c, const char *text, size_t len)
{
	struct tn_snapshot *s = tn_alloc(sizeof(*s) + len);

	if (!s)
		return false;
	s->len = len;
	if (len > 0)
		memcpy(s->text, text, len);
	tn_free(c->aux.p);
	c->aux.p = s;
	return true;
}

static inline enum tn_status tn_snapshot_read(struct tn_req *r)
{
	const struct tn_snapshot *s = r->chan->aux.p;

	return tn_reply_text(r, s ? s->text : "", s ? s->len : 0);
}

static inline enum tn_status tn_snapshot_clunk(struct tn_req *r)
{
	tn_free(r->chan->aux.p);
	r->chan->aux.p = NULL;
	return TN_DONE;
}

#endif
