/*
 * What the two halves of #cmd share: a directory and its command. cmd.c has the tree and the streams, cmdctl.c the lines of
 * ctl.
 */
#ifndef TN_FS_CMD_IN_H
#define TN_FS_CMD_IN_H

#include "core/mem.h"
#include "core/server.h"
#include "fs/cmd.h"

enum file { DIR, CTL, DATA, STDERR, STATUS, WAIT, FILES };

/* A directory. What can be done is a question of its state: a command is run once. */
enum state { NEW, STARTING, RUNNING, ENDED };

struct tn_cmd_run {
	struct tn_cmd_run *next;
	struct cmd *cmd;
	uint64_t number;
	uint32_t opens, writers; /* open files; of them, data for writing */
	enum state state;
	int nice;
	struct tn_user *user;   /* counted; who cloned it */
	void *process;          /* the host's, once it was started; NULL: none */
	struct tn_req *starter; /* the write of `exec`, kept until the command runs */
	struct tn_req *waiters; /* reads of `wait`, by next */
	char *dir, *name;       /* where, and its first word; NULL: not said */
	char *end;              /* what wait gives; NULL: not yet */
	size_t end_len;
};

struct cmd {
	struct tn_server s; /* first: a server is its cmd */
	struct tn_cmd_host host;
	struct tn_cmd_run *first;
	uint64_t number; /* the last one given */
	uint32_t n;
	int64_t made_ns;
};

static inline bool cmd_is_named(struct tn_str s, const char *name)
{
	size_t len = tn_strlen(name);

	return s.len == len && memcmp(s.s, name, len) == 0;
}

/* A write to ctl, or to the ctl that an open of clone became. */
enum tn_status cmd_ctl_write(struct tn_req *r, struct tn_cmd_run *run);

#endif
