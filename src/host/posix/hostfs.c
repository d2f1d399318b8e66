/*
 * #host as a file server: requests on Chans that name files become acts. This file has the server and what its files are
 * like (stat); hostact.c has the way of an act, hostwalk.c attach and walk, hostopen.c what is open, hostio.c data,
 * hostset.c changes.
 */
#include "host/posix/hostfs.h"

#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- stat ---- */

static uint32_t kind_of(const struct statx *x)
{
	static const struct {
		uint32_t kind, bit;
	} kinds[] = {
		{ S_IFDIR, TN_DMDIR },
		{ S_IFLNK, TN_DMSYMLINK },
		{ S_IFIFO, TN_DMNAMEDPIPE },
		{ S_IFSOCK, TN_DMSOCKET },
		{ S_IFCHR, TN_DMDEVICE },
		{ S_IFBLK, TN_DMDEVICE },
	};
	for (size_t i = 0; i < TN_COUNT(kinds); i++) {
		if (kinds[i].kind == (x->stx_mode & S_IFMT))
			return kinds[i].bit;
	}
	return 0;
}

static uint32_t mode_of(const struct statx *x, uint32_t extra)
{
	uint32_t mode = (x->stx_mode & 0777u) | extra | kind_of(x);

	if (x->stx_mode & S_ISUID)
		mode |= TN_DMSETUID;
	if (x->stx_mode & S_ISGID)
		mode |= TN_DMSETGID;
	if (x->stx_mode & S_ISVTX && !extra)
		mode |= TN_DMSETVTX;
	return mode;
}

static int64_t ns_of(const struct statx_timestamp *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

void hf_fill_brief(struct hf *hf, const struct hf_meta *m, struct tn_str name, struct tn_stat *st)
{
	*st = (struct tn_stat){ .name = name };
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_NAME;
	st->qid = hf_brief_qid(hf, m);
	st->mode = kind_of(&m->x);
}

void hf_fill_stat(struct hf *hf, struct hf_inode *i, const struct hf_meta *m, struct tn_str name,
    struct tn_stat *st)
{
	const struct statx *x = &m->x;

	*st = (struct tn_stat){ .name = name };
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_CTIME | TN_ST_UID | TN_ST_GID | TN_ST_MUID | TN_ST_NUID | TN_ST_NGID |
		    TN_ST_NMUID | TN_ST_NLINK | TN_ST_RDEV | TN_ST_BLOCKS | TN_ST_GEN |
		    TN_ST_DATA_VERSION;
	st->qid = hf_qid(hf, i, m);
	st->mode = mode_of(x, (uint32_t)(st->qid.type & (HF_EXTRA >> 24)) << 24);
	st->length = S_ISREG(x->stx_mode) || S_ISLNK(x->stx_mode) ? x->stx_size : 0;
	st->atime_ns = ns_of(&x->stx_atime);
	st->mtime_ns = ns_of(&x->stx_mtime);
	st->ctime_ns = ns_of(&x->stx_ctime);
	if (x->stx_mask & STATX_BTIME) {
		st->btime_ns = ns_of(&x->stx_btime);
		st->valid |= TN_ST_BTIME;
	}
	hf_owners_trim(hf->owners);
	st->uid = st->muid = hf_user_name(hf->owners, x->stx_uid);
	st->gid = hf_group_name(hf->owners, x->stx_gid);
	st->n_uid = st->n_muid = x->stx_uid;
	st->n_gid = x->stx_gid;
	st->blksize = x->stx_blksize;
	st->blocks = x->stx_blocks;
	st->nlink = x->stx_nlink;
	st->rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor);
	st->gen = m->id.gen;
	st->data_version = st->qid.version;
}

static void settle_stat(struct hf_act *a)
{
	struct hf_place *p = a->file->place;
	const struct statx *x = &a->meta.x;
	struct tn_stat st;
	char device[40];

	if (a->err || !a->r) {
		hf_fail(a);
		return;
	}
	hf_fill_stat(a->hf, p->inode, &a->meta,
	    (struct tn_str){ p->name, (uint32_t)strlen(p->name) }, &st);
	if (S_ISLNK(x->stx_mode)) {
		st.extension = (struct tn_str){ a->text, a->n };
		st.valid |= TN_ST_EXTENSION;
	} else if (S_ISCHR(x->stx_mode) || S_ISBLK(x->stx_mode)) {
		st.extension.s = device;
		st.extension.len = (uint32_t)snprintf(device, sizeof(device), "%c %u %u",
		    S_ISCHR(x->stx_mode) ? 'c' : 'b', x->stx_rdev_major, x->stx_rdev_minor);
		st.valid |= TN_ST_EXTENSION;
	}
	tn_reply_stat(a->r, &st);
}

enum tn_status hf_stat(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf_act a;
	enum tn_err err;

	hf_act_init(&a, hf_of(r), r);
	err = hf_act_on(&a, f);
	if (err)
		return hf_act_refuse(&a, err);
	a.act = hf_act_look;
	a.settle = settle_stat;
	return hf_act_run(&a);
}

/* ---- the server ---- */

