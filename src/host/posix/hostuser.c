/*
 * As whom #host acts, if it serves others than the user of this process: each act runs with the asker's file system ids
 * and groups, and then this thread is itself again (setfsuid(2), credentials(7)). The kernel decides then as it does for
 * that user's own programs; of the capabilities of root those for files are gone as long. Who is not known to the host
 * gets nothing: there is no way from an unknown name to the rights of this process.
 *
 * The ids of users are looked up at an attach and remembered; requests take them from there.
 */
#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WHO_MAX    256   /* users remembered; beyond it the one who came first is forgotten */
#define GROUPS_MAX 65536 /* Linux's */
#define NOBODY     65534

struct hf_who {
	struct hf_who *next;
	uint32_t refs;
	uint32_t uid, gid;
	bool is_itself; /* root for root: nothing is to be changed, groups give him nothing */
	size_t n_groups;
	gid_t *groups;
	uint32_t asked_uid; /* what the peer said: the number, and the name behind */
	uint32_t len;
	char name[];
};

/* ---- a thread's ids ---- */

/* What is to be gone back to: taken before any thread changed. */
static gid_t own_groups[GROUPS_MAX];
static int n_own_groups = -1;

static __thread const struct hf_who *acting; /* NULL: as this process */

/* The C library's setgroups(3) is for all threads; the kernel's for one. */
static bool set_groups(size_t n, const gid_t *groups)
{
	return syscall(SYS_setgroups, n, groups) == 0;
}

static bool set_ids(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	return (gid_t)setfsgid((gid_t)-1) == gid && (uid_t)setfsuid((uid_t)-1) == uid;
}

/* Going on with anybody else's ids is worse than to end. */
static void be_itself(void)
{
	if (!set_ids(geteuid(), getegid()) || !set_groups((size_t)n_own_groups, own_groups))
		tn_panic("a thread becomes itself again", __FILE__, __LINE__);
	acting = NULL;
}

bool hf_act_as(const struct hf_who *who)
{
	if (who && who->is_itself)
		who = NULL;
	if (who == acting)
		return true;
	if (acting)
		be_itself(); /* whoever acts for another may not become a third */
	if (!who)
		return true;
	if (!set_groups(who->n_groups, who->groups) || !set_ids(who->uid, who->gid)) {
		be_itself(); /* a number that this name space of users does not have */
		return false;
	}
	acting = who;
	return true;
}

uint32_t hf_acting_uid(void)
{
	return acting ? acting->uid : geteuid();
}

const struct hf_who *hf_acting(void)
{
	return acting;
}

/* ---- users ---- */

void hf_who_put(struct hf_who *w)
{
	if (!w || --w->refs > 0)
		return;
	free(w->groups); /* getgrouplist's, by malloc */
	tn_free(w);
}

struct hf_who *hf_who_get(struct hf_who *w)
{
	w->refs++;
	return w;
}

/* All groups of a user. false: no memory, or more than a process can have. */
static bool fill_groups(struct hf_who *w, const char *name)
{
	int n = 32, room;

	do {
		gid_t *more = realloc(w->groups, (size_t)n * sizeof(*more));

		if (!more)
			return false;
		w->groups = more;
		room = n;
		if (getgrouplist(name, w->gid, w->groups, &n) >= 0) {
			w->n_groups = (size_t)n;
			return true;
		}
	} while (n > room && n <= GROUPS_MAX);
	return false;
}

/* The number that a peer has, or that is its name (a user without a name says so). TN_NONUNAME: neither. */
static uint32_t number_of(const struct tn_user *u)
{
	uint64_t n = 0;

	if (u->uid != TN_NONUNAME || u->len == 0)
		return u->uid;
	for (uint32_t i = 0; i < u->len; i++) {
		if (u->name[i] < '0' || u->name[i] > '9' || n >= UINT32_MAX)
			return TN_NONUNAME;
		n = n * 10 + (uint64_t)(u->name[i] - '0');
	}
	return n < UINT32_MAX ? (uint32_t)n : TN_NONUNAME;
}

