/*
 * A file as the kernel of Linux is to see it: mode, owner, numbers, and whether its bytes may be kept.
 */
#include "launch/door.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* One number for (instance, qid.path): the same file has the same under all its names. Never 0. */
uint64_t launch_ino_number(uint64_t instance, uint64_t path)
{
	uint64_t x = path + instance * 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	x ^= x >> 31;
	return x > 1 ? x : x + 2; /* 1 is the root's */
}

/* clang-format off */
static const struct {
	uint32_t dm;
	mode_t type;
} types[] = {
	{ TN_DMDIR, S_IFDIR },
	{ TN_DMSYMLINK, S_IFLNK },
	{ TN_DMNAMEDPIPE, S_IFIFO },
	{ TN_DMSOCKET, S_IFSOCK },
};
/* clang-format on */

/*
 * A device is what its server says it is, and the kernel opens none on a mount of ours: it would be this machine's. Of a
 * server that opens its devices itself they are files, whose bytes it gives; as is one without a number.
 */
static bool is_device(const struct tn_server *server, const struct tn_stat *st)
{
	return st->mode & TN_DMDEVICE && !(server->flags & TN_SF_OPENS_DEVICES) &&
	       st->valid & TN_ST_EXTENSION && st->extension.len > 0;
}

/* "b MAJOR MINOR", or "c MAJOR MINOR". */
static void fill_device(const struct tn_stat *st, struct stat *out)
{
	uint32_t numbers[2] = { 0, 0 };
	int which = -1;

	for (uint32_t i = 1; i < st->extension.len; i++) {
		char c = st->extension.s[i];

		if (c == ' ')
			which++;
		else if (c >= '0' && c <= '9' && which >= 0 && which < 2)
			numbers[which] = numbers[which] * 10 + (uint32_t)(c - '0');
	}
	out->st_mode = (out->st_mode & 07777) | (st->extension.s[0] == 'b' ? S_IFBLK : S_IFCHR);
	out->st_rdev = makedev(numbers[0], numbers[1]);
}

static mode_t mode_of(uint32_t mode)
{
	mode_t out = mode & 0777;

	out |= mode & TN_DMSETUID ? S_ISUID : 0;
	out |= mode & TN_DMSETGID ? S_ISGID : 0;
	out |= mode & TN_DMSETVTX ? S_ISVTX : 0;
	for (size_t i = 0; i < TN_COUNT(types); i++) {
		if (mode & types[i].dm)
			return out | types[i].type;
	}
	return out | S_IFREG;
}

static struct timespec time_of(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	if (t.tv_nsec < 0) {
		t.tv_nsec += 1000000000;
		t.tv_sec--;
	}
	return t;
}

void launch_attr(const struct launch_fuse *f, const struct tn_server *server,
    const struct tn_stat *st, struct stat *out)
{
	memset(out, 0, sizeof(*out));
	out->st_ino = launch_ino_number(server->instance, st->qid.path);
	out->st_mode = mode_of(st->mode | (st->qid.type & TN_QTDIR ? TN_DMDIR : 0));
	out->st_nlink = st->valid & TN_ST_NLINK ? st->nlink : 1;
	if (is_device(server, st))
		fill_device(st, out);
	out->st_uid = f->true_owners && (st->valid & TN_ST_NUID) ? st->n_uid : f->uid;
	out->st_gid = f->true_owners && (st->valid & TN_ST_NGID) ? st->n_gid : f->gid;
	out->st_size = st->length <= INT64_MAX ? (off_t)st->length : INT64_MAX;
	out->st_blksize = st->valid & TN_ST_BLOCKS && st->blksize ? (blksize_t)st->blksize : 4096;
	out->st_blocks = st->valid & TN_ST_BLOCKS ? (blkcnt_t)st->blocks
						  : (blkcnt_t)((st->length + 511) / 512);
	out->st_atim = time_of(st->valid & TN_ST_ATIME ? st->atime_ns : st->mtime_ns);
	out->st_mtim = time_of(st->mtime_ns);
	out->st_ctim = time_of(st->valid & TN_ST_CTIME ? st->ctime_ns : st->mtime_ns);
}

/*
 * By the kind of file, never by its length: a file that is made up when it is read has no pages to keep. A server of
 * this node says so itself; one elsewhere by the type of its stat, as Plan 9's do (a device's letter; 'M' is a mount). A
 * file whose length nobody tells (a server without Tstat) is read to where it ends, and no pages can be.
 */
bool launch_is_direct(const struct tn_server *server, const struct tn_stat *st)
{
	if (st->mode & (TN_DMDIR | TN_DMSYMLINK))
		return false;
	if (!(st->valid & TN_ST_LENGTH))
		return true;
	if (server->flags & (TN_SF_DEVICE | TN_SF_BLOCKS) ||
	    st->mode & (TN_DMDEVICE | TN_DMAPPEND | TN_DMEXCL))
		return true;
	return server->flags & TN_SF_REMOTE && st->type != 0 && st->type != 'M';
}

/* ---- the set of names of a union's listing ---- */

static uint64_t hash_of(struct tn_str name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (uint32_t i = 0; i < name.len; i++)
		h = (h ^ (uint8_t)name.s[i]) * 0x100000001b3u;
	return h;
}

static char **slot_of(struct launch_names *set, struct tn_str name)
{
	size_t i = hash_of(name) & (set->size - 1);

	while (set->slots[i] &&
	       (strlen(set->slots[i]) != name.len || memcmp(set->slots[i], name.s, name.len) != 0))
		i = (i + 1) & (set->size - 1);
	return &set->slots[i];
}

static bool names_grow(struct launch_names *set)
{
	struct launch_names bigger = { .size = set->size ? set->size * 2 : 64 };

	bigger.slots = calloc(bigger.size, sizeof(char *));
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < set->size; i++) {
		if (set->slots[i])
			*slot_of(&bigger, (struct tn_str){ set->slots[i],
					      (uint32_t)strlen(set->slots[i]) }) = set->slots[i];
	}
	bigger.used = set->used;
	free(set->slots);
	*set = bigger;
	return true;
}

bool launch_names_add(struct launch_names *set, struct tn_str name, bool *is_new)
{
	char **slot;

	if (set->used * 2 >= set->size && !names_grow(set))
		return false;
	slot = slot_of(set, name);
	*is_new = *slot == NULL;
	if (*slot)
		return true;
	*slot = strndup(name.s, name.len);
	set->used += *slot != NULL;
	return *slot != NULL;
}

void launch_names_clear(struct launch_names *set)
{
	for (size_t i = 0; i < set->size; i++)
		free(set->slots[i]);
	free(set->slots);
	memset(set, 0, sizeof(*set));
}
