/*
 * What view.c and viewdir.c share.
 */
#ifndef TN_CORE_VIEW_IN_H
#define TN_CORE_VIEW_IN_H

#include "core/nameset.h"
#include "core/pass.h"
#include "core/view.h"

/* What a Chan of the view stands for: its aux. */
struct fid {
	struct fid *next;        /* spare */
	struct tn_chan *at;      /* counted */
	struct tn_chan *open;    /* counted, or NULL */
	uint8_t depth;           /* views that it leads through, this one counted */
	struct tn_chan *root;    /* of its attach; counted */
	struct tn_chan *link;    /* the symbolic link that was followed to at; counted, or NULL */
	struct tn_nameset given; /* by a listing without duplicates */
};

struct view {
	struct tn_server s; /* first: a server is its view */
	struct tn_proc *proc;
	struct tn_chan *root;
	struct tn_view_options options;
	struct fid *fids; /* spare */
	struct op *ops;   /* the same */
	uint32_t n_fids, n_ops;
};

/* A request that the view serves. */
struct op {
	struct tn_pass pass;
	struct view *v;
	struct op *next; /* spare */
	struct tn_req *outer;
	struct fid *fid;
	/* The name is resolved: goes on, as an operation does. */
	enum tn_status (*then)(struct op *o);
	/* Goes on when what was passed on is answered later. NULL: that is all. */
	enum tn_status (*passed)(struct op *o);
	struct tn_chan *held, *held2; /* what a request was passed on to */
	bool kept;                    /* outer was */
	bool by_name;                 /* name is in use */
	bool answered;                /* outer only has to be told */
	/* a listing that is not simply passed on: viewdir.c */
	uint8_t step;
	bool full, at_link;
	uint32_t n_entries, n_given;
	uint64_t read_at; /* the offset behind what was given or passed over */
	uint64_t serial;  /* of the head that is shown */
	struct tn_str
	    link; /* the name of an entry that is a symbolic link, or len 0; freed by the op */
	uint64_t link_next;    /* the offset behind it */
	uint64_t raw_next;     /* of a link that leads nowhere: given as it is */
	struct tn_chan *asked; /* whose stat is asked for; counted */
	struct tn_name name;
};

static inline struct op *tn_view_op_of(struct tn_pass *p)
{
	return (struct op *)p; /* pass is first */
}

/* The number by which the view shows a file of the server. */
struct tn_qid tn_view_qid(const struct view *v, const struct tn_server *s, struct tn_qid qid);

/*
 * Passes outer on to o->held. TN_DONE: outer is answered. TN_LATER: o->passed goes on then.
 */
enum tn_status tn_view_pass(struct op *o);

/* The op goes on after a wait: o->then is called, or outer is told of its answer. */
void tn_view_resume(struct op *o);

/* Prepares the resolution of outer's names from `from`; and begins it: TN_DONE: it is done, or outer was flushed. */
struct tn_name *tn_view_name(struct op *o, struct tn_chan *from, enum tn_name_for want);
enum tn_status tn_view_resolve(struct op *o, enum tn_status (*then)(struct op *o));

/* TN_READDIR. */
enum tn_status tn_view_readdir(struct op *o);

#endif