/* The host's user of that number, or name. A number is one, be there nobody of it: without a group, and without groups. */
static bool look_up(struct hf_who *w, const struct tn_user *u)
{
	struct passwd entry, *found = NULL;
	char name[256], buf[16384];

	w->uid = number_of(u);
	if (w->uid != TN_NONUNAME) {
		getpwuid_r(w->uid, &entry, buf, sizeof(buf), &found);
	} else if (u->len > 0 && u->len < sizeof(name) && !memchr(u->name, 0, u->len)) {
		memcpy(name, u->name, u->len);
		name[u->len] = 0;
		getpwnam_r(name, &entry, buf, sizeof(buf), &found);
	}
	if (!found)
		return w->uid != TN_NONUNAME;
	w->uid = entry.pw_uid;
	w->gid = entry.pw_gid;
	return fill_groups(w, entry.pw_name);
}

static bool is_asked(const struct hf_who *w, const struct tn_user *u)
{
	return w->asked_uid == u->uid && w->len == u->len && memcmp(w->name, u->name, u->len) == 0;
}

/* Nobody's groups are none. */
static bool fill(struct hf_who *w, const struct tn_user *u, bool squash)
{
	w->uid = w->gid = NOBODY;
	return squash || look_up(w, u);
}

static struct hf_who *who_new(const struct hf *hf, const struct tn_user *u)
{
	const struct tn_user *is = hf->o.users ? tn_usermap_find(hf->o.users, u) : u;
	struct hf_who *w = is ? tn_alloc(sizeof(*w) + u->len) : NULL;

	if (!w)
		return NULL;
	w->refs = 1;
	w->asked_uid = u->uid;
	w->len = u->len;
	memcpy(w->name, u->name, u->len);
	if (fill(w, is, hf->o.squash)) {
		w->is_itself = w->uid == 0 && geteuid() == 0 && w->gid == getegid();
		return w;
	}
	hf_who_put(w);
	return NULL;
}

/* The last one of the list, or the one that stands for the same; out of it. */
static void forget(struct hf *hf, const struct tn_user *u)
{
	uint32_t n = 0;

	for (struct hf_who **at = &hf->users; *at;) {
		struct hf_who *w = *at;

		if (!is_asked(w, u) && ++n < WHO_MAX) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		hf_who_put(w);
	}
}

struct hf_who *hf_who_attach(struct hf *hf, const struct tn_user *u)
{
	struct hf_who *w;

	if (!u)
		return NULL;
	w = who_new(hf, u);
	if (!w)
		return NULL;
	forget(hf, u);
	w->next = hf->users;
	hf->users = w;
	return w;
}

struct hf_who *hf_who_of(struct hf *hf, const struct tn_user *u)
{
	for (struct hf_who *w = u ? hf->users : NULL; w; w = w->next) {
		if (is_asked(w, u))
			return w;
	}
	return hf_who_attach(hf, u);
}

void hf_users_free(struct hf *hf)
{
	while (hf->users) {
		struct hf_who *w = hf->users;

		hf->users = w->next;
		hf_who_put(w);
	}
	tn_user_put(hf->o.own);
}

bool tn_hostfs_has_others(void)
{
	FILE *file = geteuid() == 0 ? fopen("/proc/self/uid_map", "re") : NULL;
	unsigned long inside, outside, n = 0;
	bool many = geteuid() == 0; /* a kernel without such name spaces */

	if (file && fscanf(file, "%lu %lu %lu", &inside, &outside, &n) == 3)
		many = n > 1 || fscanf(file, "%lu", &inside) == 1;
	if (file)
		fclose(file);
	return many;
}

bool hf_users_start(void)
{
	gid_t gid = getegid();
	uid_t uid = geteuid();
	bool can, groups;

	if (n_own_groups < 0)
		n_own_groups = getgroups(GROUPS_MAX, own_groups);
	if (n_own_groups < 0)
		return false;
	groups = set_groups(0, NULL);
	can = groups && set_ids(NOBODY, NOBODY);
	if (!set_ids(uid, gid) || (groups && !set_groups((size_t)n_own_groups, own_groups)))
		tn_panic("a thread becomes itself again", __FILE__, __LINE__);
	return can;
}
