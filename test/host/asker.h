/*
 * A client of a file server for tests: each call makes a request, submits it and turns the loop until it is answered.
 */
#ifndef TEST_ASKER_H
#define TEST_ASKER_H

#include "core/chan.h"
#include "host/posix/loop.h"

#define ASK_NAMES_MAX 32

struct ask_entry {
	char name[256];
	struct tn_qid qid;
	uint32_t mode;
	uint64_t next;
};

/* The last answer. */
struct ask {
	struct tn_req r; /* first */
	bool done;
	struct tn_stat st;
	char name[256], uid[64], extension[256];
	struct tn_qid qids[ASK_NAMES_MAX];
	unsigned n_qids;
	void (*each)(void *arg, const struct ask_entry *e); /* of a listing */
	void *arg;
	unsigned n_entries, entries_max;
	uint64_t next;
};

extern struct ask ask;
extern struct tn_loop *ask_loop;
extern uint32_t ask_flags; /* put into every request: TN_OF_NOFOLLOW */

struct tn_chan *ask_attach(struct tn_server *s, const char *aname); /* NULL: ask.r.err */
/* "a/b/.." from c. NULL: not all of it was walked; ask.n_qids says how far. */
struct tn_chan *ask_walk(struct tn_chan *c, const char *path);
enum tn_err ask_open(struct tn_chan *c, uint32_t flags);
enum tn_err ask_create(struct tn_chan *c, const char *name, uint32_t perm, uint32_t flags);
int64_t ask_read(struct tn_chan *c, void *buf, uint32_t count,
    uint64_t offset); /* negative: -err */
int64_t ask_write(struct tn_chan *c, const void *buf, uint32_t count, uint64_t offset);
enum tn_err ask_stat(struct tn_chan *c); /* into ask.st, ask.name, ... */
enum tn_err ask_wstat(struct tn_chan *c, const struct tn_stat *st);
enum tn_err ask_remove(struct tn_chan *c);
/* Entries from offset on, at most `max`; ask.next is where to go on. */
enum tn_err ask_list(struct tn_chan *c, uint64_t offset, unsigned max,
    void (*each)(void *arg, const struct ask_entry *e), void *arg);
/* The first of them without TN_OF_STATS. */
enum tn_err ask_names(struct tn_chan *c, unsigned max,
    void (*each)(void *arg, const struct ask_entry *e), void *arg);
/* Any other request: ask.r is filled by the caller behind ask_begin. */
void ask_begin(enum tn_req_type type, struct tn_chan *c);
enum tn_err ask_send(void);
/* The same without waiting: true if it was kept. ask_wait for its end. */
bool ask_start(void);
enum tn_err ask_wait(void);
/* Drops c and lets the loop clunk it. */
void ask_put(struct tn_chan *c);
/* The whole content, terminated; the error as "!NAME". */
const char *ask_cat(struct tn_chan *from, const char *path);
struct tn_str ask_str(const char *s);

#endif
