/*
 * Running requests. A request is answered exactly once and lives until then; it may be flushed; the inline path (made,
 * submitted, answered before submit returns) allocates nothing and calls nobody back.
 */
#ifndef TN_CORE_REQ_H
#define TN_CORE_REQ_H

#include "tenon/server.h"

#include "core/err.h"
#include "core/host.h"

/* Makes r a new request of `type` on c (NULL for TN_ATTACH: set r->server). Zeroes the rest. */
void tn_req_init(struct tn_req *r, enum tn_req_type type, struct tn_chan *c, const struct tn_owner *owner);

/* Frees r->words; r may then be made anew. The owner calls it when it is through with the answer. */
void tn_req_reset(struct tn_req *r);

/*
 * Has the server serve r. TN_DONE: it is answered, r->err says how, owner->done is not called. TN_LATER: it was kept,
 * owner->done comes later, never from inside this call.
 */
enum tn_status tn_submit(struct tn_req *r);

/*
 * Asks that a kept request end soon; it is still answered by owner->done, maybe from inside this call, with TN_EINTR or
 * with its ordinary answer. Flushing what has been answered, or flushing twice, is no error and does nothing.
 */
void tn_flush(struct tn_req *r);

/* For chan.c: a new request that was kept (tn_keep) waits without having been submitted; tn_submit comes later. */
void tn_req_wait(struct tn_req *r);

/* Kept and not yet answered. */
bool tn_req_pending(const struct tn_req *r);

/* The text of r's error: the server's words, else the table's. Terminated. */
const char *tn_req_text(const struct tn_req *r);

/* Moves the error of `from` to `to`, the words with it. For servers that ask other servers. */
void tn_req_take_error(struct tn_req *to, struct tn_req *from);

#endif
