/*
 * Where the commands that look and change (ls cat put stat mkdir rm mv cp) find their names: the tree at a dial string,
 * if the first word is one, else the host's root and the devices.
 */
#ifndef TN_CMD_PLACE_H
#define TN_CMD_PLACE_H

#include "cmd/option.h"
#include "host/posix/hostfs.h"
#include "lib/call.h"

#define CMD_NAMES_MAX 0x7fffffff

struct cmd_place {
	struct tn_host_loop *loop;
	unsigned n_handles; /* libuv's handles that belong to the loop itself */
	struct tn_node *node;
	struct tn_proc *proc;
	struct tn_hostfs_options files; /* of the host: set before cmd_place_start */
	char **names;                   /* the words behind the dial string */
	int n_names;
	struct cmd_progress *progress; /* of a copy; NULL: nobody looks */
};

/*
 * Sets up the place that `a` speaks of. There must be names_min to names_max names
 * behind the dial string. false: it was said why, and *status is to be returned. cmd_place_close either way.
 */
bool cmd_place_open(struct cmd_place *p, const struct cmd_args *a, int names_min, int names_max,
    int *status);
void cmd_place_close(struct cmd_place *p);

/* A loop, a node and a process's part: on the host's root, or with an empty root. false: told. */
bool cmd_place_start(struct cmd_place *p, bool is_clean);

/* cmd_say with the cause of the last failed call. Returns CMD_FAILED, for `return`. */
int cmd_say_call(const char *what, const char *name);

/* One file as stat(5) tells it, its strings terminated: one block, for free(). */
struct cmd_file {
	struct tn_stat st;
	char text[];
};

struct cmd_file *cmd_file_new(const struct tn_stat *st);

struct cmd_files {
	struct cmd_file **file;
	size_t n;
	bool no_memory;
};

/* Everything in the directory, as the name space lists it. -1: tn_call_err(). The files are the caller's either way. */
int cmd_files_read(struct cmd_place *p, const char *directory, bool with_stats,
    struct cmd_files *out);
/* Sorts by name and drops what has the same name as one before it (the first in a union's order wins). */
void cmd_files_sort(struct cmd_files *files);
void cmd_files_free(struct cmd_files *files);

/* `directory`/`name`, for free(); NULL without memory. */
char *cmd_join(const char *directory, struct tn_str name);

/* The last element of a name: "b" of "/a/b/". Points into it. */
struct tn_str cmd_last(const char *name);

static inline bool cmd_is_dir(const struct tn_stat *st)
{
	return st->mode & TN_DMDIR;
}

/* Whether the name is there and a directory. */
bool cmd_is_directory(struct cmd_place *p, const char *name);

/* Permissions of what is made: -m, else `otherwise` less the umask. false: -m is no octal number, told. */
bool cmd_mode(const struct cmd_args *a, uint32_t otherwise, uint32_t *mode);

#endif
