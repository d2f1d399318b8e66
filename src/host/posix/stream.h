/*
 * A transport for a stream's engine (link/stream.h) over descriptors: a socket, a pair of pipes, standard input and
 * output. Readiness by uv_poll, bytes by our own read and writev: what came in one read is served in a row and leaves
 * in one gathered write.
 */
#ifndef TN_POSIX_STREAM_H
#define TN_POSIX_STREAM_H

#include "host/posix/loop.h"
#include "link/stream.h"

struct tn_transport;

/*
 * Joins a transport to `engine`, which has none: bytes move until the peer closes, the engine wants it closed (what it
 * has to say is sent first, within a few seconds) or is gone. Then the descriptors are closed and `closed` is called
 * once, never from inside this call, with the cause of the end: TN_OK end of file or the engine's own wish.
 *
 * read_fd, write_fd  Taken, also on an error; may be the same number. Made non-blocking; blocking again at the end.
 * Returns            TN_OK, TN_ENOMEM; TN_EBADFD no descriptor that can be read or written; TN_EIO.
 */
enum tn_err tn_transport_join(struct tn_host_loop *h, struct tn_stream *engine, int read_fd,
    int write_fd, void (*closed)(void *arg, enum tn_err why), void *arg);

/* TCP: no delay for small messages, and a peer that is gone without a word is noticed. Other sockets: nothing. */
void tn_socket_tune(int fd);

#endif
