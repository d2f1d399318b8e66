/*
 * #ram: the operations of 9P2000 on it, section 5 of the manual. No operation waits; each checks all, then acts.
 */
#include "fs/ram.h"

#include "core/mem.h"
#include "fs/ramops.h"

#define BYTES_MAX_DEFAULT (UINT64_C(256) << 20)
#define FILES_MAX_DEFAULT 262144u

/* What a create may ask for. */
#define CREATABLE                                                                                  \
	(TN_DMDIR | TN_DMAPPEND | TN_DMEXCL | TN_DMTMP | TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX | \
	    0777u)

/* Puts a Chan that stands for nothing yet at an entry, below `top`. */
static void place(struct tn_chan *c, struct ram_tree *t, uint32_t id, uint32_t top)
{
	ram_hold(t, id);
	ram_hold(t, top);
	c->aux.u64 = (uint64_t)top << 32 | id;
	c->qid = ram_qid(ram_entry(t, id)->node);
}

/* ---- attach, walk ---- */

/* The next element of a path, slashes passed over. false: there is none. */
static bool next_element(struct tn_str *path, struct tn_str *element)
{
	while (path->len > 0 && path->s[0] == '/') {
		path->s++;
		path->len--;
	}
	*element = (struct tn_str){ path->s, 0 };
	while (path->len > 0 && path->s[0] != '/') {
		path->s++;
		path->len--;
		element->len++;
	}
	return element->len > 0;
}

/* The entry at a path from the root, without asking who may; 0: none. `.` and `..` are no names here. */
static uint32_t find_path(const struct ram_tree *t, struct tn_str path)
{
	struct tn_str name;
	uint32_t id = RAM_ROOT;

	while (id != 0 && next_element(&path, &name))
		id = ram_is_dir(ram_entry(t, id)->node) ? ram_find(t, id, name) : 0;
	return id;
}

static void adopt(struct ram *ram, struct tn_user *who)
{
	struct ram_node *root = ram_entry(&ram->tree, RAM_ROOT)->node;
	struct tn_user **users[] = { &root->owner, &root->group, &root->muid };

	ram->unowned = false;
	for (size_t i = 0; i < TN_COUNT(users); i++) {
		tn_user_put(*users[i]);
		*users[i] = tn_user_get(who);
	}
}

static enum tn_status ram_attach(struct tn_req *r)
{
	struct ram *ram = ram_of(r->server);
	struct tn_chan *c = r->u.attach.newchan;
	uint32_t id = find_path(&ram->tree, r->u.attach.aname);

	if (id == 0)
		return tn_fail(r, TN_EBADATTACH);
	if (c->user && c->user->len > RAM_NAME_MAX)
		return tn_fail(r, TN_ENAMETOOLONG); /* files keep names of users */
	if (ram->unowned && c->user)
		adopt(ram, c->user);
	place(c, &ram->tree, id, id);
	return TN_DONE;
}

/* What is above `id`, but not above `top`. Who has been moved out of what was attached finds himself back there. */
static uint32_t above(const struct ram_tree *t, uint32_t id, uint32_t top)
{
	uint32_t up = id == top ? top : ram_entry(t, id)->up;

	return ram_is_below(t, up, top) ? up : top;
}

static enum tn_err walk_one(struct tn_req *r, uint32_t *id, struct tn_str name)
{
	const struct ram *ram = ram_of(r->server);
	const struct ram_node *n = ram_entry(&ram->tree, *id)->node;
	uint32_t to;

	if (!ram_is_dir(n))
		return TN_ENOTDIR;
	if (!ram->owner_bits_only && !ram_may(ram, n, ram_user(r), RAM_EXEC))
		return TN_EACCES;
	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.')
		to = above(&ram->tree, *id, ram_top(r->chan));
	else
		to = ram_find(&ram->tree, *id, name);
	if (to == 0)
		return TN_ENOENT;
	*id = to;
	return TN_OK;
}

