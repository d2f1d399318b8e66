/*
 * Listening sockets of dial strings: tcp!HOST!PORT ("*": everywhere, port 0: any), unix!/PATH, unix!@NAME, and sockets
 * that were opened for us (LISTEN_FDS). Who connects is handed on as a descriptor; serve.h makes conns of them.
 */
#ifndef TN_POSIX_LISTEN_H
#define TN_POSIX_LISTEN_H

#include "host/posix/dial.h"

struct tn_listener;

/* A connection came: fd is yours, non-blocking, close-on-exec; `peer` names it for logs, borrowed for the call. */
typedef void tn_accepted_fn(void *arg, int fd, const char *peer);

/*
 * Listens at `dial` (a tcp! or unix! one) and calls `accepted` for each connection until tn_listener_free. A host's name
 * is looked up now, which may wait: listen before the loop serves anybody. A unix socket's file that nobody listens at
 * any more is replaced. NULL: *err and words say what, where and why.
 */
struct tn_listener *tn_listener_new(struct tn_host_loop *h, const char *dial,
    tn_accepted_fn *accepted, void *arg, enum tn_err *err, char words[TN_WORDS_SIZE]);

/* The same for a socket that listens already; taken. */
struct tn_listener *tn_listener_of_fd(struct tn_host_loop *h, int fd, tn_accepted_fn *accepted,
    void *arg, enum tn_err *err, char words[TN_WORDS_SIZE]);

/* Listens no more; removes the file of a unix socket that it made, if it is still that file. Takes NULL. */
void tn_listener_free(struct tn_listener *l);

/* Where it listens, as a dial string with the port that it got. Borrowed. */
const char *tn_listener_address(const struct tn_listener *l);

/*
 * Socket activation, sd_listen_fds(3): how many descriptors from 3 on were handed to this process; 0: none. The
 * variables are gone afterwards. They become close-on-exec.
 */
int tn_listen_fds(void);

/* The descriptor is a socket that listens (else, of those above: a connection). */
bool tn_fd_listens(int fd);

/* The peer of a connected socket for logs: "tcp!127.0.0.1!40012", "unix!", "fd!" for what is no socket. */
void tn_fd_peer(int fd, char *buf, size_t size);

#endif
