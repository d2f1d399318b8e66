/*
 * What the files of the view share: viewop.c has what all requests have in common, view.c the server and what reaches
 * and opens files, viewname.c changes, viewdir.c listings.
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
	uint64_t link_next;      /* the offset behind it */
	uint64_t raw_next;       /* of a link that leads nowhere: given as it is */
	struct tn_chan *asked;   /* whose stat is asked for; counted */
	struct tn_view_fan *fan; /* TN_WATCH of a union: viewwatch.c */
	struct tn_name name;
};

static inline struct op *tn_view_op_of(struct tn_pass *p)
{
	return (struct op *)p; /* pass is first */
}

static inline struct view *tn_view_of(const struct tn_server *s)
{
	return (struct view *)(uintptr_t)s;
}

static inline struct fid *tn_view_fid(const struct tn_chan *c)
{
	return c->aux.p;
}

static inline enum tn_status tn_view_refuse(struct op *o, enum tn_err err)
{
	return tn_fail(o->outer, err);
}

/* What the name led to, no longer its own. */
static inline struct tn_chan *tn_view_take_chan(struct tn_name *n)
{
	struct tn_chan *c = n->chan;

	n->chan = NULL;
	return c;
}

static inline bool tn_view_is_root(const struct fid *f)
{
	return f->at->path->depth <= f->root->path->depth;
}

/* Spare ones, or new ones; zeroed. NULL: no memory. An op is its request's keeper. */
struct fid *tn_view_fid_new(struct view *v);
void tn_view_fid_free(struct view *v, struct fid *f);
struct op *tn_view_op_new(struct view *v, struct tn_req *r);
void tn_view_op_free(struct op *o);

/* For whom the servers behind are asked. NULL: nobody that is known. */
static inline struct tn_user *tn_view_asker(const struct op *o)
{
	const struct tn_req *r = o->outer;

	if (!o->v->options.as_asker)
		return o->v->proc->user;
	if (r->type == TN_ATTACH && !r->user)
		return r->u.attach.newchan->user;
	return r->user;
}

/* The number by which the view shows a file of the server. */
struct tn_qid tn_view_qid(const struct view *v, const struct tn_server *s, struct tn_qid qid);

struct tn_qid tn_view_unique(const struct view *v, struct tn_chan *c);

bool tn_view_is_mount(const struct op *o, const struct tn_chan *c);

/* What the fid shows now: what was opened, or what is mounted there, or its file. Counted. */
struct tn_chan *tn_view_shown(const struct op *o, const struct fid *f);

/* Where in the directory of f files are made: namespace-semantics.md 7. Counted; NULL: *err. */
struct tn_chan *tn_view_maker(const struct op *o, const struct fid *f, enum tn_err *err);

/*
 * Passes outer on to o->held. TN_DONE: outer is answered. TN_LATER: o->passed goes on then.
 */
enum tn_status tn_view_pass(struct op *o);

/* The same when both Chans are known, held2 may be NULL: a server does it alone or not at all. */
enum tn_status tn_view_pass_both(struct op *o);

/* The op goes on after a wait: o->then is called, or outer is told of its answer. */
void tn_view_resume(struct op *o);

/* Prepares the resolution of outer's names from `from`; and begins it: TN_DONE: it is done, or outer was flushed. */
struct tn_name *tn_view_name(struct op *o, struct tn_chan *from, enum tn_name_for want);
enum tn_status tn_view_resolve(struct op *o, enum tn_status (*then)(struct op *o));

/* The same, and `then`, now or later. */
enum tn_status tn_view_look_up(struct op *o, enum tn_status (*then)(struct op *o));

/* The error of the resolution becomes outer's. */
enum tn_status tn_view_refuse_as_name(struct op *o);

/* What serves a request. do_shown: whatever goes to the file that the fid shows. */
enum tn_status tn_view_do_shown(struct op *o);
enum tn_status tn_view_readdir(struct op *o);
enum tn_status tn_view_wstat(struct op *o);
enum tn_status tn_view_remove(struct op *o);
enum tn_status tn_view_rename(struct op *o);
enum tn_status tn_view_make(struct op *o);
enum tn_status tn_view_watch(struct op *o);
void tn_view_watch_flush(struct op *o); /* with o->fan */

#endif
