/*
 * Descriptors of programs as files: reads and writes that may wait for ever (a terminal, a pipe, a socket), made by
 * workers and ended by a flush. For #cons (standard input and output) and #fd.
 */
#ifndef TN_POSIX_FDIO_H
#define TN_POSIX_FDIO_H

#include "core/server.h"

struct tn_fdio;

/* NULL: no memory. free: every request is answered; calls that were flushed may still hang. Takes NULL. */
struct tn_fdio *tn_fdio_new(struct tn_loop *loop);
void tn_fdio_free(struct tn_fdio *f);

/*
 * Answer r, a TN_READ or TN_WRITE, from fd, which is this program's and stays its: r is kept. A plain file is read and
 * written at r's offset, everything else as it comes.
 */
enum tn_status tn_fdio_read(struct tn_fdio *f, struct tn_req *r, int fd);
enum tn_status tn_fdio_write(struct tn_fdio *f, struct tn_req *r, int fd);

/* Answers r, which one of these has kept, with TN_EINTR, now. What it read is lost; what it wrote may be written. */
void tn_fdio_flush(struct tn_fdio *f, struct tn_req *r);

/*
 * #fd: the descriptors of the process that asks (r->pid). Of a peer that is none of this machine, or does not tell: 0, 1
 * and 2 of this program, and no others, which are its own connections. f lives longer. NULL: no memory.
 */
struct tn_server *tn_descriptors_new(struct tn_loop *loop, struct tn_fdio *f);

#endif
