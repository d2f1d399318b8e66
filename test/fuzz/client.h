/*
 * mnt's side of a connection to a peer in memory, which is the target: requests of each kind, which end once each, and
 * the client's bytes both ways.
 */
#ifndef TEST_FUZZ_CLIENT_H
#define TEST_FUZZ_CLIENT_H

#include "core/chan.h"
#include "core/loop.h"
#include "core/server.h"
#include "fuzz.h"
#include "link/mnt.h"

enum { FUZZ_ASKS = 40, FUZZ_CLIENT_MSIZE = 9000 };

struct fuzz_ask {
	struct tn_req r; /* first */
	unsigned done;
	struct tn_chan *chan; /* counted; what an attach or a walk fills */
	struct tn_qid qids[TN_WNAME_MAX];
	struct tn_statfs statfs;
	uint8_t data[70000];
};

struct fuzz_client {
	struct tn_loop loop;
	struct tn_client *client;
	struct tn_server *server;
	struct tn_stream *stream; /* NULL: no connection */
	struct fuzz_ask asks[FUZZ_ASKS];
	int n_asks;
	struct tn_chan *root, *file, *dir; /* counted; NULL: not there */
	enum tn_dialect dialect;           /* agreed */
};

extern struct fuzz_client fuzz_client;

/* A client that has been asked for an attach. */
void fuzz_client_begin(void);

/* Agrees on the dialect, and answers honestly until root, file and dir are there. */
void fuzz_client_meet(enum tn_dialect dialect);

/* Time passes, all requests have ended, everything is given back. */
void fuzz_client_end(void);

/* Runs what is due. */
void fuzz_client_turn(void);

/* Bytes or a message to the client, as far as it listens. */
void fuzz_client_send(const uint8_t *bytes, size_t len);
void fuzz_client_reply(const struct tn_msg *m);
void fuzz_client_hang_up(void);

/* The client's next message, decoded as what is agreed; valid until the next call. false: there is none. */
bool fuzz_client_says(struct tn_msg *m);

/* ---- requests; each is begun at once ---- */

/* One of each kind on what is there; of root alone if there is no more. */
void fuzz_client_ask_all(void);

/* One of type `type`, on c; an ask that is over is used again. NULL: all are under way. */
struct fuzz_ask *fuzz_client_ask(enum tn_req_type type, struct tn_chan *c);

#endif
