/*
 * Names to Chans: Plan 9's namec as a state machine that waits for nobody and recurses on nothing. Whole runs of
 * elements go into one walk (16 at most, up to the next ".."); the qids that come back are held against the mount
 * heads, and the run is cut at the first that is one. namespace-semantics.md 4, 5, 7.
 */
#ifndef TN_CORE_NAME_H
#define TN_CORE_NAME_H

#include "core/proc.h"

enum tn_name_for {
	TN_FOR_TARGET, /* bind's and mount's new, chdir: the last mount point is not crossed */
	TN_FOR_ACCESS, /* stat, wstat, remove, bind's source: it is crossed; members, is_mount say what was there */
	TN_FOR_OPEN,   /* crossed and opened with flags; a union directory becomes one Chan that reads them all */
	TN_FOR_CREATE  /* namespace-semantics.md 7: opened with OTRUNC if it exists, else created where the rule says */
};

/*
 * One resolution: embedded in whatever needs it. Fill the first part, call tn_name_start; when it says TN_LATER,
 * `done` is called later, on the loop; else the result is there. Then take or put the Chan and call tn_name_fini.
 */
struct tn_name {
	/* the question */
	struct tn_proc *proc;     /* borrowed until the end */
	struct tn_chan *from;     /* start here instead of `/`, `.` or `#`: the name is elements only; borrowed; or NULL */
	uint16_t root_depth;      /* with from: ".." does not go above a path of so many elements */
	struct tn_str name;       /* borrowed until the end */
	enum tn_name_for want;
	uint32_t flags;           /* TN_OF bits for open, create; TN_OF_NOFOLLOW for all */
	uint32_t perm;            /* create */
	bool no_cross;            /* cross no mount point at all, as below `#` */
	uint64_t deadline_ns;     /* 0: the servers' own bounds */
	uint32_t pid;             /* who asks, for requests */
	void (*done)(struct tn_name *n);
	void *arg;

	/* the answer */
	enum tn_err err;
	char *words;              /* a server's own text, or NULL */
	struct tn_chan *chan;     /* counted; the caller takes it by setting this NULL */
	struct tn_members *members; /* FOR_ACCESS: what is mounted there, or NULL */
	bool is_mount;            /* the last element is a mount point: remove and rename are refused */
	bool existed;             /* FOR_CREATE: it was there, and was truncated */
	uint32_t n_good;          /* elements that were walked before the error: for messages */

	/* how far it is: src/core/name.c */
	struct tn_req req;
	struct tn_name_walk {
		uint32_t at;          /* bytes of name that are done */
		uint8_t step;
		bool crossed, must_dir;
		uint16_t n_names;
		uint32_t member;      /* which of the union is being tried */
		struct tn_chan *cur;
		struct tn_members *list;
		struct tn_str names[TN_WNAME_MAX];
		struct tn_qid qids[TN_WNAME_MAX];
	} w;
};

enum tn_status tn_name_start(struct tn_name *n);
void tn_name_flush(struct tn_name *n); /* ends soon with TN_EINTR, or as it would have */
void tn_name_fini(struct tn_name *n);  /* puts what is left of the answer */

#endif
