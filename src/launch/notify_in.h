/*
 * The inside of notify.h.
 */
#ifndef TN_LAUNCH_NOTIFY_IN_H
#define TN_LAUNCH_NOTIFY_IN_H

#include "launch/notify.h"

enum {
	FOLLOWS_MAX = 1024, /* directories; those beyond are not followed */
	EVENTS_MAX =
	    16384, /* changes that wait to be raised: as many as inotify keeps for a program */
	SLOT_NONE = -1
};

/* A node as a process's inotify names it: its number here and its generation. Nobody's word until it was looked up. */
struct launch_mark {
	uint64_t ino;
	uint32_t generation;
};

/* ---- watchers.c ---- */

struct launch_watchers;
struct launch_watchers *launch_watchers_new(struct launch_notify *n, dev_t device);
void launch_watchers_free(struct launch_watchers *w);
void launch_watchers_asked(struct launch_watchers *w, pid_t pid);

/* A line of /proc/PID/fdinfo: does it name a file of `device`? */
bool launch_mark_parse(const char *line, dev_t device, struct launch_mark *mark);

/* notify.c: what is watched now, by all. */
void launch_notify_wanted(struct launch_notify *n, const struct launch_mark *marks, size_t count);

/* ---- notify.c ---- */

struct launch_target;

/* A directory that is followed. Counted: the list, its requests, its events. */
struct launch_follow {
	struct launch_follow *next;
	uint32_t refs;
	struct launch_notify *n;
	struct launch_node *node;      /* counted */
	struct launch_target *targets; /* one a member */
	uint64_t ns_version;           /* for which they were looked up */
	uint64_t again_ns;             /* a server said no: not before */
	struct stat attr;              /* of the directory, for the child's permissions */
	int slot;                      /* where the child has it open */
	bool wanted, direct;           /* by the last look; itself, not only for one of its names */
	bool begun;                    /* a server tells of it */
	bool lost;                     /* more came than is kept: to be told */
	bool resolving, ended, cannot; /* cannot: the child does not get there */
};

struct launch_event {
	struct launch_event *next, *prev;
	struct launch_follow *follow, *to; /* counted; `to`: of a rename within what is followed */
	const void *source;                /* whose `pair` it is */
	uint64_t at_ns;
	uint32_t pair;
	uint8_t what; /* enum tn_change_what */
	bool is_dir;
	char *newname; /* behind name; NULL: none */
	char name[];
};

struct launch_raiser;

enum { DYING_MAX = 8 };

struct launch_notify {
	struct launch_fuse *f;
	struct launch_bare bare;
	struct launch_watchers *watchers;
	struct launch_mark *marks; /* by number */
	size_t n_marks;
	struct launch_follow *follows;
	uint32_t n_follows;
	struct launch_event *first, *last; /* to be raised */
	uint32_t n_events;
	struct launch_raiser *raiser;       /* while there is something to raise or a child */
	struct launch_echo *echoes, *taken; /* taken: of the operation that is about to begin */
	uint32_t n_echoes;
	uint64_t again_ns;      /* there can be no child; not before */
	pid_t dying[DYING_MAX]; /* children that were ended and have not been reaped */
	struct launch_suspect *suspects;
	uint32_t n_suspects;
	struct tn_timer suspect_timer;
	struct tn_timer timer;          /* half a rename waits for the other half */
	struct launch_fuse_stats stats; /* its part */
	bool stopped;
};

void launch_follow_put(struct launch_follow *w); /* takes NULL */
void launch_follow_known(struct launch_follow *w);
void launch_event_free(struct launch_event *e);

/* The next event; NULL: none that is ripe. The caller's. */
struct launch_event *launch_notify_next(struct launch_notify *n);

/* All of them: they cannot be raised. */
void launch_notify_drop(struct launch_notify *n);

/* To be raised. */
void launch_notify_put(struct launch_notify *n, struct launch_follow *w, const struct tn_change *c);

/* ---- suspect.c ---- */

/* A change of a file's bytes or attributes that is an echo, and perhaps more. */
void launch_suspect(struct launch_notify *n, struct launch_follow *w, const struct tn_change *c);
void launch_suspect_known(struct launch_op *op);
void launch_suspects_free(struct launch_notify *n);

/* ---- echo.c ---- */

/* Is it what a program in here has just done? Then the kernel has raised it. */
bool launch_echo_is(struct launch_notify *n, struct launch_node *dir, const struct tn_change *c);
void launch_echoes_free(struct launch_notify *n);

/* ---- raise.c ---- */

void launch_raise(struct launch_notify *n);        /* there are events */
void launch_raise_closed(struct launch_follow *w); /* it is not followed any more */
void launch_raise_known(struct launch_op *op);     /* what was asked for it is over */
void launch_raise_rest(struct launch_notify *n);   /* nothing is: the child ends */
void launch_raiser_reap(struct launch_notify *n);  /* fuse's session has ended */

#endif
