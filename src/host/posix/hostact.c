/*
 * The state of #host's Chans, and the way of an act: here or to a worker and back, and what a flush makes of it.
 */
#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DROP_AT_ONCE 64 /* descriptors given back when the system has none left */

struct hf *hf_of(const struct tn_req *r)
{
	return (struct hf *)r->server;
}

struct hf_file *hf_file_of(const struct tn_chan *c)
{
	return c->aux.p;
}

/* ---- the state of Chans ---- */

struct hf_file *hf_file_new(struct hf *hf, struct hf_place *place)
{
	struct hf_file *f = tn_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->refs = 1;
	f->hf = hf;
	f->place = hf_place_get(place);
	f->fd = -1;
	return f;
}

bool hf_is_open(const struct hf_file *f)
{
	return f->fd >= 0 || f->dir;
}

static void close_on_worker(struct hf *hf, int fd)
{
	struct hf_act a;

	hf_act_init(&a, hf, NULL);
	a.fd = fd;
	a.act = hf_act_close;
	if (!hf_start(&a, NULL))
		close(fd);
}

void hf_file_put(struct hf_file *f)
{
	struct hf *hf = f->hf;

	if (--f->refs > 0)
		return;
	if (hf_is_open(f))
		hf->n_open--;
	if (f->opened)
		f->opened->n_open--;
	if (f->fd >= 0 && f->slow)
		close_on_worker(hf, f->fd);
	else if (f->fd >= 0)
		close(f->fd);
	hf_dir_free(f->dir);
	hf_inode_put(hf, f->opened);
	hf_who_put(f->opener);
	hf_place_put(hf, f->place);
	tn_free(f);
}

/* ---- the way of an act ---- */

static const struct tn_user *asker(const struct tn_req *r)
{
	const struct tn_chan *c = r->type == TN_ATTACH ? r->u.attach.newchan : r->chan;

	return r->user ? r->user : c->user;
}

void hf_act_init(struct hf_act *a, struct hf *hf, struct tn_req *r)
{
	memset(a, 0, offsetof(struct hf_act, text));
	a->text[0] = 0;
	a->walk.n = a->walk.done = 0;
	a->hf = hf;
	a->r = r;
	a->fd = a->fd2 = a->root_fd = a->new_fd = -1;
	if (!r || !hf->o.as_asker || (hf->o.own && asker(r) == hf->o.own))
		return;
	hf_act_for(a, r->type == TN_ATTACH ? hf_who_attach(hf, asker(r)) : hf_who_of(hf, asker(r)));
}

void hf_act_for(struct hf_act *a, struct hf_who *who)
{
	a->who = who;
	a->stranger = a->hf->o.as_asker && !who;
}

enum tn_err hf_err(int number)
{
	static const struct {
		int number;
		enum tn_err err;
	} rows[] = {
		{ EMFILE, TN_ELIMIT_OPEN },
		{ ENFILE, TN_ELIMIT_OPEN },
		{ EBADF, TN_EBADUSE },
		{ EXDEV, TN_EXDEV },
		{ ESTALE, TN_ESTALE },
	};

	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		if (rows[i].number == number)
			return rows[i].err;
	}
	return tn_err_of_linux((uint32_t)number);
}

/* Pins p for the act and gives its descriptor. */
enum tn_err hf_act_pin(struct hf_act *a, struct hf_place *p, int *fd)
{
	enum tn_err err = hf_place_pin(a->hf, p);

	if (err)
		return err;
	for (size_t i = 0; i < TN_COUNT(a->pinned); i++) {
		if (!a->pinned[i]) {
			a->pinned[i] = hf_place_get(p);
			*fd = p->fd;
			return TN_OK;
		}
	}
	tn_panic("an act pins three places at most", __FILE__, __LINE__);
}

/* The file that the act is about, by its own descriptor. */
enum tn_err hf_act_on(struct hf_act *a, struct hf_file *f)
{
	a->file = f;
	a->id = f->place->inode->id;
	a->kind = f->place->kind;
	a->slow = f->place->slow;
	a->gen_by = f->place->gen_by;
	if (f->fd >= 0) {
		a->fd = f->fd;
		return TN_OK;
	}
	return hf_act_pin(a, f->place, &a->fd);
}

void hf_act_unpin(struct hf_act *a)
{
	for (size_t i = 0; i < TN_COUNT(a->pinned); i++) {
		struct hf_place *p = a->pinned[i];

		if (!p)
			continue;
		a->pinned[i] = NULL;
		hf_place_unpin(a->hf, p);
		hf_place_put(a->hf, p);
	}
}

/* What a walk has found and nobody has taken. */
static void drop_found(struct hf_act *a)
{
	for (; a->walk.done > 0; a->walk.done--)
		close(a->walk.found[a->walk.done - 1].fd);
}

