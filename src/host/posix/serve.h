/*
 * Serving a file server to whoever connects: listeners, conns (link/conn.h) and the transports between, with a limit.
 */
#ifndef TN_POSIX_SERVE_H
#define TN_POSIX_SERVE_H

#include "host/posix/dial.h"
#include "link/conn.h"

struct tn_service;

struct tn_service_options {
	struct tn_conn_limits conn;
	struct tn_server *users;  /* counted; who peers are (tn_conn_users). NULL: as they say */
	uint32_t conns_max;       /* at a time; who comes then is told TN_ELIMIT_CONNS. 0: 1024 */
	uint32_t peer_max;        /* of them from one address (callers.h), TN_ELIMIT_PEER. 0: 256 */
	uint64_t memory_max;      /* bytes of all together, TN_ELIMIT_ALL. 0: 1 GiB */
	struct tn_server *beside; /* counted; for attaches of the name `aname` (conn.h). NULL: none */
	const char *aname;        /* stays */
	void (*idle)(void *arg); /* the last connection has ended; NULL: nobody cares */
	void *arg;
};

/* Serves `server` (counted). options may be NULL. NULL: no memory. */
struct tn_service *tn_service_new(struct tn_host_loop *h, struct tn_server *server,
    const struct tn_service_options *options);

/* Listens at `dial` too. *address (may be NULL): where exactly, as a dial string; lives as long as the service. */
enum tn_err tn_service_listen(struct tn_service *s, const char *dial, const char **address,
    char words[TN_WORDS_SIZE]);

/* Where it listened last, as a dial string; "": nowhere. Lives as long as the service. */
const char *tn_service_address(const struct tn_service *s);

/*
 * Serves a descriptor that was opened by others: one that listens, or a connection. Taken. For socket activation: those
 * from 3 on, as many as tn_listen_fds (listen.h) says.
 */
enum tn_err tn_service_fd(struct tn_service *s, int fd, char words[TN_WORDS_SIZE]);

/* One connection over two descriptors, which are taken out of their numbers: standard input and output (dial.h). */
enum tn_err tn_service_pair(struct tn_service *s, int read_fd, int write_fd,
    char words[TN_WORDS_SIZE]);

/* Listens no more and ends all connections; frees the service and calls `ended` (may be NULL) when that is done. */
void tn_service_end(struct tn_service *s, void (*ended)(void *arg), void *arg);

/* What all connections together have counted so far, also those that have ended. */
struct tn_service_stats {
	struct tn_conn_stats conn;
	uint64_t accepted, refused;
	uint32_t conns; /* now */
};
void tn_service_stats(const struct tn_service *s, struct tn_service_stats *out);

#endif
