/*
 * Setting up: what S does before it serves, and what CMD does between its fork and its exec. Both are straight lines of
 * system calls in the order of the design's recipe; each failure is a step and an errno. No thread may exist in either.
 */
#ifndef TN_LAUNCH_ENTER_H
#define TN_LAUNCH_ENTER_H

#include "launch/step.h"

/* What S has made. Descriptors are close-on-exec; -1: none. */
struct tn_entered {
	int user_ns;       /* U; -1: root, without a user name space */
	int mnt_ns;        /* M0: what the host sees */
	int fuse;          /* /dev/fuse, not yet mounted */
	enum tn_step step; /* what failed */
	int error;
};

/*
 * Makes U (unless the caller may do without) and M0 for the calling process and opens /dev/fuse. In U the process keeps
 * no more capabilities than a live change needs: #host must not do what the user may not. false: e->step, e->error.
 */
bool tn_enter_server(struct tn_entered *e);

/* CMD: everything is borrowed and never given back. */
struct tn_command {
	char *const *argv; /* terminated by NULL; searched in PATH inside the new name space */
	int user_ns, mnt_ns, fuse;
	int pid_ns; /* joins: to begin CMD in; -1: none */
	int children; /* the keeper's list of children (sweep.h); -1: pid 1 has none, the kernel ends all */
	int server; /* a socket to S */
	int report; /* a socket to the front, close-on-exec: INSIDE, then FAILED or the end of file */
	int front_life;  /* --pids, joins: sockets whose other ends only front and S have; */
	int server_life; /* -1 without --pids */
	bool read_only;
	bool pids;
	bool joins; /* mnt_ns is M1 and stands: join.h */
};

/* Enters U and M0, makes M1, builds it with S's help, and execs. Never returns. */
_Noreturn void tn_enter_command(const struct tn_command *c);

/* Steps of it, for --pids and the probes of doctor: each returns an errno or 0. */
int tn_enter_mount_fuse(const char *dir, int fuse);
int tn_enter_pivot(const char *dir);
int tn_enter_read_only(const char *name);

/* exec, or the failure on c->report. */
_Noreturn void tn_enter_exec(const struct tn_command *c);

/* Writes text into a file of /proc. An errno or 0. */
int tn_enter_write(const char *name, const char *text);

/* /proc/self/{setgroups,uid_map,gid_map}: only oneself, as oneself. 0, or an errno and *step. */
int tn_enter_map_self(uid_t uid, gid_t gid, enum tn_step *step);

#endif
