/*
 * Names that come, go and move in #ram: remove(5), and what POSIX peers have beside it (rename(2), link(2), symlink(2),
 * mknod(2)).
 */
#include "core/mem.h"
#include "fs/ramops.h"

enum { NOREPLACE = 1, EXCHANGE = 2 };

enum tn_err ram_may_make(const struct tn_chan *c, const struct tn_user *who, struct tn_str name)
{
	struct ram *ram = ram_of(c->server);
	const struct ram_entry *dir = ram_entry_of(c);
	enum tn_err err;

	if (!ram_is_dir(dir->node))
		return TN_ENOTDIR;
	if (!dir->linked)
		return TN_ENOENT;
	err = tn_new_name_check(name);
	if (err != TN_OK)
		return err;
	if (ram_find(&ram->tree, ram_id(c), name) != 0)
		return TN_EEXIST;
	return ram_may(ram, dir->node, who, RAM_WRITE) ? TN_OK : TN_EACCES;
}

/* inode(7): where the sticky bit is, names go with their file's owner, or the directory's. */
static bool is_anothers(const struct ram *ram, uint32_t id, const struct tn_user *who)
{
	const struct ram_entry *e = ram_entry(&ram->tree, id);
	const struct ram_node *dir = ram_entry(&ram->tree, e->up)->node;

	return dir->mode & TN_DMSETVTX && !ram_is_owner(ram, dir, who) &&
	       !ram_is_owner(ram, e->node, who);
}

static enum tn_err may_unlink(const struct ram *ram, uint32_t id, const struct tn_user *who)
{
	const struct ram_entry *e = ram_entry(&ram->tree, id);

	if (id == RAM_ROOT)
		return TN_EACCES;
	if (!e->linked)
		return TN_ENOENT;
	if (!ram_may(ram, ram_entry(&ram->tree, e->up)->node, who, RAM_WRITE))
		return TN_EACCES;
	if (is_anothers(ram, id, who))
		return TN_EPERM;
	return ram_is_dir(e->node) && e->node->u.dir.live > 0 ? TN_ENOTEMPTY : TN_OK;
}

static void unlink_it(struct ram *ram, uint32_t id, struct tn_user *who)
{
	struct ram_entry *e = ram_entry(&ram->tree, id);
	struct ram_node *dir = ram_entry(&ram->tree, e->up)->node;

	e->node->ctime_ns = tn_time_ns();
	ram_unlink(&ram->tree, id);
	ram_changed(dir, who);
}

enum tn_err ram_remove_entry(struct ram *ram, uint32_t id, struct tn_user *who)
{
	enum tn_err err = may_unlink(ram, id, who);

	if (err == TN_OK) {
		ram_tell(ram, id, TN_CHANGE_GONE);
		unlink_it(ram, id, who);
	}
	return err;
}

/* ---- rename ---- */

struct rename {
	struct ram *ram;
	uint32_t from_dir, to_dir;
	uint32_t from, to; /* entries; to 0: the name is free */
	struct tn_str name;
};

/* What rename(2) says about kinds, and about an old `to`. */
static enum tn_err check_kinds(const struct rename *m, uint32_t how)
{
	const struct ram_node *from = ram_entry(&m->ram->tree, m->from)->node, *to;

	if (m->to == 0)
		return how == EXCHANGE ? TN_ENOENT : TN_OK;
	if (how == EXCHANGE)
		return TN_OK;
	if (how == NOREPLACE)
		return TN_EEXIST;
	to = ram_entry(&m->ram->tree, m->to)->node;
	if (ram_is_dir(to) && !ram_is_dir(from))
		return TN_EISDIR;
	if (ram_is_dir(from) && !ram_is_dir(to))
		return TN_ENOTDIR;
	return ram_is_dir(to) && to->u.dir.live > 0 ? TN_ENOTEMPTY : TN_OK;
}

/* A directory does not go into itself, nor, when they change places, what it goes to into that. */
static bool makes_loop(const struct rename *m, uint32_t how)
{
	const struct ram_tree *t = &m->ram->tree;

	return ram_is_below(t, m->to_dir, m->from) ||
	       (how == EXCHANGE && m->to != 0 && ram_is_below(t, m->from_dir, m->to));
}

/* The file of the Chan itself, if there is no name; else the one of that name in its directory. */
static enum tn_err find_from(struct rename *m, const struct tn_req *r)
{
	const struct ram_entry *e = ram_entry_of(r->chan);
	enum tn_err err;

