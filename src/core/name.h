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
	TN_FOR_ACCESS, /* stat, wstat, bind's source: it is crossed; members, is_mount say what was there */
	TN_FOR_REMOVE, /* remove, rename: refused with TN_EISMOUNT at a mount point; the Chan is nobody else's */
	TN_FOR_OPEN, /* crossed and opened with flags; a union directory becomes one Chan that reads them all */
	TN_FOR_CREATE /* namespace-semantics.md 7: opened with OTRUNC if it exists, else created where the rule says */
};

/*
 * One resolution: embedded in whatever needs it. Zero it, fill the first part, call tn_name_start; when it says TN_LATER,
 * `done` is called later, on the loop; else the result is there. Then take or put the Chan and call tn_name_fini. The
 * name space is the one that proc has at the start.
 */
struct tn_name {
	/* ---- the question ---- */
	struct tn_proc *proc; /* borrowed until the end */
	struct tn_str name;   /* borrowed until the end, but see keep */
	enum tn_name_for want;
	/* Start here instead of at `/`, `.` or a device: the name is elements only. Borrowed; or NULL. */
	struct tn_chan *from;
	uint16_t root_depth; /* with from: ".." does not go above a path of so many elements */
	/* With from: where symbolic links to absolute names begin. Borrowed; NULL: from itself. */
	struct tn_chan *root;
	/* With from: the elements one by one, instead of name. Borrowed likewise; or NULL. */
	const struct tn_str *elems;
	uint32_t n_elems;
	uint32_t flags; /* TN_OF bits for open, create; TN_OF_NOFOLLOW for all */
	uint32_t perm;  /* create */
	bool has_gid;   /* create: the new file's group is gid; else the directory's */
	uint32_t gid;
	bool follow;        /* symbolic links, by the names of the name space; the servers do not */
	bool no_cross;      /* cross no mount point at all, as below `#` */
	bool wrap_listing;  /* open: union.h lists any directory; one listing at a time */
	bool plain_listing; /* open: entries that are mount points stay as they are */
	struct tn_user *user; /* who asks, borrowed until the end; NULL: proc's */
	uint64_t deadline_ns; /* 0: the servers' own bounds */
	uint32_t pid;         /* who asks, for requests */
	void (*done)(struct tn_name *n);
	/* It will wait: move name, elems to where they stay. false: no memory. NULL: they stay. */
	bool (*keep)(struct tn_name *n);
	/* Element i was walked: there, behind the mount point if it is one, is `qid`. Or NULL. */
	void (*seen)(struct tn_name *n, uint32_t i, struct tn_server *server,
	    const struct tn_qid *qid);
	void *arg;

	/* ---- the answer ---- */
	enum tn_err err;
	char *words; /* a server's own text, or NULL */
	/*
	 * Counted; the caller takes it by setting this NULL. FOR_TARGET, FOR_ACCESS: others may hold it too, so it
	 * must not be opened or removed.
	 */
	struct tn_chan *chan;
	/*
	 * Counted; the name. It is chan->path, but for FOR_ACCESS at a mount point: there chan is the first member
	 * itself, and its path the name by which that was bound.
	 */
	struct tn_path *path;
	struct tn_members *members; /* FOR_ACCESS: what is mounted there, counted; or NULL */
	/* When the last run was one element: the directory, of a union the member, that has it. Counted; or NULL. */
	struct tn_chan *dir;
	/* The last element is a symbolic link, which was followed: the link itself. Counted; or NULL. */
	struct tn_chan *link;
	bool is_mount;   /* the last element is a mount point: remove and rename are refused */
	bool existed;    /* FOR_CREATE: it was there, and was truncated */
	uint32_t iounit; /* FOR_OPEN, FOR_CREATE: the server's; 0: none */
	uint32_t n_good; /* elements that were walked before the error: for messages */

	/* ---- how far it is: src/core/name.c ---- */
	struct tn_req req;
	struct tn_name_walk {
		uint32_t at;     /* bytes of name, or elements of elems, that are done */
		uint32_t run_at; /* the same: where the run that is being walked begins */
		uint8_t step;
		bool flushed, kept, must_dir, again;
		bool looking;    /* FOR_CREATE: looks for the last element */
		uint8_t n_links; /* followed so far */
		uint16_t n_names;
		uint16_t missed;  /* what a member of the union said that was passed over */
		uint32_t member;  /* which of the union is being tried */
		uint32_t spec_at; /* where in name the attach name of a device begins */
		uint64_t serial;  /* of the head, when list is set */
		uint32_t text_len;
		uint32_t
		    link_len; /* bytes of text that are a link's target; 0: not inside of one */
		char *text;   /* instead of name: a link's target and what was behind the link */
		char *target; /* what a link says */
		struct tn_ns *ns;
		struct tn_chan *top;     /* where absolute names begin */
		struct tn_chan *cur;     /* where it is; with list: what lies under that */
		struct tn_path *path;    /* the name of that */
		struct tn_members *list; /* crossed: what is mounted there */
		struct tn_chan *next;    /* what a request is to fill */
		struct tn_str names[TN_WNAME_MAX];
		struct tn_qid qids[TN_WNAME_MAX];
	} w;
};

enum tn_status tn_name_start(struct tn_name *n);
void tn_name_flush(struct tn_name *n); /* ends soon with TN_EINTR, or as it would have */
void tn_name_fini(struct tn_name *n);  /* puts what is left of the answer */

/* The connection to a server is down, or does not answer: not a word about the file. */
bool tn_err_is_down(enum tn_err err);

#endif