static enum tn_status ram_walk(struct tn_req *r)
{
	struct ram_tree *t = &ram_of(r->server)->tree;
	uint32_t id = ram_id(r->chan);
	enum tn_err err = TN_OK;
	uint16_t n = 0;

	while (n < r->u.walk.n_names) {
		err = walk_one(r, &id, r->u.walk.names[n]);
		if (err != TN_OK)
			break;
		r->u.walk.qids[n++] = ram_qid(ram_entry(t, id)->node);
	}
	r->u.walk.n_walked = n;
	if (err != TN_OK)
		return n > 0 ? TN_DONE : tn_fail(r, err);
	place(r->u.walk.newchan, t, id, ram_top(r->chan));
	return TN_DONE;
}

/* ---- open, create, clunk, remove ---- */

static bool writes(uint32_t flags)
{
	uint32_t access = flags & TN_OF_ACCESS;

	return access == TN_OWRITE || access == TN_ORDWR || (flags & TN_OF_TRUNC);
}

static enum tn_err check_kind(const struct ram *ram, const struct ram_node *n, uint32_t flags)
{
	if (ram_is_dir(n) && (writes(flags) || (flags & TN_OF_RCLOSE)))
		return ram->owner_bits_only ? TN_EACCES : TN_EISDIR;
	if (!ram_is_dir(n) && (flags & TN_OF_DIRECTORY))
		return TN_ENOTDIR;
	if (n->mode & TN_DMSYMLINK)
		return TN_ESYMLINK;
	return n->mode & RAM_SPECIAL ? TN_ENXIO : TN_OK;
}

static enum tn_err check_open(struct ram *ram, const struct tn_req *r)
{
	static const uint8_t need[] = { RAM_READ, RAM_WRITE, RAM_READ | RAM_WRITE, RAM_EXEC };
	const struct ram_entry *e = ram_entry_of(r->chan);
	const struct ram_node *up = ram_entry(&ram->tree, e->up)->node;
	const struct tn_user *who = ram_user(r);
	unsigned want = need[r->flags & TN_OF_ACCESS];
	enum tn_err err = check_kind(ram, e->node, r->flags);

	if (err != TN_OK)
		return err;
	if (!ram_may(ram, e->node, who, want | (r->flags & TN_OF_TRUNC ? RAM_WRITE : 0)))
		return TN_EACCES;
	if ((r->flags & TN_OF_RCLOSE) && !ram_may(ram, up, who, RAM_WRITE))
		return TN_EACCES;
	return e->node->mode & TN_DMEXCL && e->node->holder ? TN_EEXCL : TN_OK;
}

static enum tn_status ram_open(struct tn_req *r)
{
	struct ram *ram = ram_of(r->server);
	struct ram_node *n = ram_node_of(r->chan);
	enum tn_err err = check_open(ram, r);

	if (err != TN_OK)
		return tn_fail(r, err);
	if (n->mode & TN_DMEXCL)
		n->holder = r->chan;
	if ((r->flags & TN_OF_TRUNC) && !(n->mode & TN_DMAPPEND)) {
		ram_data_resize(&n->u.data, &ram->tree.budget, 0);
		ram_changed(n, ram_user(r));
		ram_tell(ram, ram_id(r->chan), TN_CHANGE_WRITTEN);
	}
	r->chan->qid = ram_qid(n);
	r->u.open.iounit = 0;
	return TN_DONE;
}

/* open(5): a new file has no permission that its directory does not give; for plain files x is as asked for. */
static uint32_t wanted_mode(const struct tn_req *r, const struct ram_node *dir)
{
	uint32_t perm = r->u.create.perm;

	if (!(r->flags & TN_OF_INHERIT))
		return perm;
	return perm & (perm & TN_DMDIR ? ~0777u | dir->mode : ~0666u | dir->mode);
}

static enum tn_err check_create(const struct ram *ram, const struct tn_req *r)
{
	uint32_t perm = r->u.create.perm;

