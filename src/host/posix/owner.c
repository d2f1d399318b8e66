/*
 * Names of users and groups, looked up once each. A number that has no name is shown as a number.
 */
#include "host/posix/hostfs_in.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNERS_MAX 4096 /* then the table is emptied */

struct owner {
	struct owner *next;
	uint32_t id;
	bool group;
	uint32_t len;
	char name[];
};

struct hf_owners {
	uint32_t n;
	struct owner *buckets[64];
};

struct hf_owners *hf_owners_new(void)
{
	return tn_alloc(sizeof(struct hf_owners));
}

static void forget_all(struct hf_owners *o)
{
	for (size_t i = 0; i < TN_COUNT(o->buckets); i++) {
		while (o->buckets[i]) {
			struct owner *first = o->buckets[i];

			o->buckets[i] = first->next;
			tn_free(first);
		}
	}
	o->n = 0;
}

void hf_owners_free(struct hf_owners *o)
{
	if (!o)
		return;
	forget_all(o);
	tn_free(o);
}

void hf_owners_trim(struct hf_owners *o)
{
	if (o->n >= OWNERS_MAX)
		forget_all(o);
}

static void look_up(uint32_t id, bool group, char *name, size_t size)
{
	char buf[16384];
	struct passwd user, *found_user = NULL;
	struct group entry, *found_group = NULL;

	if (group)
		getgrgid_r(id, &entry, buf, sizeof(buf), &found_group);
	else
		getpwuid_r(id, &user, buf, sizeof(buf), &found_user);
	if (found_group)
		snprintf(name, size, "%s", found_group->gr_name);
	else if (found_user)
		snprintf(name, size, "%s", found_user->pw_name);
	else
		snprintf(name, size, "%u", (unsigned)id);
}

static struct tn_str name_of(struct hf_owners *o, uint32_t id, bool group)
{
	struct owner **bucket = &o->buckets[id % TN_COUNT(o->buckets)], *at;
	char name[256];
	size_t len;

	for (at = *bucket; at; at = at->next) {
		if (at->id == id && at->group == group)
			return (struct tn_str){ at->name, at->len };
	}
	look_up(id, group, name, sizeof(name));
	len = strlen(name);
	at = tn_alloc(sizeof(*at) + len + 1);
	if (!at)
		return TN_STR("none");
	at->id = id;
	at->group = group;
	at->len = (uint32_t)len;
	memcpy(at->name, name, len + 1);
	at->next = *bucket;
	*bucket = at;
	o->n++;
	return (struct tn_str){ at->name, at->len };
}

struct tn_str hf_user_name(struct hf_owners *o, uint32_t uid)
{
	return name_of(o, uid, false);
}

struct tn_str hf_group_name(struct hf_owners *o, uint32_t gid)
{
	return name_of(o, gid, true);
}

/* Copies a name so that it ends. false: no name of anybody is so long. */
static bool terminate(struct tn_str name, char text[256])
{
	if (name.len == 0 || name.len >= 256)
		return false;
	memcpy(text, name.s, name.len);
	text[name.len] = 0;
	return true;
}

static bool number(const char *text, uint32_t *value)
{
	char *end;

	*value = (uint32_t)strtoul(text, &end, 10);
	return *end == 0 && text[0] >= '0' && text[0] <= '9';
}

void hf_user_text(uint32_t uid, char *buf, size_t size)
{
	look_up(uid, false, buf, size);
}

bool hf_user_number(struct tn_str name, uint32_t *uid)
{
	char text[256], buf[16384];
	struct passwd entry, *found = NULL;

	if (!terminate(name, text))
		return false;
	getpwnam_r(text, &entry, buf, sizeof(buf), &found);
	if (found)
		*uid = found->pw_uid;
	return found || number(text, uid);
}

bool hf_group_number(struct tn_str name, uint32_t *gid)
{
	char text[256], buf[16384];
	struct group entry, *found = NULL;

	if (!terminate(name, text))
		return false;
	getgrnam_r(text, &entry, buf, sizeof(buf), &found);
	if (found)
		*gid = found->gr_gid;
	return found || number(text, gid);
}
