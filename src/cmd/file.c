/* Lists of files for the commands that look and change, and what to do with names. */
#include "cmd/place.h"
#include "cmd/say.h"
#include "core/host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int cmd_say_call(const char *what, const char *name)
{
	cmd_say(what, name, tn_call_text());
	return CMD_FAILED;
}

static struct tn_str copy_text(char **to, struct tn_str from)
{
	struct tn_str copy = { *to, from.len };

	if (from.len)
		memcpy(*to, from.s, from.len);
	(*to)[from.len] = '\0';
	*to += from.len + 1;
	return copy;
}

struct cmd_file *cmd_file_new(const struct tn_stat *st)
{
	size_t text = (size_t)st->name.len + st->uid.len + st->gid.len + st->muid.len +
		      st->extension.len + 5;
	struct cmd_file *f = malloc(sizeof(*f) + text);
	char *to;

	if (!f)
		return NULL;
	f->st = *st;
	to = f->text;
	f->st.name = copy_text(&to, st->name);
	f->st.uid = copy_text(&to, st->uid);
	f->st.gid = copy_text(&to, st->gid);
	f->st.muid = copy_text(&to, st->muid);
	f->st.extension = copy_text(&to, st->extension);
	return f;
}

static bool take_entry(void *arg, const struct tn_stat *st)
{
	struct cmd_files *files = arg;
	struct cmd_file **more;
	struct cmd_file *f;

	if ((files->n & (files->n - 1)) == 0) {
		more = realloc(files->file, (files->n ? files->n * 2 : 1) * sizeof(*more));
		if (!more) {
			files->no_memory = true;
			return true;
		}
		files->file = more;
	}
	f = cmd_file_new(st);
	if (f)
		files->file[files->n++] = f;
	else
		files->no_memory = true;
	return true;
}

int cmd_files_read(struct cmd_place *p, const char *directory, bool with_stats,
    struct cmd_files *out)
{
	uint32_t flags = with_stats ? TN_OF_STATS : 0;
	int fd = tn_call_open(p->proc, directory, TN_OREAD);
	int n = fd;

	*out = (struct cmd_files){ 0 };
	while (n >= 0 && (n = tn_call_dirread(p->proc, fd, flags, take_entry, out)) > 0)
		continue;
	if (fd >= 0 && n == 0)
		tn_call_close(p->proc, fd);
	return n;
}

static int compare(const void *a, const void *b)
{
	const struct tn_str x = (*(struct cmd_file *const *)a)->st.name;
	const struct tn_str y = (*(struct cmd_file *const *)b)->st.name;
	int order = memcmp(x.s, y.s, x.len < y.len ? x.len : y.len);

	return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* Merges the two sorted halves of file[0..n) by way of `room`; equal names stay in their order. */
static void merge(struct cmd_file **file, size_t half, size_t n, struct cmd_file **room)
{
	size_t a = 0, b = half;

	for (size_t i = 0; i < n; i++)
		room[i] = b == n || (a < half && compare(&file[a], &file[b]) <= 0) ? file[a++]
										   : file[b++];
	memcpy(file, room, n * sizeof(*file));
}

void cmd_files_sort(struct cmd_files *files)
{
	struct cmd_file **room = malloc((files->n + 1) * sizeof(*room));
	size_t kept = 0;

	/* Stable, for the first of a name is to win; qsort(3) promises no such thing. */
	for (size_t run = 1; room && run < files->n; run *= 2) {
		for (size_t at = 0; at + run < files->n; at += 2 * run) {
			size_t n = files->n - at < 2 * run ? files->n - at : 2 * run;

			merge(files->file + at, run, n, room);
		}
	}
	for (size_t i = 0; i < files->n; i++) {
		if (kept && compare(&files->file[kept - 1], &files->file[i]) == 0)
			free(files->file[i]);
		else
			files->file[kept++] = files->file[i];
	}
	files->n = kept;
	files->no_memory = files->no_memory || !room;
	free(room);
}

void cmd_files_free(struct cmd_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->file[i]);
	free(files->file);
	*files = (struct cmd_files){ 0 };
}

char *cmd_join(const char *directory, struct tn_str name)
{
	size_t len = strlen(directory);
	bool has_slash = len > 0 && directory[len - 1] == '/';
	char *joined = malloc(len + name.len + 2);

	if (!joined)
		return NULL;
	memcpy(joined, directory, len);
	if (!has_slash)
		joined[len++] = '/';
	memcpy(joined + len, name.s, name.len);
	joined[len + name.len] = '\0';
	return joined;
}

struct tn_str cmd_last(const char *name)
{
	size_t end = strlen(name);
	size_t start;

	while (end > 0 && name[end - 1] == '/')
		end--;
	for (start = end; start > 0 && name[start - 1] != '/'; start--)
		continue;
	return (struct tn_str){ name + start, (uint32_t)(end - start) };
}

bool cmd_is_directory(struct cmd_place *p, const char *name)
{
	struct tn_call_stat got;
	bool is;

	if (tn_call_stat(p->proc, name, &got) < 0)
		return false;
	is = cmd_is_dir(&got.st);
	tn_free(got.text);
	return is;
}

bool cmd_mode(const struct cmd_args *a, uint32_t otherwise, uint32_t *mode)
{
	const char *text = cmd_value(a, OPT_MODE);
	mode_t mask;
	char *end;
	unsigned long n;

	if (!text) {
		mask = umask(0);
		umask(mask);
		*mode = otherwise & ~(uint32_t)mask;
		return true;
	}
	n = strtoul(text, &end, 8);
	if (end == text || *end || n > 0777 || text[0] == '-') {
		cmd_usage_error(a->command, text, "no mode: octal, 777 at most");
		return false;
	}
	*mode = (uint32_t)n;
	return true;
}