	if (r->u.rename.name.len == 0) {
		m->from = ram_id(r->chan);
		m->from_dir = e->up;
		return m->from == RAM_ROOT ? TN_EACCES : e->linked ? TN_OK : TN_ENOENT;
	}
	m->from_dir = ram_id(r->chan);
	if (!ram_is_dir(e->node))
		return TN_ENOTDIR;
	err = tn_new_name_check(r->u.rename.name);
	if (err != TN_OK)
		return err == TN_EEXIST ? TN_EINVAL : err;
	if (!e->linked)
		return TN_ENOENT;
	m->from = ram_find(&m->ram->tree, m->from_dir, r->u.rename.name);
	return m->from == 0 ? TN_ENOENT : TN_OK;
}

static enum tn_err check_rename(struct rename *m, const struct tn_req *r)
{
	const struct ram_tree *t = &m->ram->tree;
	const struct ram_entry *to_dir = ram_entry(t, m->to_dir);
	const struct tn_user *who = ram_user(r);
	enum tn_err err;

	if (r->u.rename.how > EXCHANGE)
		return TN_EINVAL;
	if (!ram_is_dir(to_dir->node))
		return TN_ENOTDIR;
	err = tn_new_name_check(m->name);
	if (err != TN_OK)
		return err == TN_EEXIST ? TN_EINVAL : err;
	if (!to_dir->linked)
		return TN_ENOENT;
	err = find_from(m, r);
	if (err != TN_OK)
		return err;
	m->to = ram_find(t, m->to_dir, m->name);
	if (!ram_may(m->ram, ram_entry(t, m->from_dir)->node, who, RAM_WRITE) ||
	    !ram_may(m->ram, to_dir->node, who, RAM_WRITE))
		return TN_EACCES;
	if (is_anothers(m->ram, m->from, who) || (m->to != 0 && is_anothers(m->ram, m->to, who)))
		return TN_EPERM;
	if (makes_loop(m, r->u.rename.how))
		return TN_EINVAL;
	return check_kinds(m, r->u.rename.how);
}

/* What is replaced goes last, when nothing can fail any more. Nobody looks while there are two of one name. */
static enum tn_err move_over(struct rename *m, struct tn_user *who)
{
	enum tn_err err = ram_move(&m->ram->tree, m->from, m->to_dir, m->name);

	if (err == TN_OK && m->to != 0)
		unlink_it(m->ram, m->to, who);
	return err;
}

/* What is exchanged is two renames; one that cannot be done goes back to its name. */
static void leave(const struct rename *m, uint32_t how)
{
	ram_next_pair(m->ram);
	ram_tell(m->ram, m->from, TN_CHANGE_LEFT);
	if (how != EXCHANGE)
		return;
	ram_next_pair(m->ram);
	ram_tell(m->ram, m->to, TN_CHANGE_LEFT);
}

static void arrive(const struct rename *m, uint32_t how)
{
	if (how == EXCHANGE) {
		ram_tell(m->ram, m->to, TN_CHANGE_CAME);
		m->ram->pair--;
	}
	ram_tell(m->ram, m->from, TN_CHANGE_CAME);
	m->ram->pair += how == EXCHANGE;
}

enum tn_status ram_rename(struct tn_req *r)
{
	struct ram *ram = ram_of(r->server);
	struct tn_user *who = ram_user(r);
	struct rename m = { .ram = ram, .to_dir = ram_id(r->chan2), .name = r->u.rename.newname };
	enum tn_err err = check_rename(&m, r);

	if (err != TN_OK)
		return tn_fail(r, err);
	if (m.to != 0 && ram_entry(&ram->tree, m.from)->node == ram_entry(&ram->tree, m.to)->node)
		return TN_DONE; /* rename(2): two names of one file stay */
	leave(&m, r->u.rename.how);
	err = r->u.rename.how == EXCHANGE ? ram_exchange(&ram->tree, m.from, m.to)
					  : move_over(&m, who);
	arrive(&m, r->u.rename.how);
	if (err != TN_OK)
		return tn_fail(r, err);
	ram_entry(&ram->tree, m.from)->node->ctime_ns = tn_time_ns();
	ram_changed(ram_entry(&ram->tree, m.from_dir)->node, who);
	if (m.to_dir != m.from_dir)
		ram_changed(ram_entry(&ram->tree, m.to_dir)->node, who);
	return TN_DONE;
}

/* ---- link, symlink, mknod ---- */

enum tn_status ram_link_op(struct tn_req *r)
{
	struct ram *ram = ram_of(r->server);
	struct ram_entry *file = ram_entry_of(r->chan2);
	enum tn_err err = ram_may_make(r->chan, ram_user(r), r->u.rename.name);
	uint32_t id;

