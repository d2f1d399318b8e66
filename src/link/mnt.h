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
 *                    time; a dial that fails fails who waits for it, with the cause behind the words. If that took more
 *                    than 80 ms, whoever asks within a quarter of that time behind it, up to a second, has the same
 *                    answer: so also behind a silence. A mount without a bound waits and dials less often the more dials have failed. A
 *                    first dial's failure is told as the dialer told it.
 *   TN_EBADVERSION   the peer speaks no 9P that we speak, or not the dialect that was asked for.
 *   TN_ETIMEDOUT     `no answer: LABEL`: the request's own deadline_ns has come.
 *   TN_ESTALE        on a new connection: an open file (it is not opened anew), or a Chan under whose name there is now
 *                    nothing, or another qid.path or type. Chans that are not open are walked again from their attach;
 *                    an attach's root may come back with another qid.path, and keeps the one it was shown with.
 *   TN_EBADMSG       what the peer sent cannot be: a directory that is none or goes round in a circle, a file that became
 *                    a directory, an attribute of more than TN_XATTR_MAX.
 *   TN_EREMOTE       the peer's error is none that is known here; its words, or `error number N`, travel along.
 *   TN_ELIMIT_FIDS   fids_max; TN_ELIMIT_REQS: 900 messages were outstanding for soft_ns.
 *
 * Nothing that may have been carried out is sent twice. TN_STAT of a server without Tstat or Tgetattr is made up of the
 * qid: `valid` has QID, MODE and NAME only.
 *
 * What is offered to the peer is 9P2000.L.tenon, then .L, then .u, then 9P2000: less after "unknown", an error, or a hang-up
 * (behind which it is dialled again, unless the dialer says that this is not to be done). What requests mean in
 *
 *   9P2000     TN_RENAME within a directory is a wstat of the name (TN_EEXIST stays an error), to another TN_EXDEV.
 *              TN_FSYNC is a wstat of nothing. A TN_WSTAT of fields that 9P2000 does not have is TN_ENOTSUP, and so are
 *              the requests that it has no message for; TN_LINK is TN_EXDEV.
 *   9P2000.u   As 9P2000; and TN_SYMLINK, TN_MKNOD, TN_LINK are a Tcreate with an extension, TN_READLINK a Tstat; owners
 *              have numbers too. Errors are known by their text, else by their number.
 *   9P2000.L   TN_CREATE never takes what is there (TN_EEXIST); append-only, exclusive and temporary files cannot be made.
 *              A new directory is walked to and opened; if it may not be read, reading it fails, not making it. ORCLOSE is
 *              a Tremove instead of the Tclunk, by us: not by the server when the connection is lost. TN_OEXEC is
 *              refused when nobody may execute the file, else it is a read. TN_RENAME replaces; not to replace, and a
 *              TN_WSTAT of the name, look first whether the new name is taken; exchanging is TN_EINVAL. Owners are
 *              numbers; names of users cannot be set (TN_ENOTSUP). TN_READDIR gives names, qids and kinds; with
 *              TN_OF_STATS each entry is walked to and asked as well, many at once. TN_LOCK never waits. An attribute
 *              without bytes is TN_ENOTSUP.
 *   9P2000.L.tenon, between two Tenons: as 9P2000.L; and TN_RENAME has renameat2(2)'s flags, in one step; TN_FALLOCATE,
 *              TN_SEEKHOLE and TN_COPYRANGE, which are TN_ENOTSUP elsewhere, go to the server; attributes may be empty;
 *              errors have a text and a number.
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
	enum tn_dialect dialect; /* no other will do; TN_DIALECTS: the best that both know */
	bool qids_by_name;      /* -o qids=names: qid.paths are made from the names below the attach */
	bool skip_down;
};

struct tn_client_stats {
	uint64_t messages_out, messages_in, bytes_out, bytes_in, errors, flushes, timeouts, dials, losses;
	uint32_t fids, reqs, msize;
	bool connected;
	enum tn_dialect dialect; /* of this connection or the last; TN_DIALECTS: there was none */
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
