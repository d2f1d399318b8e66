/*
 * mnt: 9P out. A file server whose operations become messages to a peer. A `client` is one connection: version, tags,
 * fids, the bound on waiting, dialling again; each attach on it is a tn_server of its own (an instance), as each
 * mount(2) is a device of its own in Plan 9.
 *
 * How requests end besides by the peer's answer (whose words travel along):
 *
 *   TN_ECONNLOST     `connection lost: LABEL`: the peer hung up, said nothing for soft_ns, or broke the protocol (then the
 *                    words go on with how, and the log has them); every outstanding request fails at once. Or the request
 *                    alone: it had no answer for soft_ns though the peer lives. Reads, writes, opens and listings may
 *                    take as long as the peer lives. Behind a loss the next use dials again, not more than once at a
 *                    time; a dial that fails fails who waits for it, with the cause behind the words, and who asks within
 *                    20 ms behind that (a quarter of the time that it took, up to a second): the same holds
 *                    behind a silence. A mount without a bound waits and dials less often the more dials have failed. A
 *                    first dial's failure is told as the dialer told it.
 *   TN_EBADVERSION   the peer speaks no 9P that we speak.
 *   TN_ETIMEDOUT     `no answer: LABEL`: the request's own deadline_ns has come.
 *   TN_ESTALE        on a new connection: an open file (it is not opened anew), or a Chan under whose name there is now
 *                    nothing, or another qid.path or type. Chans that are not open are walked again from their attach;
 *                    an attach's root may come back with another qid.path, and keeps the one it was shown with.
 *   TN_EBADMSG       the directory that the peer sent is none.
 *   TN_ELIMIT_FIDS   fids_max; TN_ELIMIT_REQS: 900 messages were outstanding for soft_ns.
 *
 * Nothing that may have been carried out is sent twice. In 9P2000: TN_RENAME within a directory is a wstat of the name
 * (TN_EEXIST stays an error), to another TN_EXDEV; TN_FSYNC is a wstat of nothing; a TN_WSTAT of fields that 9P2000 does
 * not have is TN_ENOTSUP. TN_STAT of a server without Tstat is made up of the qid: `valid` has QID, MODE and NAME only.
 */
#ifndef TN_LINK_MNT_H
#define TN_LINK_MNT_H

#include "core/loop.h"
#include "link/stream.h"

struct tn_client;

/*
 * How a client gets a transport: connect is called when one is needed (at once, and again after a loss, at the next
 * use). It sooner or later joins a transport to the stream and calls tn_client_connected, or calls
 * tn_client_failed with the cause. cancel: the client goes away meanwhile. A dialer that cannot connect twice (fd!)
 * answers the second time with TN_ECONNLOST.
 */
struct tn_dialer {
	void (*connect)(struct tn_dialer *d, struct tn_client *client, struct tn_stream *stream);
	void (*cancel)(struct tn_dialer *d);
	void (*free)(struct tn_dialer *d); /* the client is gone */
	bool once; /* not to be dialled again only because the peer hung up at a version: descriptors, programs */
};

struct tn_client_options {
	const char *label;      /* the dial string; copied. Errors say `connection lost: LABEL` */
	uint32_t msize;         /* to offer; 0: 128 KiB + TN_IOHDR_SIZE */
	uint32_t fids_max;      /* most fids to hold at the peer; 0: 65536. The door's LRU keeps below it */
	uint64_t soft_ns;       /* the bound of a request; 0: 10 s; UINT64_MAX: none (hard) */
	enum tn_dialect dialect; /* TN_DIALECTS: the best that both know, for now 9P2000; others are TN_EBADVERSION */
	bool qids_by_name;      /* -o qids=names: qid.paths are made from the names below the attach */
	bool skip_down;
};

struct tn_client_stats {
	uint64_t messages_out, messages_in, bytes_out, bytes_in, errors, flushes, timeouts, dials, losses;
	uint32_t fids, reqs, msize;
	bool connected;
};

/* Takes the dialer. One reference. NULL: no memory (the dialer is freed). */
struct tn_client *tn_client_new(struct tn_loop *loop, struct tn_dialer *dialer, const struct tn_client_options *o);
struct tn_client *tn_client_get(struct tn_client *client);
void tn_client_put(struct tn_client *client);

/* From the dialer, on the loop: `stream` has a transport now; or there is none, and why (words: NULL or the cause). */
void tn_client_connected(struct tn_client *client);
void tn_client_failed(struct tn_client *client, enum tn_err err, const char *words);

/*
 * A new instance for an attach through this client: no message yet. A TN_ATTACH on it dials if need be, agrees on the
 * version and attaches. One reference.
 */
struct tn_server *tn_mnt_server(struct tn_client *client);

/* The client behind an instance of mnt; NULL when the server is another. Borrowed. */
struct tn_client *tn_mnt_client(const struct tn_server *s);

void tn_client_stats(const struct tn_client *client, struct tn_client_stats *out);

#endif