	if (perm & ~CREATABLE)
		return TN_EINVAL;
	if ((perm & TN_DMDIR) && ((r->flags & TN_OF_ACCESS) != TN_OREAD || writes(r->flags) ||
				     (r->flags & TN_OF_RCLOSE)))
		return ram->owner_bits_only ? TN_EACCES : TN_EISDIR;
	return ram_may_make(r->chan, ram_user(r), r->u.create.name);
}

static enum tn_status ram_create(struct tn_req *r)
{
	struct ram *ram = ram_of(r->server);
	struct tn_chan *c = r->chan;
	uint32_t id, dir = ram_id(c), top = ram_top(c);
	struct ram_node *n;
	enum tn_err err = check_create(ram, r);

	if (err == TN_OK)
		err = ram_make(&ram->tree, dir, r->u.create.name, wanted_mode(r, ram_node_of(c)),
		    ram_user(r), &id);
	if (err != TN_OK)
		return tn_fail(r, err);
	ram_changed(ram_node_of(c), ram_user(r));
	ram_tell(ram, id, TN_CHANGE_MADE);
	n = ram_entry(&ram->tree, id)->node;
	ram_give_group(n, ram_node_of(c), r);
	if (n->mode & TN_DMEXCL)
		n->holder = c;
	place(c, &ram->tree, id, top);
	ram_drop(&ram->tree, dir);
	ram_drop(&ram->tree, top);
	r->u.create.iounit = 0;
	return TN_DONE;
}

static struct tn_lock_key lock_key(const struct ram_node *n)
{
	return (struct tn_lock_key){ n->path, 0 };
}

static enum tn_status ram_clunk(struct tn_req *r)
{
	struct ram *ram = ram_of(r->server);
	struct tn_chan *c = r->chan;
	struct ram_node *n = ram_node_of(c);
	struct tn_lock span;

	tn_locks_drop(&ram->locks, lock_key(n), c, &span);
	if (n->holder == c)
		n->holder = NULL;
	if ((c->flags & TN_CF_OPEN) && (c->flags & TN_OF_RCLOSE))
		ram_remove_entry(ram, ram_id(c),
		    ram_user(r)); /* clunk(5): if it cannot, it stays */
	ram_drop(&ram->tree, ram_id(c));
	ram_drop(&ram->tree, ram_top(c));
	return TN_DONE;
}

static enum tn_status ram_remove(struct tn_req *r)
{
	return tn_fail(r, ram_remove_entry(ram_of(r->server), ram_id(r->chan), ram_user(r)));
}

/* ---- read, write, and what is about a range ---- */

static enum tn_status ram_lock(struct tn_req *r)
{
	return tn_locks_serve(&ram_of(r->server)->locks, lock_key(ram_node_of(r->chan)), r);
}

static enum tn_status ram_read(struct tn_req *r)
{
	struct ram_node *n = ram_node_of(r->chan);

	if (ram_is_dir(n))
		return tn_fail(r, TN_EISDIR);
	r->u.io.count = ram_data_read(&n->u.data, r->u.io.offset, r->u.io.data, r->u.io.count);
	ram_was_read(n);
	return TN_DONE;
}

static enum tn_status ram_write(struct tn_req *r)
{
	struct ram *ram = ram_of(r->server);
	struct ram_node *n = ram_node_of(r->chan);
	uint64_t off = r->u.io.offset;
	enum tn_err err;

	if (ram_is_dir(n))
		return tn_fail(r, TN_EISDIR);
	if ((n->mode & TN_DMAPPEND) || (r->chan->flags & TN_OF_APPEND))
		off = n->u.data.length;
	err = ram_data_write(&n->u.data, &ram->tree.budget, off, r->u.io.data, &r->u.io.count);
	if (err != TN_OK)
		return tn_fail(r, err);
	if (r->u.io.count > 0) {
		ram_changed(n, ram_user(r));
		ram_tell(ram, ram_id(r->chan), TN_CHANGE_WRITTEN);
	}
	return TN_DONE;
}

static enum tn_status ram_fsync(struct tn_req *r)
{
	(void)r;
	return TN_DONE;
}

