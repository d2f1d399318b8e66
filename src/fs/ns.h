/*
 * #ns: a name space itself as files: ctl ns whence stats. The device knows no name space; whose it is (the launcher, the
 * library) says by callbacks what the files do.
 */
#ifndef TN_FS_NS_H
#define TN_FS_NS_H

#include "core/server.h"

/*
 * Each gets the request that it answers, and may keep it: tn_keep, and tn_respond once, later. r->u.io.count stays as it
 * is. What is NULL: the file is refused. flush gets a request that was kept when it is to end soon.
 *
 * ctl     A write: `text` is what was written without newlines at its end, one line or several (namespace(6); product.md
 *         4). The answer of the write is the error.
 * print   An open of `ns`: gives the text of ns(1) to tn_nsdev_answer. `text` is empty.
 * whence  A write to `whence`: `text` is a name. What it gives to tn_nsdev_answer is then read on the same Chan, from
 *         offset 0. Until then a read gives nothing.
 * stats   An open of `stats`: as print; lines `name value`.
 */
struct tn_nsdev_host {
	void *arg;
	enum tn_status (*ctl)(void *arg, struct tn_req *r, struct tn_str text);
	enum tn_status (*print)(void *arg, struct tn_req *r, struct tn_str text);
	enum tn_status (*whence)(void *arg, struct tn_req *r, struct tn_str text);
	enum tn_status (*stats)(void *arg, struct tn_req *r, struct tn_str text);
	void (*flush)(void *arg, struct tn_req *r);
	void (*free)(void *arg); /* the server is gone; NULL: nothing to free */
};

/* What a write to ctl or whence has brought, as its callback got it: it lies elsewhere after tn_keep. */
struct tn_str tn_nsdev_text(const struct tn_req *r);

/*
 * The text that r's Chan shows from now on, copied. false: no memory, and r has failed with it. Before TN_DONE is
 * returned or tn_respond is called.
 */
bool tn_nsdev_answer(struct tn_req *r, const char *text, size_t len);

/* One reference; *host is copied. NULL: no memory. */
struct tn_server *tn_nsdev_new(struct tn_loop *home, const struct tn_nsdev_host *host);

#endif
