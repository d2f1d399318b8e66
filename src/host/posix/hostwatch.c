/*
 * Who changes a directory of the host: inotify(7), asked for the directories that somebody watches and for no others. One
 * descriptor an instance of #host, made with the first watch and closed behind the last. All that anybody on this host
 * does is told, a peer's requests through us as well; on a file system that other machines change too only what this one
 * does would be, so there (where calls may hang) the answer is that there is no such service.
 */
#include "core/chan.h"
#include "host/posix/hostfs_in.h"
#include "host/posix/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { BUCKETS = 64, READS_MAX = 16, BUF = 16384 };

/* Who watches; r->keeper. The kernel has one number for a directory, however many watch it. */
struct watch {
	struct watch *next;
	struct tn_req *r; /* kept */
	int wd;
};

struct hf_watcher {
	uv_poll_t poll; /* first: freed by its close */
	struct hf *hf;
	int fd;
	uint32_t n;
	bool telling; /* owners are being called: who goes only leaves a mark */
	struct watch *buckets[BUCKETS];
};

/* clang-format off */
static const struct {
	uint32_t mask;
	uint8_t what;
} rows[] = {
	{ IN_CREATE,     TN_CHANGE_MADE },
	{ IN_DELETE,     TN_CHANGE_GONE },
	{ IN_MODIFY,     TN_CHANGE_WRITTEN },
	{ IN_ATTRIB,     TN_CHANGE_STATUS },
	{ IN_MOVED_FROM, TN_CHANGE_LEFT },
	{ IN_MOVED_TO,   TN_CHANGE_CAME },
};
/* clang-format on */

#define WANTED \
	(IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)

static struct watch **bucket_of(struct hf_watcher *w, int wd)
{
	return &w->buckets[(unsigned)wd % BUCKETS];
}

/* ---- telling ---- */

static void tell(const struct watch *watch, const struct tn_change *change)
{
	if (watch->r && watch->r->owner->change)
		watch->r->owner->change(watch->r, change);
}

/* wd -1: all. */
static void tell_all(struct hf_watcher *w, int wd, const struct tn_change *change)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		if (wd >= 0 && i != (unsigned)wd % BUCKETS)
			continue;
		for (struct watch *watch = w->buckets[i]; watch; watch = watch->next) {
			if (wd < 0 || watch->wd == wd)
				tell(watch, change);
		}
	}
}

static void answer(struct watch *watch, enum tn_err err)
{
	struct tn_req *r = watch->r;

	watch->r = NULL;
	r->keeper = NULL;
	tn_fail(r, err);
	tn_respond(r);
}

/* The kernel has dropped the number: the directory was removed, or its file system is gone. */
static void end_all(struct hf_watcher *w, int wd)
{
	for (struct watch *watch = *bucket_of(w, wd); watch; watch = watch->next) {
		if (watch->wd == wd && watch->r)
			answer(watch, TN_ENOENT);
	}
}

static void take_event(struct hf_watcher *w, const struct inotify_event *e)
{
	struct tn_change change = { .is_dir = e->mask & IN_ISDIR, .pair = e->cookie };

	if (e->mask & IN_Q_OVERFLOW) {
		change.what = TN_CHANGE_LOST;
		tell_all(w, -1, &change);
		return;
	}
	if (e->mask & IN_IGNORED) {
		end_all(w, e->wd);
		return;
	}
	if (e->len > 0)
		change.name = (struct tn_str){ e->name, (uint32_t)strnlen(e->name, e->len) };
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		if (!(e->mask & rows[i].mask))
			continue;
		change.what = rows[i].what;
		tell_all(w, e->wd, &change);
	}
}

/* ---- coming and going ---- */

static void poll_closed(uv_handle_t *handle)
{
	tn_free(handle);
}

/* Behind the last watch; the host's numbers go with the descriptor. */
static void close_watcher(struct hf_watcher *w)
{
	w->hf->watcher = NULL;
	uv_close((uv_handle_t *)&w->poll, poll_closed);
	close(w->fd);
}

