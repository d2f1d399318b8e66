/*
 * The map of users: read once, by hand, for it has two words a line.
 */
#include "host/posix/usermap.h"

#include "core/chan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 1024
#define ROWS_MAX  4096 /* lines; more is EFBIG */

struct row {
	struct tn_user *peer, *local; /* counted; peer NULL: all others */
};

struct tn_usermap {
	unsigned n;
	struct row row[ROWS_MAX];
};

/* A word as a user: a number is one. NULL: no memory. */
static struct tn_user *user_of(const char *word)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);
	bool is_number = word[0] >= '0' && word[0] <= '9' && *end == 0 && n < UINT32_MAX;

	return tn_user_new((struct tn_str){ word, (uint32_t)strlen(word) },
	    is_number ? (uint32_t)n : TN_NONUNAME, TN_NONUNAME);
}

/* One line. false: it is no such line, or errno. */
static bool add(struct tn_usermap *map, char *line)
{
	static const char blanks[] = " \t\r\n";
	char *save, *peer, *local;
	struct row *row = &map->row[map->n];

	line[strcspn(line, "#")] = 0;
	peer = strtok_r(line, blanks, &save);
	local = peer ? strtok_r(NULL, blanks, &save) : NULL;
	if (!peer)
		return true;
	errno = 0;
	if (!local || strtok_r(NULL, blanks, &save))
		return false;
	errno = map->n == ROWS_MAX ? EFBIG : ENOMEM;
	if (map->n == ROWS_MAX)
		return false;
	row->local = user_of(local);
	row->peer = strcmp(peer, "*") != 0 ? user_of(peer) : NULL;
	map->n++; /* what is there of it is freed with the others */
	return row->local && (row->peer || strcmp(peer, "*") == 0);
}

struct tn_usermap *tn_usermap_read(const char *path, unsigned *line)
{
	struct tn_usermap *map = tn_alloc(sizeof(*map));
	FILE *file = map ? fopen(path, "re") : NULL;
	char text[LINE_SIZE];
	bool good = file != NULL;

	*line = 0;
	errno = map ? errno : ENOMEM;
	for (unsigned n = 1; good && fgets(text, sizeof(text), file); n++) {
		errno = 0;
		good = strlen(text) < sizeof(text) - 1 && add(map, text);
		*line = good || errno ? 0 : n;
	}
	good = good && !ferror(file);
	if (file) {
		int number = errno;

		fclose(file);
		errno = number;
	}
	if (good)
		return map;
	tn_usermap_free(map);
	return NULL;
}

void tn_usermap_free(struct tn_usermap *map)
{
	int number = errno;

	for (unsigned i = 0; map && i < map->n; i++) {
		tn_user_put(map->row[i].peer);
		tn_user_put(map->row[i].local);
	}
	tn_free(map);
	errno = number;
}

/* By number or by name: a peer says of itself what it likes. */
static bool fits(const struct tn_user *peer, const struct tn_user *u)
{
	if (u->uid != TN_NONUNAME && peer->uid == u->uid)
		return true;
	return u->len > 0 && peer->len == u->len && memcmp(peer->name, u->name, u->len) == 0;
}

const struct tn_user *tn_usermap_find(const struct tn_usermap *map, const struct tn_user *u)
{
	for (unsigned i = 0; i < map->n; i++) {
		if (!map->row[i].peer || fits(map->row[i].peer, u))
			return map->row[i].local;
	}
	return NULL;
}
