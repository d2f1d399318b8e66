/*
 * Name spaces: the mount table. namespace-semantics.md 1-3, 8. A name space is counted and shared by who has it; a fork
 * is a lazy snapshot. Everything here is immediate: it takes Chans that names were already resolved to (name.h) and
 * never waits. On its loop only.
 */
#ifndef TN_CORE_NS_H
#define TN_CORE_NS_H

#include "core/chan.h"

struct tn_ns_limits {
	uint32_t mounts_max; /* members in all heads; 0: 4096 */
	uint32_t union_max;  /* members of one head; 0: 256 */
};

struct tn_ns;
/* Identity -> head. A head: the Chan mounted upon, and the members in search order. */
struct tn_ns_table;

/* One member. Arrays of members are immutable and counted. */
struct tn_member {
	struct tn_chan *to;
	uint32_t flags; /* enum tn_mount_flag */
	uint64_t id;    /* ever rising: the order of ns lines */
	const char *spec; /* the attach name; NULL: none. Counted, the array's own */
	/* A bind of a mounted root: spec is that of the mount that was bound; ns shows it only when asked to. */
	bool spec_of_source;
};

struct tn_members {
	uint32_t refs; /* atomic */
	uint32_t n;
	struct tn_member m[];
};

struct tn_ns *tn_ns_empty(const struct tn_ns_limits *limits); /* NULL limits: defaults */
struct tn_ns *tn_ns_copy(struct tn_ns *ns); /* RFNAMEG: costs a count until either side changes */
struct tn_ns *tn_ns_clean(
    struct tn_ns *ns); /* RFCNAMEG: empty, but what is forbidden stays forbidden */
struct tn_ns *tn_ns_get(struct tn_ns *ns);
void tn_ns_put(struct tn_ns *ns);

/*
 * The members mounted upon c, or NULL: c is no mount point. Counted for the caller. A walk holds the array and needs
 * nothing else of the name space while it waits. *under (may be NULL) gets the head's own Chan, borrowed.
 */
struct tn_members *tn_ns_find(struct tn_ns *ns, const struct tn_chan *c, struct tn_chan **under);

/*
 * The same for a file that nobody holds a Chan of: file `path` of instance `server`. *serial (may be NULL) gets the
 * number of the head: a head that is made anew at the same place has another.
 */
struct tn_members *tn_ns_find_at(struct tn_ns *ns, const struct tn_server *server, uint64_t path,
    struct tn_chan **under, uint64_t *serial);

/* The head with the smallest number above `serial`, as tn_ns_find_at gives it; NULL: there are no more. */
struct tn_members *tn_ns_head_after(struct tn_ns *ns, uint64_t *serial, struct tn_chan **under);

/* Is anything mounted upon a file of this instance? When not, its directories are listed as they are. */
bool tn_ns_mounted_in(const struct tn_ns *ns, const struct tn_server *server);

/*
 * The table as it is now; it never changes again (the name space goes on with another). Counted; NULL: empty. For any
 * thread: what is mounted upon a file of it, borrowed from the table, or NULL.
 */
struct tn_ns_table *tn_ns_snapshot(struct tn_ns *ns);
void tn_ns_table_put(struct tn_ns_table *table);
const struct tn_members *tn_ns_table_find(const struct tn_ns_table *table,
    const struct tn_server *server, uint64_t path);

struct tn_members *tn_members_get(struct tn_members *m);
void tn_members_put(struct tn_members *m);

/*
 * bind(2), mount(2) when both names have been resolved (mount.h does both). `source` is what is to be seen at `target`;
 * `source_members` what was found mounted at the source's name, or NULL; then source is their first. `spec`, the attach
 * name, is copied; NULL: a bind. Checks all, then acts. TN_EBADARG flags, TN_EMOUNT kinds or MCREATE rule, TN_ENOATTACH
 * a mount where tn_ns_forbids, TN_ELIMIT_MOUNTS, TN_ELIMIT_UNION, TN_ENOMEM.
 */
enum tn_err tn_ns_mount(struct tn_ns *ns, struct tn_chan *source, struct tn_members *source_members,
    struct tn_chan *target, uint32_t flags, const char *spec);

/* No unknown bits, and not before and after at once. Asked before the names are looked at. bind(2). */
static inline bool tn_mount_flags_ok(uint32_t flags)
{
	return (flags & ~(uint32_t)TN_MOUNT_FLAGS) == 0 && (flags & TN_ORDER) != TN_ORDER;
}

/* unmount(2). member NULL: all. TN_ENOTMOUNTED, TN_ENOTUNION. */
enum tn_err tn_ns_unmount(struct tn_ns *ns, struct tn_chan *target, const struct tn_chan *member);

/* unmount of the first member that lives on a connection: `lives(to, arg)` says so. */
enum tn_err tn_ns_unmount_where(struct tn_ns *ns, struct tn_chan *target,
    bool (*lives)(const struct tn_chan *to, void *arg), void *arg);

/* RFNOMNT: no mount, no devices but `#|`, `#d`, `#e`, `#c`, `#p`. Never taken back; goes to forks and clean ones. */
void tn_ns_forbid(struct tn_ns *ns);
bool tn_ns_forbids(const struct tn_ns *ns);

/* Unmounts everything. What is forbidden stays so. For the end of a program: a name space may hold itself. */
void tn_ns_clear(struct tn_ns *ns);

/*
 * ns shows from now on what `from` does (a copy of it that was changed): for all who have it, in one step. What is forbidden
 * in either is.
 */
void tn_ns_become(struct tn_ns *ns, const struct tn_ns *from);

/* A number that moves with every change: for whoever caches what a name led to. */
uint64_t tn_ns_version(const struct tn_ns *ns);

/*
 * Every member in the order of the calls that made it: `each` gets the head's Chan and the member. For ns(1)
 * (nsfile.h), for doors that list mount points.
 */
void tn_ns_each(struct tn_ns *ns,
    void (*each)(void *arg, struct tn_chan *under, const struct tn_member *m), void *arg);

#endif
