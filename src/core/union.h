/*
 * An open union directory, and an open directory in which something is mounted: a Chan of a small server of its own that
 * lies over the opened directory. Its TN_READDIR goes through the members by the present list of the head, and gives
 * entries that are mount points the stat of what is mounted there. namespace-semantics.md 6. All else is passed on to
 * the first member.
 *
 * It holds the name space, the identity and the number of the head rather than the head, for a fork is lazy.
 */
#ifndef TN_CORE_UNION_H
#define TN_CORE_UNION_H

#include "core/ns.h"

/*
 * Must the directory c, just opened, be wrapped? under: what the mount point covers, if it has more than one member, else
 * NULL. plain: entries are to stay as they are.
 */
bool tn_union_wants(const struct tn_ns *ns, const struct tn_chan *c, const struct tn_chan *under,
    bool plain);

/*
 * The Chan over `first` (counted anew): of the union mounted on `under`, the head with number `serial`; or, with under
 * NULL, of first alone. fix_entries: show what is mounted. NULL: no memory.
 */
struct tn_chan *tn_union_open(struct tn_ns *ns, struct tn_chan *first, struct tn_chan *under,
    uint64_t serial, bool fix_entries);

/* What lies behind c, which may be any Chan: the first member's opened Chan, or c itself. Borrowed. Its identity counts. */
struct tn_chan *tn_chan_behind(struct tn_chan *c);

/* Inside owner->entry of r, a TN_READDIR on any Chan: the server whose file the entry is (its qid is that one's). */
struct tn_server *tn_entry_server(const struct tn_req *r);

#endif
