/*
 * From one file of #host to another: attach and walk, in runs of names between one ".." and the next.
 */
#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- attach ---- */

static void attach_to(struct hf_act *a, struct hf_place *place)
{
	struct hf_file *f = hf_file_new(a->hf, place);

	if (!f) {
		tn_fail(a->r, TN_ENOMEM);
		return;
	}
	a->r->u.attach.newchan->aux.p = f;
	a->r->u.attach.newchan->qid = hf_qid(a->hf, place->inode, &a->meta);
}

static void settle_attach_root(struct hf_act *a)
{
	if (a->err)
		hf_fail(a);
	else if (a->r)
		attach_to(a, a->hf->root);
}

static void settle_attach(struct hf_act *a)
{
	struct hf_found *found = &a->walk.found[0];
	struct hf_place *root;

	if (a->err) {
		if (a->r)
			tn_fail(a->r,
			    a->err == ENOENT || a->err == ENOTDIR ? TN_EBADATTACH : hf_err(a->err));
		return;
	}
	if (!a->r) {
		close(found->fd);
		return;
	}
	a->meta = found->meta;
	root = hf_place_root(a->hf, found);
	if (!root) {
		tn_fail(a->r, TN_ENOMEM);
		return;
	}
	attach_to(a, root);
	hf_place_put(a->hf, root);
}

enum tn_status hf_attach(struct tn_req *r)
{
	struct hf *hf = hf_of(r);
	struct tn_str aname = r->u.attach.aname;
	struct hf_act a;

	hf_act_init(&a, hf, r);
	if (a.stranger)
		return tn_fail(r, TN_EUSERS);
	a.id = hf->root->inode->id;
	a.slow = hf->root->slow;
	a.gen_by = hf->root->gen_by;
	hf_act_pin(&a, hf->root, &a.fd); /* a root has its descriptor */
	while (aname.len > 0 && aname.s[0] == '/') {
		aname.s++;
		aname.len--;
	}
	if (aname.len >= sizeof(a.text) || memchr(aname.s ? aname.s : "", 0, aname.len))
		return hf_act_refuse(&a, TN_EBADATTACH);
	if (aname.len == 0) {
		a.act = hf_act_look;
		a.settle = settle_attach_root;
	} else {
		memcpy(a.text, aname.s, aname.len);
		a.text[aname.len] = 0;
		a.act = hf_act_attach;
		a.settle = settle_attach;
	}
	return hf_act_run(&a);
}

/* ---- walk ---- */

/* A name that can be asked for: the kernel never sees another. */
enum tn_err hf_copy_name(char to[HF_NAME_SIZE], struct tn_str name)
{
	if (name.len >= HF_NAME_SIZE)
		return TN_ENAMETOOLONG;
	if (name.len == 0 || memchr(name.s, '/', name.len) || memchr(name.s, 0, name.len))
		return TN_EBADCHAR;
	memcpy(to, name.s, name.len);
	to[name.len] = 0;
	return strcmp(to, ".") == 0 || strcmp(to, "..") == 0 ? TN_EBADCHAR : TN_OK;
}

static bool is_up(struct tn_str name)
{
	return name.len == 2 && name.s[0] == '.' && name.s[1] == '.';
}

/* The names from where the walk is to the next "..", 16 at most, or to one that no file can have. */
static void fill_run(struct hf_act *a, const struct tn_req *r)
{
	a->walk.n = a->walk.done = 0;
	a->bad_name = TN_OK;
	for (uint32_t i = a->n_walked; i < r->u.walk.n_names && a->walk.n < TN_WNAME_MAX; i++) {
		enum tn_err err;

		if (is_up(r->u.walk.names[i]))
			return;
		err = hf_copy_name(a->walk.names[a->walk.n], r->u.walk.names[i]);
		if (err) {
			a->bad_name = err == TN_ENAMETOOLONG ? err : TN_ENOENT;
			return;
		}
		a->walk.n++;
	}
}

static void walk_to(struct hf_act *a, struct hf_place *place)
{
	hf_place_put(a->hf, a->at);
	a->at = place;
}