/* Frees those that have been answered; a number that nobody has is given back. */
static void sweep(struct hf_watcher *w)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct watch **at = &w->buckets[i], *watch; (watch = *at) != NULL;) {
			bool others = false;

			if (watch->r) {
				at = &watch->next;
				continue;
			}
			*at = watch->next;
			for (struct watch *o = w->buckets[i]; o; o = o->next)
				others |= o->wd == watch->wd;
			if (!others)
				inotify_rm_watch(w->fd, watch->wd); /* EINVAL: it went itself */
			tn_free(watch);
			w->n--;
		}
	}
	if (w->n == 0)
		close_watcher(w);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct hf_watcher *w = (struct hf_watcher *)poll;
	struct tn_server *server = &w->hf->server;
	_Alignas(struct inotify_event) char buf[BUF];
	ssize_t n = 1;

	(void)status, (void)events;
	tn_server_get(server); /* an owner may let go of the last Chan */
	w->telling = true;
	for (int i = 0; i < READS_MAX && (n = read(w->fd, buf, sizeof(buf))) > 0; i++) {
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *e = (const struct inotify_event *)at;

			take_event(w, e);
			at += sizeof(*e) + e->len;
		}
	}
	w->telling = false;
	sweep(w);
	tn_server_put(server);
}

static struct hf_watcher *watcher_new(struct hf *hf)
{
	struct hf_watcher *w = tn_alloc(sizeof(*w));

	if (!w) {
		errno = ENOMEM;
		return NULL;
	}
	w->hf = hf;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0) {
		tn_free(w);
		return NULL;
	}
	if (uv_poll_init(tn_host_loop_uv(tn_host_loop_of(hf->server.home)), &w->poll, w->fd) != 0) {
		close(w->fd);
		tn_free(w);
		errno = ENOMEM;
		return NULL;
	}
	uv_poll_start(&w->poll, UV_READABLE, readable);
	return w;
}

void hf_watcher_free(struct hf_watcher *w)
{
	if (w)
		close_watcher(w);
}

/* ---- the request ---- */

/* As who asks: the kernel wants the right to read the directory. */
static void act_watch(struct hf_act *a)
{
	char path[HF_FD_PATH_SIZE];

	a->new_fd = inotify_add_watch(a->fd2, hf_fd_path(a->fd, path), WANTED);
	a->err = a->new_fd < 0 ? errno : 0;
}

/* ENOSPC, EMFILE: fs.inotify.max_user_watches, _instances. */
static enum tn_err err_of(int number)
{
	return number == ENOSPC || number == EMFILE ? TN_ELIMIT_OPEN : hf_err(number);
}

static enum tn_status keep(struct hf_watcher *w, struct tn_req *r, int wd)
{
	const struct tn_change begun = { .what = TN_CHANGE_BEGUN };
	struct watch *watch = tn_alloc(sizeof(*watch));

	if (!watch)
		return tn_fail(r, TN_ENOMEM);
	watch->wd = wd;
	watch->next = *bucket_of(w, wd);
	*bucket_of(w, wd) = watch;
	w->n++;
	if (!tn_keep(r))
		return TN_DONE;
	watch->r = r;
	r->keeper = watch;
	tell(watch, &begun);
	return TN_LATER;
}

enum tn_status hf_watch(struct tn_req *r)
{
	struct hf *hf = hf_of(r);
	struct hf_act a;
	enum tn_status status = TN_DONE;
	enum tn_err err;

	hf_act_init(&a, hf, r);
	err = hf_act_on(&a, hf_file_of(r->chan));
	if (!err && a.slow)
		err = TN_ENOTSUP;
	if (!err && !hf->watcher && !(hf->watcher = watcher_new(hf)))
		err = err_of(errno);
	if (err)
		return hf_act_refuse(&a, err);
	a.fd2 = hf->watcher->fd;
	a.act = act_watch;
	hf_act_here(&a);
	hf_act_unpin(&a);
	if (a.err)
		tn_fail(r, err_of(a.err));
	else
		status = keep(hf->watcher, r, a.new_fd);
	if (hf->watcher && !hf->watcher->telling && status == TN_DONE)
		sweep(hf->watcher);
	return status;
}

enum tn_status hf_watch_flush(struct tn_req *r)
{
	struct hf_watcher *w = hf_of(r)->watcher;
	struct watch *watch = r->keeper;
	struct tn_server *server = r->server;

	if (!watch)
		return TN_DONE;
	tn_server_get(server);
	answer(watch, TN_EINTR);
	if (!w->telling)
		sweep(w);
	tn_server_put(server);
	return TN_DONE;
}
