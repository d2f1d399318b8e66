/*
 * What the files of #proc share: proctext.c reads /proc and has what the files say, procfs.c is the server.
 */
#ifndef TN_POSIX_PROCFS_IN_H
#define TN_POSIX_PROCFS_IN_H

#include "host/posix/hostfs_in.h"
#include "host/posix/procfs.h"
#include "host/posix/work.h"

enum what { ROOT, DIRECTORY, ARGS, CTL, FD, NS, STATUS, WHATS };

struct procfs {
	struct tn_server server; /* first */
	struct tn_procfs_options o;
	struct tn_work *work;
	struct hf_owners *owners;
};

/* Which process. start: in ticks since the machine started. */
struct process {
	uint32_t pid;
	uint64_t start;
};

struct text {
	char *s;
	size_t len, size;
	bool failed; /* no memory */
};

struct file {
	enum what what;
	struct process process;
	bool open;
	char *text;
	size_t len;
};

/* What makes an open file's text. Its own, for the worker. */
struct snap {
	struct tn_job job; /* first */
	struct procfs *fs;
	struct tn_req *r; /* NULL: flushed */
	enum what what;
	struct process process;
	struct text text;
	enum tn_err err;
};

/* The process of that number as it is now. false: there is none. */
bool pf_find(uint32_t pid, struct process *p);
bool pf_is_there(const struct process *p);
bool pf_owner(uint32_t pid, struct stat *st);

/* Makes the text of s->what, or s->err. On a worker. */
void pf_put(struct snap *s);

#endif
