/*
 * #ns. A table of files whose functions call the host; what a Chan shows is a snapshot in its aux.
 */
#include "fs/ns.h"

#include "core/mem.h"
#include "fs/snapshot.h"

static const struct tn_nsdev_host *host_of(const struct tn_req *r)
{
	return r->server->data;
}

typedef enum tn_status tn_nsdev_call(void *arg, struct tn_req *r, struct tn_str text);

static enum tn_status call(tn_nsdev_call *function, struct tn_req *r, struct tn_str text)
{
	return function ? function(host_of(r)->arg, r, text) : tn_fail(r, TN_EACCES);
}

struct tn_str tn_nsdev_text(const struct tn_req *r)
{
	struct tn_str text = { (const char *)r->u.io.data, r->u.io.count };

	while (text.len > 0 && text.s[text.len - 1] == '\n')
		text.len--;
	return text;
}

bool tn_nsdev_answer(struct tn_req *r, const char *text, size_t len)
{
	if (tn_snapshot_set(r->chan, text, len))
		return true;
	tn_fail(r, TN_ENOMEM);
	return false;
}

static enum tn_status ctl_write(struct tn_req *r)
{
	struct tn_str text = tn_nsdev_text(r);

	return text.len > 0 ? call(host_of(r)->ctl, r, text) : TN_DONE;
}

static enum tn_status whence_write(struct tn_req *r)
{
	struct tn_str name = tn_nsdev_text(r);

	return name.len > 0 ? call(host_of(r)->whence, r, name) : tn_fail(r, TN_EEMPTYNAME);
}

static enum tn_status ns_open(struct tn_req *r)
{
	return call(host_of(r)->print, r, TN_STR(""));
}

static enum tn_status stats_open(struct tn_req *r)
{
	return call(host_of(r)->stats, r, TN_STR(""));
}

static enum tn_status ns_flush(struct tn_req *r)
{
	if (host_of(r)->flush)
		host_of(r)->flush(host_of(r)->arg, r);
	return TN_DONE;
}

/* clang-format off */
static const struct tn_file ns_files[] = {
	/* A line may ask, too: what is answered goes with the Chan. */
	{ .name = "ctl",    .perm = 0222, .write = ctl_write, .clunk = tn_snapshot_clunk, .flush = ns_flush },
	{ .name = "ns",     .perm = 0444, .open = ns_open, .read = tn_snapshot_read, .clunk = tn_snapshot_clunk, .flush = ns_flush },
	{ .name = "whence", .perm = 0666, .write = whence_write, .read = tn_snapshot_read, .clunk = tn_snapshot_clunk, .flush = ns_flush },
	{ .name = "stats",  .perm = 0444, .open = stats_open, .read = tn_snapshot_read, .clunk = tn_snapshot_clunk, .flush = ns_flush },
};
/* clang-format on */

static const struct tn_device ns_device = { "#ns", ns_files, TN_COUNT(ns_files) };

static void ns_free(void *data)
{
	const struct tn_nsdev_host *h = data;

	if (h->free)
		h->free(h->arg);
	tn_free(data);
}

struct tn_server *tn_nsdev_new(struct tn_loop *home, const struct tn_nsdev_host *host)
{
	struct tn_nsdev_host *h = tn_alloc(sizeof(*h));
	struct tn_server *s = h ? tn_device_server(&ns_device, home, h, ns_free) : NULL;

	if (!s) {
		tn_free(h);
		return NULL;
	}
	*h = *host;
	s->flags |= TN_SF_BLOCKS;
	return s;
}
