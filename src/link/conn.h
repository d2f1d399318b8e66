/*
 * conn: 9P in. A peer's messages become requests on one file server's Chans; the answers go back. intro(5) and all of
 * section 5. It serves whatever tn_server it is given: a device, a host directory, a mount (an export of an import),
 * a view of a name space (core/view.h).
 */
#ifndef TN_LINK_CONN_H
#define TN_LINK_CONN_H

#include "link/stream.h"

struct tn_conns; /* link/conns.h: what several conns have in common */

/* Limits are data; 0 takes the default. Each has an error of its own. docs/limits.md. */
struct tn_conn_limits {
	uint32_t msize_max; /* bytes; default 1 MiB + TN_IOHDR_SIZE */
	uint32_t fids_max;  /* default 65536 */
	/* outstanding requests; beyond it only Tflush is looked for. default 1024 */
	uint32_t reqs_max;
	/* bytes of answers not yet sent; beyond it input is not read. default 4 MiB */
	uint32_t out_max;
	uint32_t attrs_max;  /* bytes of extended attributes at fids (.L). default 4 MiB */
	uint64_t memory_max; /* bytes in all for fids, kept requests and buffers. default 64 MiB */
	/* for a message that has begun, and for the first Tversion. default 60 s; UINT64_MAX: none */
	uint64_t message_ns;
	uint64_t idle_ns; /* without a message, and nothing being asked. default: none */
	/* counted; what it has in common with others. NULL: nothing */
	struct tn_conns *conns;
};

/* What a conn counts: one table for stats files, --json and metrics. */
struct tn_conn_stats {
	uint64_t messages_in, messages_out, bytes_in, bytes_out, errors, kept, flushed, refused;
	uint64_t slow, idle; /* ended for want of a whole message, or of any */
	uint32_t fids, reqs;
};

struct tn_conn;

/*
 * A conn that serves `server` (counted): each Tattach is a TN_ATTACH there. `closed` is called once when the conn has
 * ended and all its requests are answered; it may free the conn. peer: for log lines, copied. NULL: no memory.
 */
struct tn_conn *tn_conn_new(struct tn_server *server, const struct tn_conn_limits *limits,
    const char *peer, void (*closed)(struct tn_conn *conn, void *arg), void *arg);

/*
 * Who peers are, where that is more than they say: each TN_ATTACH goes to `users` (counted) first, with a newchan whose user
 * is as the peer says. That one may give newchan and the request another user, and hands it on to newchan->server. NULL: a
 * user is what the peer says. Once, before anything has come.
 */
void tn_conn_users(struct tn_conn *conn, struct tn_server *users);

/*
 * Beside the trees of the conn's server, an attach of the name `aname` (which stays) is a TN_ATTACH at `server` (counted).
 * Once, before anything has come.
 */
void tn_conn_beside(struct tn_conn *conn, const char *aname, struct tn_server *server);

/* The engine of the conn, for a transport. */
struct tn_stream *tn_conn_stream(struct tn_conn *conn);

/* Ends it: hangs up, flushes what is outstanding, clunks all fids; `closed` follows. */
void tn_conn_end(struct tn_conn *conn);

/* Only from inside or after `closed`. */
void tn_conn_free(struct tn_conn *conn);

void tn_conn_stats(const struct tn_conn *conn, struct tn_conn_stats *out);

#endif
