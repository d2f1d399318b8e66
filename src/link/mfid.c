/*
 * What mnt knows of files at the peer: fids, and the names below the attach by which they were reached. A fid's number
 * is its struct's for good; whether the peer knows it is told by the generation of the connection. Numbers are dense: a
 * peer may keep them in an array.
 */
#include "link/client.h"

enum {
	ELEM_SIZE = 64, /* bytes of an element that comes from the free list and returns to it */
	ELEMS_SPARE_MAX = 1024
};

/* ---- names ---- */

/* FNV-1a, and a stir so that short names differ in all bits. */
uint64_t tn_name_hash(uint64_t up, struct tn_str name)
{
	uint64_t h = up ^ 0xcbf29ce484222325u;

	for (uint32_t i = 0; i < name.len; i++)
		h = (h ^ (uint8_t)name.s[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

uint64_t tn_elem_hash(const struct tn_client *client, const struct tn_elem *e)
{
	return e ? e->hash : client->seed;
}

static size_t elem_size(size_t len)
{
	size_t size = sizeof(struct tn_elem) + len;

	return size < ELEM_SIZE ? ELEM_SIZE : size;
}

struct tn_elem *tn_elem_add(struct tn_client *client, struct tn_elem *up, struct tn_str name)
{
	struct tn_elem *e = NULL;
	size_t size = elem_size(name.len);

	if (name.len > UINT16_MAX || (up && up->depth == UINT16_MAX))
		return NULL;
	if (size == ELEM_SIZE && client->free_elems) {
		e = client->free_elems;
		client->free_elems = e->up;
		client->n_free_elems--;
	} else {
		e = tn_alloc(size);
	}
	if (!e)
		return NULL;
	e->refs = 1;
	e->up = tn_elem_get(up);
	e->depth = (uint16_t)(up ? up->depth + 1 : 1);
	e->len = (uint16_t)name.len;
	e->hash = tn_name_hash(tn_elem_hash(client, up), name);
	memcpy(e->name, name.s, name.len);
	return e;
}

struct tn_elem *tn_elem_get(struct tn_elem *e)
{
	if (e)
		e->refs++;
	return e;
}

void tn_elem_put(struct tn_client *client, struct tn_elem *e)
{
	struct tn_elem *up;

	for (; e && --e->refs == 0; e = up) {
		up = e->up;
		if (elem_size(e->len) > ELEM_SIZE || client->n_free_elems >= ELEMS_SPARE_MAX) {
			tn_free(e);
			continue;
		}
		e->up = client->free_elems;
		client->free_elems = e;
		client->n_free_elems++;
	}
}

/* ---- attaches ---- */

struct tn_root *tn_root_new(struct tn_str uname, struct tn_str aname, uint32_t n_uname)
{
	struct tn_root *root;

	if (uname.len > UINT16_MAX || aname.len > UINT16_MAX)
		return NULL;
	root = tn_alloc(sizeof(*root) + uname.len + aname.len);
	if (!root)
		return NULL;
	root->refs = 1;
	root->n_uname = n_uname;
	root->uname_len = (uint16_t)uname.len;
	root->aname_len = (uint16_t)aname.len;
	if (uname.len > 0)
		memcpy(root->text, uname.s, uname.len);
	if (aname.len > 0)
		memcpy(root->text + uname.len, aname.s, aname.len);
	return root;
}

void tn_root_put(struct tn_client *client, struct tn_root *root)
{
	if (!root || --root->refs > 0)
		return;
	tn_mfid_put(client, root->top);
	tn_free(root);
}

/*
 * A server in memory that was started anew may give its root another number: that is the same root, so the two numbers
 * change places, and what the name space has mounted upon the root stays there.
 */
struct tn_qid tn_mfid_qid(const struct tn_client *client, const struct tn_root *root, uint64_t hash,
    struct tn_qid qid)
{
	if (client->qids_by_name)
		qid.path = hash;
	else if (qid.path == root->path)
		qid.path = root->shown;
	else if (qid.path == root->shown)
		qid.path = root->path;
	return qid;
}

/* ---- fids ---- */

static const struct tn_step clunk_step = { .type = TN_TCLUNK };
static const struct tn_step remove_step = { .type = TN_TREMOVE };

bool tn_mfid_live(const struct tn_client *client, const struct tn_mfid *f)
{
	return f->generation == client->generation;
}

static struct tn_mfid *more_fids(struct tn_client *client)
{
	struct tn_mfid *f = tn_alloc(sizeof(*f));

	if (f)
		f->number = client->n_fids++;
	return f;
}

struct tn_mfid *tn_mfid_new(struct tn_client *client, enum tn_err *err)
{
	struct tn_mfid *f = client->free_fids;

	*err = TN_ELIMIT_FIDS;
	if (client->fids_used >= client->fids_max)
		return NULL;
	*err = TN_ENOMEM;
	if (f)
		client->free_fids = f->next;
	else
		f = more_fids(client);
	if (!f)
		return NULL;
	f->next = NULL;
	f->refs = 1;
	f->dir.peer_off = UINT64_MAX;
	client->fids_used++;
	return f;
}

struct tn_mfid *tn_mfid_get(struct tn_mfid *f)
{
	f->refs++;
	return f;
}

/* Nobody has it, the peer does not know it: the struct and its number are spare. */
static void recycle(struct tn_client *client, struct tn_mfid *f)
{
	struct tn_root *root = f->root;
	struct tn_elem *name = f->name;
	struct tn_mfid *near = f->dir.near;
	uint32_t number = f->number;

	tn_mnt_dir_free(f);
	memset(f, 0, sizeof(*f));
	f->number = number;
	f->next = client->free_fids;
	client->free_fids = f;
	client->fids_used--;
	tn_mfid_put(client, near);
	tn_elem_put(client, name);
	tn_root_put(client, root);
}

/* The rpc's reference is the last: the answer to the clunk, or the end of the connection, recycles the fid. */
static bool clunk(struct tn_client *client, struct tn_mfid *f)
{
	enum tn_err err;
	const struct tn_step *step = f->flags & TN_MFID_RCLOSE ? &remove_step : &clunk_step;
	struct tn_rpc *rpc = tn_rpc_new(client, NULL, step, f, NULL, &err);

	if (!rpc)
		return false;
	f->generation = 0;
	tn_rpc_send(client, rpc, &err); /* it fits whenever a buffer is empty */
	return true;
}

void tn_mfid_put(struct tn_client *client, struct tn_mfid *f)
{
	if (!f || --f->refs > 0)
		return;
	if (!tn_mfid_live(client, f)) {
		recycle(client, f);
	} else if (!clunk(client, f)) {
		f->next = client->unclunked;
		client->unclunked = f;
	}
}

void tn_mfids_clunk(struct tn_client *client)
{
	struct tn_mfid *f;

	while ((f = client->unclunked) != NULL) {
		client->unclunked = f->next;
		f->next = NULL;
		f->refs = 1;
		tn_mfid_put(client, f);
		if (client->unclunked == f)
			return; /* no tag yet */
	}
}

void tn_mfid_bind(struct tn_client *client, struct tn_mfid *f, struct tn_root *root,
    struct tn_elem *name)
{
	struct tn_elem *old = f->name;

	if (!f->root) {
		f->root = root;
		root->refs++;
	}
	f->name = name;
	tn_elem_put(client, old);
}

void tn_mfids_free(struct tn_client *client)
{
	struct tn_mfid *f;
	struct tn_elem *e;

	while ((f = client->free_fids) != NULL) {
		client->free_fids = f->next;
		tn_free(f);
	}
	client->n_fids = 0;
	while ((e = client->free_elems) != NULL) {
		client->free_elems = e->up;
		tn_free(e);
	}
	client->n_free_elems = 0;
}