/* fallocate(2)'s modes: plain, keep the size, punch a hole (which must keep it). */
static enum tn_status ram_fallocate(struct tn_req *r)
{
	enum { KEEP_SIZE = 1, PUNCH_HOLE = 2 };
	struct ram *ram = ram_of(r->server);
	struct ram_node *n = ram_node_of(r->chan);
	struct ram_data *d = &n->u.data;
	uint64_t off = r->u.range.offset, length = r->u.range.length;
	enum tn_err err = TN_OK;

	if (ram_is_dir(n))
		return tn_fail(r, TN_EISDIR);
	if (r->u.range.how & ~(uint32_t)(KEEP_SIZE | PUNCH_HOLE) || r->u.range.how == PUNCH_HOLE)
		return tn_fail(r, TN_ENOTSUP);
	if (length == 0)
		return tn_fail(r, TN_EINVAL);
	if (off > RAM_LENGTH_MAX || length > RAM_LENGTH_MAX - off)
		return tn_fail(r, TN_EFBIG);
	if (r->u.range.how & PUNCH_HOLE)
		ram_data_punch(d, &ram->tree.budget, off, off + length);
	else
		err = ram_data_reserve(d, &ram->tree.budget, off, off + length);
	if (err != TN_OK)
		return tn_fail(r, err);
	if (r->u.range.how == 0 && off + length > d->length)
		ram_data_resize(d, &ram->tree.budget, off + length);
	ram_changed(n, ram_user(r));
	ram_tell(ram, ram_id(r->chan), TN_CHANGE_WRITTEN);
	return TN_DONE;
}

/* lseek(2)'s SEEK_DATA and SEEK_HOLE. The answer goes into offset. */
static enum tn_status ram_seekhole(struct tn_req *r)
{
	enum { SEEK_DATA = 3, SEEK_HOLE = 4 };
	const struct ram_node *n = ram_node_of(r->chan);
	uint64_t off = r->u.range.offset, at;

	if (ram_is_dir(n) || (r->u.range.how != SEEK_DATA && r->u.range.how != SEEK_HOLE))
		return tn_fail(r, TN_EINVAL);
	if (off >= n->u.data.length)
		return tn_fail(r, TN_ENXIO);
	at = ram_data_seek(&n->u.data, off, r->u.range.how == SEEK_HOLE);
	if (r->u.range.how == SEEK_DATA && at == n->u.data.length)
		return tn_fail(r, TN_ENXIO);
	r->u.range.offset = at;
	return TN_DONE;
}

/* ---- the server ---- */

static void ram_free(struct tn_server *s)
{
	tn_locks_fini(&ram_of(s)->locks);
	ram_tree_fini(&ram_of(s)->tree);
	tn_free(s);
}

static const struct tn_ops ram_ops = {
	.name = "#ram",
	.op = {
		[TN_ATTACH] = ram_attach,
		[TN_WALK] = ram_walk,
		[TN_OPEN] = ram_open,
		[TN_CREATE] = ram_create,
		[TN_READ] = ram_read,
		[TN_READDIR] = ram_readdir,
		[TN_WRITE] = ram_write,
		[TN_CLUNK] = ram_clunk,
		[TN_REMOVE] = ram_remove,
		[TN_STAT] = ram_stat,
		[TN_WSTAT] = ram_wstat,
		[TN_RENAME] = ram_rename,
		[TN_LINK] = ram_link_op,
		[TN_SYMLINK] = ram_symlink,
		[TN_READLINK] = ram_readlink,
		[TN_MKNOD] = ram_mknod,
		[TN_XATTRGET] = ram_xattrget,
		[TN_XATTRSET] = ram_xattrset,
		[TN_LOCK] = ram_lock,
		[TN_GETLOCK] = ram_lock,
		[TN_FSYNC] = ram_fsync,
		[TN_FALLOCATE] = ram_fallocate,
		[TN_SEEKHOLE] = ram_seekhole,
		[TN_STATFS] = ram_statfs,
		[TN_WATCH] = ram_watch,
		[TN_FLUSH] = ram_flush,
	},
	.free = ram_free,
};