/* As many descriptors as this process may have. */
static uint32_t raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t had = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			limit.rlim_cur = had;
	}
	return limit.rlim_cur > 1u << 20 ? 1u << 20 : (uint32_t)limit.rlim_cur;
}

static void host_free(struct tn_server *s)
{
	struct hf *hf = (struct hf *)s;

	if (hf->root)
		hf_place_put(hf, hf->root);
	tn_work_free(hf->work);
	for (size_t i = 0; i < HF_BUCKETS; i++) {
		while (hf->inodes[i]) { /* those kept for their bits or versions */
			struct hf_inode *first = hf->inodes[i];

			hf->inodes[i] = first->next;
			tn_free(first);
		}
	}
	hf_owners_free(hf->owners);
	hf_users_free(hf);
	hf_watcher_free(hf->watcher);
	hf_locks_put();
	tn_free(hf);
}

static const struct tn_ops host_ops = {
	.name = "host",
	.op = {
		[TN_ATTACH] = hf_attach,
		[TN_WALK] = hf_walk,
		[TN_OPEN] = hf_open,
		[TN_CREATE] = hf_create,
		[TN_READ] = hf_read,
		[TN_READDIR] = hf_readdir,
		[TN_WRITE] = hf_write,
		[TN_CLUNK] = hf_clunk,
		[TN_REMOVE] = hf_remove,
		[TN_STAT] = hf_stat,
		[TN_WSTAT] = hf_wstat,
		[TN_FLUSH] = hf_flush,
		[TN_RENAME] = hf_rename,
		[TN_LINK] = hf_link,
		[TN_SYMLINK] = hf_symlink,
		[TN_READLINK] = hf_readlink,
		[TN_MKNOD] = hf_mknod,
		[TN_XATTRGET] = hf_xattrget,
		[TN_XATTRSET] = hf_xattrset,
		[TN_LOCK] = hf_lock,
		[TN_GETLOCK] = hf_getlock,
		[TN_FSYNC] = hf_fsync,
		[TN_FALLOCATE] = hf_fallocate,
		[TN_SEEKHOLE] = hf_seekhole,
		[TN_COPYRANGE] = hf_copyrange,
		[TN_STATFS] = hf_statfs,
		[TN_WATCH] = hf_watch,
	},
	.free = host_free,
};

int tn_hostfs_path_fd(const struct tn_chan *c)
{
	struct hf_file *f;
	enum tn_err err;
	int fd;

	if (c->server->ops != &host_ops || !(c->flags & TN_CF_USED)) {
		errno = EINVAL;
		return -1;
	}
	f = hf_file_of(c);
	err = hf_place_pin(f->hf, f->place);
	if (err) {
		errno = (int)tn_err_linux(err);
		return -1;
	}
	fd = fcntl(f->place->fd, F_DUPFD_CLOEXEC, 0);
	hf_place_unpin(f->hf, f->place);
	return fd;
}

static enum tn_err open_root(struct hf *hf, const char *path)
{
	struct hf_found found = { .fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) };

	if (found.fd < 0)
		return tn_err_of_linux((uint32_t)errno);
	if (!hf_look(found.fd, NULL, &found.meta)) {
		close(found.fd);
		return tn_err_of_linux((uint32_t)errno);
	}
	hf->root = hf_place_root(hf, &found);
	return hf->root ? TN_OK : TN_ENOMEM;
}

struct tn_server *tn_hostfs_new(struct tn_loop *loop, const char *root_path,
    const struct tn_hostfs_options *options, enum tn_err *err)
{
	struct hf *hf = tn_alloc(sizeof(*hf));
	uint32_t limit;

	*err = TN_ENOMEM;
	if (!hf)
		return NULL;
	if (options)
		hf->o = *options;
	if (hf->o.own)
		tn_user_get(hf->o.own);
	limit = raise_limit();
	if (!hf->o.open_max)
		hf->o.open_max = limit / 2;
	if (!hf->o.held_max)
		hf->o.held_max = limit / 3;
	hf_locks_get();
	hf->owners = hf_owners_new();
	tn_server_init(&hf->server, &host_ops, loop, hf);
	if (hf->owners)
		*err = hf->o.as_asker && !hf_users_start() ? TN_EPERM : open_root(hf, root_path);
	if (*err) {
		host_free(&hf->server);
		return NULL;
	}
	snprintf(hf->label, sizeof(hf->label), "#host%s%s", root_path[0] == '/' ? "" : "/",
	    root_path);
	hf->server.label = hf->label;
	hf->server.flags |= TN_SF_SHARED;
	if (hf->o.read_only)
		hf->server.flags |= TN_SF_READONLY;
	if (hf->o.devices)
		hf->server.flags |= TN_SF_OPENS_DEVICES;
	return &hf->server;
}

void tn_hostfs_stats(const struct tn_server *s, struct tn_hostfs_stats *out)
{
	const struct hf *hf = (const struct hf *)s;
	struct tn_work_stats work = { 0 };

	if (hf->work)
		tn_work_stats(hf->work, &work);
	*out = hf->stats;
	out->held = hf->n_held;
	out->open = hf->n_open;
	out->places = hf->n_places;
	out->inodes = hf->n_inodes;
	out->threads = work.threads;
}
