/*
 * Whose the files of #ram are, and who may what. Users are names, as in Plan 9, and each may give a file to himself only.
 * Who has a number as well (9P2000.L and .u, the programs of this machine) is known by it: 0 is Linux's root, who may all
 * and gives files to whom he likes, be there a name for that number or not.
 */
#include "core/mem.h"
#include "fs/ramops.h"

struct tn_user *ram_user(const struct tn_req *r)
{
	struct tn_user *who = r->user ? r->user : r->chan->user;

	return who ? who : ram_entry(&ram_of(r->server)->tree, RAM_ROOT)->node->owner;
}

static bool same_name(const struct tn_user *a, const struct tn_user *b)
{
	return a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}

/* By number, where both have one: Linux's clients are all of one name. */
bool ram_is_user(const struct tn_user *a, const struct tn_user *b)
{
	if (a == b)
		return true;
	if (a->uid != TN_NONUNAME && b->uid != TN_NONUNAME)
		return a->uid == b->uid;
	return a->len > 0 && same_name(a, b);
}

/* A group is a user too: Plan 9's by his name, Linux's by the number of his group. */
static bool is_in_group(const struct tn_user *who, const struct tn_user *group)
{
	if (who->gid != TN_NONUNAME && group->gid != TN_NONUNAME)
		return who->gid == group->gid;
	return ram_is_user(who, group);
}

bool ram_is_root(const struct tn_user *who)
{
	return who->uid == 0;
}

bool ram_is_owner(const struct ram *ram, const struct ram_node *n, const struct tn_user *who)
{
	return ram->owner_bits_only || ram_is_root(who) || ram_is_user(who, n->owner);
}

bool ram_may(const struct ram *ram, const struct ram_node *n, const struct tn_user *who,
    unsigned want)
{
	unsigned have = n->mode & 7;

	if (ram->owner_bits_only)
		have = n->mode >> 6 & 7;
	else if (ram_is_root(who)) /* capabilities(7): but he runs nothing that nobody may */
		have = RAM_READ | RAM_WRITE | (n->mode & (TN_DMDIR | 0111) ? RAM_EXEC : 0);
	else
		have |= (ram_is_user(who, n->owner) ? n->mode >> 6 & 7 : 0) |
			(is_in_group(who, n->group) ? n->mode >> 3 & 7 : 0);
	return (want & ~have) == 0;
}

/* ---- giving files away ---- */

/* Somebody of whom only a number is known: its decimals are his name. NULL: no memory. */
static struct tn_user *user_of_number(uint32_t uid, uint32_t gid)
{
	uint32_t number = uid != TN_NONUNAME ? uid : gid;
	char name[10], *at = name + sizeof(name);

	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return tn_user_new((struct tn_str){ at, (uint32_t)(name + sizeof(name) - at) }, uid, gid);
}

/* Names of users take no memory for each file: the same person shares the node's word for him. */
static struct tn_user *share(const struct ram_node *n, struct tn_user *who)
{
	return tn_user_get(ram_is_user(who, n->owner) ? n->owner : who);
}

static struct tn_user *group_of_number(const struct ram_node *n, uint32_t gid, struct tn_user *who)
{
	if (gid == n->owner->gid)
		return tn_user_get(n->owner);
	return gid == who->gid ? tn_user_get(who) : user_of_number(TN_NONUNAME, gid);
}

void ram_give_group(struct ram_node *n, const struct ram_node *dir, const struct tn_req *r)
{
	struct tn_user *who = ram_user(r), *old = n->group, *group;
	uint32_t gid = r->u.create.gid;

	if (r->flags & TN_OF_INHERIT)
		return;
	if (dir->mode & TN_DMSETGID) {
		n->mode |= ram_is_dir(n) ? TN_DMSETGID : 0;
		return;
	}
	if (gid == TN_NONUNAME || gid == old->gid || (gid != who->gid && !ram_is_root(who)))
		return;
	group = group_of_number(n, gid, who);
	if (!group)
		return;
	n->group = group;
	tn_user_put(old);
}

static bool names_another(const struct tn_stat *st, const struct tn_user *group)
{
	return (st->valid & TN_ST_GID) &&
	       (st->gid.len != group->len || memcmp(st->gid.s, group->name, group->len) != 0);
}

static bool is_own_name(const struct tn_stat *st, const struct tn_user *who)
{
	return st->gid.len == who->len && memcmp(st->gid.s, who->name, who->len) == 0;
}

enum tn_err ram_owners_of(struct ram_owners *o, const struct ram *ram, const struct ram_node *n,
    const struct tn_stat *st, struct tn_user *who)
{
	bool owner = (st->valid & TN_ST_NUID) && st->n_uid != n->owner->uid;
	bool number = (st->valid & TN_ST_NGID) && st->n_gid != n->group->gid;
	bool name = names_another(st, n->group);

	*o = (struct ram_owners){ NULL, NULL };
	if (owner && !ram_is_root(who))
		return TN_EPERM;
	if (name && (!ram_is_owner(ram, n, who) || !is_own_name(st, who)))
		return TN_EPERM;
	if (number && !ram_is_root(who) && (!ram_is_owner(ram, n, who) || st->n_gid != who->gid))
		return TN_EPERM;
	if (owner)
		o->owner = st->n_uid == who->uid ? tn_user_get(who)
						 : user_of_number(st->n_uid, TN_NONUNAME);
	if (number || name)
		o->group = number ? group_of_number(n, st->n_gid, who) : share(n, who);
	if ((!owner || o->owner) && ((!number && !name) || o->group))
		return TN_OK;
	ram_owners_put(o);
	return TN_ENOMEM;
}

void ram_owners_put(struct ram_owners *o)
{
	if (o->owner)
		tn_user_put(o->owner);
	if (o->group)
		tn_user_put(o->group);
}

/* chown(2): a program does not go on to lend the rights of its owner, or of its group. */
static void lend_no_more(struct ram_node *n)
{
	if (ram_is_dir(n))
		return;
	n->mode &= ~(uint32_t)TN_DMSETUID;
	if (n->mode & 0010)
		n->mode &= ~(uint32_t)TN_DMSETGID;
}

void ram_owners_set(struct ram_node *n, struct ram_owners *o, const struct tn_stat *st)
{
	struct ram_owners old = { NULL, NULL };

	if (o->owner) {
		old.owner = n->owner;
		n->owner = o->owner;
	}
	if (o->group) {
		old.group = n->group;
		n->group = o->group;
	}
	if (st->valid & (TN_ST_NUID | TN_ST_NGID))
		lend_no_more(n);
	ram_owners_put(&old);
}