struct tn_server *tn_ram_new(struct tn_loop *home, const struct tn_ram_options *o)
{
	static const struct tn_ram_options defaults;
	struct ram *ram = tn_alloc(sizeof(*ram));
	struct tn_user *owner;
	enum tn_err err;

	if (!ram)
		return NULL;
	if (!o)
		o = &defaults;
	owner = o->owner ? tn_user_get(o->owner)
			 : tn_user_new(TN_STR("tenon"), TN_NONUNAME, TN_NONUNAME);
	if (!owner)
		goto free_ram;
	ram->owner_bits_only = o->owner_bits_only;
	ram->unowned = !o->owner;
	ram->tree.files_max = o->files_max ? o->files_max : FILES_MAX_DEFAULT;
	ram->tree.budget.bytes_max = o->bytes_max ? o->bytes_max : BYTES_MAX_DEFAULT;
	err = ram_tree_init(&ram->tree, owner, o->root_perm ? o->root_perm & 0777 : 0777);
	tn_user_put(owner);
	if (err != TN_OK)
		goto free_ram;
	tn_locks_init(&ram->locks, NULL);
	tn_server_init(&ram->s, &ram_ops, home, ram);
	return &ram->s;

free_ram:
	tn_free(ram);
	return NULL;
}

/* ---- behind everybody's back ---- */

static enum tn_err put(struct ram *ram, struct tn_str path, uint32_t mode, struct ram_node **out,
    uint32_t *id)
{
	struct tn_str dir = path, name;
	uint32_t up;
	enum tn_err err;

	while (dir.len > 0 && dir.s[dir.len - 1] != '/')
		dir.len--;
	name = (struct tn_str){ path.s + dir.len, path.len - dir.len };
	up = find_path(&ram->tree, dir);
	if (up == 0)
		return TN_ENOENT;
	if (!ram_is_dir(ram_entry(&ram->tree, up)->node))
		return TN_ENOTDIR;
	err = tn_new_name_check(name);
	if (err == TN_OK && ram_find(&ram->tree, up, name) != 0)
		err = TN_EEXIST;
	if (err == TN_OK)
		err = ram_make(&ram->tree, up, name, mode,
		    ram_entry(&ram->tree, RAM_ROOT)->node->owner, id);
	if (err == TN_OK)
		*out = ram_entry(&ram->tree, *id)->node;
	return err;
}

enum tn_err tn_ram_put_dir(struct tn_server *s, struct tn_str path, uint32_t perm)
{
	struct ram_node *n;
	uint32_t id;

	return put(ram_of(s), path, TN_DMDIR | (perm & 0777), &n, &id);
}

enum tn_err tn_ram_put_file(struct tn_server *s, struct tn_str path, uint32_t perm,
    struct tn_str text)
{
	struct ram_tree *t = &ram_of(s)->tree;
	uint32_t len = text.len, id;
	struct ram_node *n;
	enum tn_err err = put(ram_of(s), path, perm & (0777 | TN_DMAPPEND | TN_DMEXCL), &n, &id);

	if (err != TN_OK)
		return err;
	err = ram_data_write(&n->u.data, &t->budget, 0, (const uint8_t *)text.s, &len);
	if (err == TN_OK && len < text.len)
		err = TN_ENOSPC;
	if (err != TN_OK)
		ram_unlink(t, id);
	return err;
}

enum tn_err tn_ram_set_perm(struct tn_server *s, struct tn_str path, uint32_t perm)
{
	struct ram_tree *t = &ram_of(s)->tree;
	uint32_t id = find_path(t, path);
	struct ram_node *n;

	if (id == 0)
		return TN_ENOENT;
	n = ram_entry(t, id)->node;
	n->mode = (n->mode & ~0777u) | (perm & 0777);
	return TN_OK;
}

void tn_ram_use(const struct tn_server *s, struct tn_ram_use *out)
{
	const struct ram_tree *t = &((const struct ram *)s)->tree;

	*out = (struct tn_ram_use){ t->budget.bytes, t->budget.bytes_max, t->files, t->files_max };
}