/* Places for what was found, and their qids. */
static enum tn_err take_found(struct hf_act *a)
{
	enum tn_err err = TN_OK;

	for (uint16_t i = 0; i < a->walk.done; i++) {
		struct hf_found *found = &a->walk.found[i];
		struct hf_place *place;

		if (!a->r || err) {
			close(found->fd);
			continue;
		}
		place = hf_place_take(a->hf, a->at, a->walk.names[i], found);
		if (!place) {
			err = TN_ENOMEM;
			continue;
		}
		a->r->u.walk.qids[a->n_walked++] = hf_qid(a->hf, place->inode, &found->meta);
		walk_to(a, place);
	}
	a->walk.done = 0;
	return err;
}

/* open(5)'s first sentence of walk: how far it came is the answer, unless that is nowhere. */
static void walk_stop(struct hf_act *a, enum tn_err err)
{
	a->r->u.walk.n_walked = (uint16_t)a->n_walked;
	if (a->n_walked == 0)
		tn_fail(a->r, err);
}

static void walk_end(struct hf_act *a)
{
	struct tn_req *r = a->r;
	struct hf_file *f = hf_file_new(a->hf, a->at);

	if (!f) {
		tn_fail(r, TN_ENOMEM);
		return;
	}
	r->u.walk.n_walked = r->u.walk.n_names;
	r->u.walk.newchan->aux.p = f;
	r->u.walk.newchan->qid = r->u.walk.n_names ? r->u.walk.qids[r->u.walk.n_names - 1]
						   : r->chan->qid;
}

/* Prepares the next run. false: the walk is over, and answered. */
static bool next_run(struct hf_act *a)
{
	struct tn_req *r = a->r;
	enum tn_err err;

	hf_act_unpin(a);
	if (a->n_walked == r->u.walk.n_names) {
		walk_end(a);
		return false;
	}
	a->up = is_up(r->u.walk.names[a->n_walked]);
	if (a->up && a->at->parent)
		walk_to(a, hf_place_get(a->at->parent));
	else if (!a->up)
		fill_run(a, r);
	if (!a->up && a->walk.n == 0) {
		walk_stop(a, a->at->kind == S_IFDIR ? a->bad_name : TN_ENOTDIR);
		return false;
	}
	a->act = a->up ? hf_act_look : hf_act_walk;
	a->id = a->at->inode->id;
	a->slow = a->at->slow;
	a->gen_by = a->at->gen_by;
	err = hf_act_pin(a, a->at, &a->fd);
	a->follow = !(r->flags & TN_OF_NOFOLLOW);
	a->root_fd = hf_place_top(a->at)->fd;
	if (!err && a->follow && hf_place_path(a->at, a->text, sizeof(a->text)) == 0)
		a->follow = false;
	if (err)
		walk_stop(a, err);
	return !err;
}

/* What a run found. false: the walk is over, and answered if somebody waits for it. */
static bool run_done(struct hf_act *a)
{
	struct tn_req *r = a->r;
	enum tn_err err;

	if (a->up) {
		if (r && a->err)
			walk_stop(a, hf_err(a->err));
		else if (r)
			r->u.walk.qids[a->n_walked++] = hf_qid(a->hf, a->at->inode, &a->meta);
		return r && !a->err;
	}
	err = take_found(a);
	if (!r)
		return false;
	if (!err && a->err)
		err = hf_err(a->err);
	if (!err && a->bad_name)
		err = a->bad_name;
	if (err)
		walk_stop(a, err);
	return !err;
}

static void settle_walk(struct hf_act *a)
{
	a->again = run_done(a) && next_run(a);
}

enum tn_status hf_walk(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf_act a;

	hf_act_init(&a, hf_of(r), r);
	a.settle = settle_walk;
	a.file = f;
	a.at = hf_place_get(f->place);
	while (next_run(&a)) {
		if (a.slow)
			return hf_act_later(&a);
		hf_act_here(&a);
		if (a.xdev)
			return hf_act_later(&a); /* what it has found so far stays in it */
		if (!run_done(&a))
			break;
	}
	hf_act_unpin(&a);
	hf_place_put(a.hf, a.at);
	return TN_DONE;
}