	if (err == TN_OK && ram_is_dir(file->node))
		err = TN_EPERM;
	if (err == TN_OK &&
	    file->node->nlink == 0) /* link(2): of one that has another name it may be made */
		err = TN_ENOENT;
	if (err == TN_OK)
		err = ram_link(&ram->tree, ram_id(r->chan), r->u.rename.name, file->node, &id);
	if (err != TN_OK)
		return tn_fail(r, err);
	ram_entry(&ram->tree, id)->node->ctime_ns = tn_time_ns();
	ram_changed(ram_node_of(r->chan), ram_user(r));
	ram_tell(ram, id, TN_CHANGE_MADE);
	return TN_DONE;
}

/* A new node of that mode in r's directory. */
static enum tn_err make_special(struct tn_req *r, uint32_t mode, uint32_t *id)
{
	struct ram *ram = ram_of(r->server);
	struct tn_str name = r->u.create.name;
	enum tn_err err = ram_may_make(r->chan, ram_user(r), name);

	if (err == TN_OK)
		err = ram_make(&ram->tree, ram_id(r->chan), name, mode, ram_user(r), id);
	if (err != TN_OK)
		return err;
	ram_give_group(ram_entry(&ram->tree, *id)->node, ram_node_of(r->chan), r);
	r->u.create.qid = ram_qid(ram_entry(&ram->tree, *id)->node);
	return TN_OK;
}

enum tn_status ram_symlink(struct tn_req *r)
{
	struct ram_tree *t = &ram_of(r->server)->tree;
	struct tn_str target = r->u.create.target;
	uint32_t id, len = target.len;
	enum tn_err err;

	if (len == 0 || len > RAM_BLOCK)
		return tn_fail(r, len == 0 ? TN_EEMPTYNAME : TN_ENAMETOOLONG);
	err = make_special(r, TN_DMSYMLINK | 0777, &id);
	if (err != TN_OK)
		return tn_fail(r, err);
	/* One block: all of it or nothing. */
	err = ram_data_write(&ram_entry(t, id)->node->u.data, &t->budget, 0,
	    (const uint8_t *)target.s, &len);
	if (err != TN_OK) {
		ram_unlink(t, id);
		return tn_fail(r, err);
	}
	ram_changed(ram_node_of(r->chan), ram_user(r));
	ram_tell(ram_of(r->server), id, TN_CHANGE_MADE);
	return TN_DONE;
}

enum tn_status ram_readlink(struct tn_req *r)
{
	const struct ram_node *n = ram_node_of(r->chan);

	if (!(n->mode & TN_DMSYMLINK))
		return tn_fail(r, TN_EINVAL);
	r->u.readlink.len = ram_data_read(&n->u.data, 0, (uint8_t *)r->u.readlink.buf,
	    r->u.readlink.size);
	return TN_DONE;
}

/* The number of a device that the request makes, which is all there is to it. */
static enum tn_err number_it(struct tn_req *r, uint32_t id)
{
	struct ram_tree *t = &ram_of(r->server)->tree;
	struct tn_str kind = r->u.create.target;
	struct ram_device is = { 0 };
	uint32_t len = sizeof(is);

	is.major = r->u.create.rdev_major;
	is.minor = r->u.create.rdev_minor;
	is.is_block = kind.len > 0 && kind.s[0] == 'b';
	return ram_data_write(&ram_entry(t, id)->node->u.data, &t->budget, 0, (const uint8_t *)&is,
	    &len);
}

/* Fifos, sockets and devices are names for the peer's kernel to make something of. mknod(2): devices are root's to make. */
enum tn_status ram_mknod(struct tn_req *r)
{
	struct ram_tree *t = &ram_of(r->server)->tree;
	uint32_t perm = r->u.create.perm, id;
	uint32_t kind = perm & ~(TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX | 0777u);
	enum tn_err err;

	if (kind != 0 && kind != TN_DMNAMEDPIPE && kind != TN_DMSOCKET && kind != TN_DMDEVICE)
		return tn_fail(r, TN_EINVAL);
	if (kind == TN_DMDEVICE && !ram_is_root(ram_user(r)))
		return tn_fail(r, TN_EPERM);
	err = make_special(r, perm, &id);
	if (err != TN_OK)
		return tn_fail(r, err);
	err = kind == TN_DMDEVICE ? number_it(r, id) : TN_OK;
	if (err != TN_OK) {
		ram_unlink(t, id);
		return tn_fail(r, err);
	}
	ram_changed(ram_node_of(r->chan), ram_user(r));
	ram_tell(ram_of(r->server), id, TN_CHANGE_MADE);
	return TN_DONE;
}