static void act_free(struct hf_act *a)
{
	drop_found(a);
	tn_free(a->data);
	tn_free(a->entries);
	tn_free(a);
}

/* The act is over; its request, if there still is one, has its answer in it. */
static void act_over(struct hf_act *a)
{
	struct hf *hf = a->hf;
	struct tn_req *r = a->r;
	struct hf_file *file = a->file, *file2 = a->file2;

	hf_act_unpin(a);
	hf_who_put(a->who);
	if (a->at)
		hf_place_put(hf, a->at);
	act_free(a);
	if (file)
		hf_file_put(file);
	if (file2)
		hf_file_put(file2);
	if (r) {
		r->keeper = NULL;
		tn_respond(r);
	}
	tn_server_put(&hf->server);
}

/* The calls, as who asks. */
static void act(struct hf_act *a)
{
	if (a->stranger || !hf_act_as(a->who)) {
		a->err = a->stranger ? EACCES : EPERM;
		return;
	}
	a->act(a);
	hf_act_as(NULL);
}

static void on_worker(struct tn_job *job)
{
	act((struct hf_act *)job);
}

static void back_from_worker(struct tn_job *job)
{
	struct hf_act *a = (struct hf_act *)job;

	if (a->settle)
		a->settle(a);
	if (!a->again) {
		act_over(a);
		return;
	}
	a->again = false;
	if (tn_work_start(a->hf->work, a->job.lane, &a->job))
		return;
	if (a->r)
		tn_fail(a->r, TN_ENOMEM);
	act_over(a);
}

/* Copies the act and starts it; the request has been kept. false: no memory, and the act is still the caller's. */
bool hf_start(struct hf_act *a, struct tn_lane *lane)
{
	struct hf *hf = a->hf;
	struct hf_act *k;

	if (!hf->work) {
		struct tn_work_limits limits = { .threads_max = hf->o.workers_max };

		hf->work = tn_work_new(hf->server.home, &limits);
	}
	k = hf->work ? tn_alloc(sizeof(*k)) : NULL;
	if (!k)
		return false;
	*k = *a;
	k->on_worker = true;
	k->job.run = on_worker;
	k->job.done = back_from_worker;
	k->job.drop = back_from_worker; /* does not happen: each act holds the server */
	if (!tn_work_start(hf->work, lane, &k->job)) {
		tn_free(k);
		return false;
	}
	if (k->who)
		hf_who_get(k->who);
	if (k->file)
		k->file->refs++;
	if (k->file2)
		k->file2->refs++;
	if (k->r)
		k->r->keeper = k;
	tn_server_get(&hf->server);
	hf->stats.worker_calls++;
	return true;
}

/* Keeps the act's request and hands it to a worker. */
enum tn_status hf_act_later(struct hf_act *a)
{
	struct tn_req *r = a->r;

	if (!tn_keep(r) || !hf_start(a, a->file ? &a->file->lane : NULL)) {
		drop_found(a);
		tn_free(a->data);
		tn_free(a->entries);
		a->data = NULL;
		a->entries = NULL;
		hf_act_unpin(a);
		if (a->at)
			hf_place_put(a->hf, a->at);
		return tn_fail(r, TN_ENOMEM);
	}
	return TN_LATER;
}

void hf_act_here(struct hf_act *a)
{
	a->hf->stats.inline_calls++;
	act(a);
	if ((a->err == EMFILE || a->err == ENFILE) && hf_place_drop(a->hf, DROP_AT_ONCE))
		act(a);
}

/* Here, if it ends soon; a lane that is busy is not overtaken. */
enum tn_status hf_act_run(struct hf_act *a)
{
	if (a->slow || (a->file && a->file->lane.running))
		return hf_act_later(a);
	hf_act_here(a);
	a->settle(a);
	hf_act_unpin(a);
	return TN_DONE;
}

/* For the beginning of operations: what failed before anything was asked of the kernel. */
enum tn_status hf_act_refuse(struct hf_act *a, enum tn_err err)
{
	hf_act_unpin(a);
	return tn_fail(a->r, err);
}

void hf_fail(struct hf_act *a)
{
	if (a->r)
		tn_fail(a->r, hf_err(a->err));
}

/* The answer comes now; what the worker brings back later is dropped. */
enum tn_status hf_flush(struct tn_req *r)
{
	struct hf_act *a = r->keeper;

	if (r->type == TN_WATCH)
		return hf_watch_flush(r);
	if (!a)
		return TN_DONE;
	a->hf->stats.flushed++;
	tn_fail(r, TN_EINTR);
	if (tn_work_cancel(a->hf->work, &a->job)) {
		act_over(a);
		return TN_DONE;
	}
	__atomic_store_n(&a->cancelled, 1, __ATOMIC_RELAXED);
	a->r = NULL;
	r->keeper = NULL;
	tn_respond(r);
	return TN_DONE;
}
