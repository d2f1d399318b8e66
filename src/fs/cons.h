/*
 * #cons: the console and the small devices. cons(3). What of it is the machine's comes from the host by callbacks.
 */
#ifndef TN_FS_CONS_H
#define TN_FS_CONS_H

#include "core/server.h"

#define TN_CONS_LOG_BYTES 65536u /* what a log keeps if not told otherwise */

/* The lines that a node has logged, the last of them: what `kmesg` shows and `console` follows. Counted. */
struct tn_cons_log;

struct tn_cons_log *tn_cons_log_new(
    uint32_t bytes); /* to keep; 0: TN_CONS_LOG_BYTES. NULL: no memory */
struct tn_cons_log *tn_cons_log_get(struct tn_cons_log *log);
void tn_cons_log_put(struct tn_cons_log *log); /* takes NULL. Any thread */

/* Adds a line, without its newline. Any thread. For the host's tn_log. */
void tn_cons_log_line(struct tn_cons_log *log, const char *text, size_t len);

/*
 * All may be NULL. A read or write is given the request itself, which may be kept; when such a one is flushed `flush`
 * gets it. The strings stay as long as the server.
 *
 * read     `cons`: bytes from the keyboard. NULL: end of file.
 * write    `cons`: bytes to the screen. NULL: they are lines for the node's log (tn_log).
 * pid      Of a requester whose request does not tell: NULL, 0.
 */
struct tn_cons_host {
	void *arg;
	enum tn_status (*read)(void *arg, struct tn_req *r);
	enum tn_status (*write)(void *arg, struct tn_req *r);
	void (*flush)(void *arg, struct tn_req *r);
	uint32_t (*pid)(void *arg);
	const char *sysname;     /* NULL: "tenon" */
	struct tn_cons_log *log; /* counted anew; NULL: `console` and `kmesg` are empty */
};

/* One reference; *host is copied. NULL: no memory. */
struct tn_server *tn_cons_new(struct tn_loop *home, const struct tn_cons_host *host);

#endif
