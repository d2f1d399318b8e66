/*
 * How a command line composes a name space, product.md 1: binds and mounts with their options, and name space files, in
 * the order given. Everything is checked while it is collected, before anything is started; then it is applied to a
 * process's part, all of it or nothing. For `tenon run` and `tenon export`; the ctl file's lines use the same options.
 */
#ifndef TN_LIB_COMPOSE_H
#define TN_LIB_COMPOSE_H

#include "core/nsfile.h"

#define TN_COMPOSE_ERROR_SIZE 512

/* What `-o` says of one bind or mount. Strings belong to the tn_compose. */
struct tn_mount_options {
	uint32_t flags; /* enum tn_mount_flag */
	bool has_order; /* before or after was said */
	bool read_only;
	bool skip_down;
	bool qids_by_name;
	const char *aname;       /* NULL: "" */
	const char *user;        /* NULL: the process's */
	uint64_t soft_ns;        /* 0: the default; UINT64_MAX: hard */
	enum tn_dialect dialect; /* no other will do; TN_DIALECTS: the best that both know */
};

/* One step: SRC at NAME, or the lines of a name space file. */
struct tn_compose_op {
	bool is_file;
	bool
	    may_create; /* replaces what is there: files may be created in it if SRC itself allows it */
	const char *name; /* cleaned of nothing; absolute. Of a file: its name, for messages */
	const char *src;  /* a name, a `#` name or a dial string */
	struct tn_mount_options with;
	struct tn_ns_script script;
};

struct tn_compose {
	struct tn_compose_op *ops;
	size_t n;
	bool clean;     /* from an empty root, in which mount points appear as they are named */
	bool read_only; /* the whole of it, at the door */
	bool has_next;  /* `next` was filled by -o and waits for the bind or mount that it is for */
	struct tn_mount_options next;
	char *next_text; /* what `next`'s strings point into */
	char **texts;    /* all strings that the ops point into */
	size_t n_texts;
	char what[TN_COMPOSE_ERROR_SIZE];  /* of the last failure: the NAME it is about */
	char error[TN_COMPOSE_ERROR_SIZE]; /* and the cause */
	enum tn_err err; /* the same, if it was a call that failed; TN_OK: see tn_compose_err */
};

void tn_compose_init(struct tn_compose *c);
void tn_compose_fini(struct tn_compose *c);

/*
 * What replaces (-b, -m) may be created in, as in a mount of the kernel, without `-o create`: it is the only member. Lines
 * of files keep Plan 9's rule.
 *
 * The options: `-b -B -a -m NAME=SRC` (flags: TN_REPL, TN_BEFORE, TN_AFTER; is_mount: SRC must be a dial string or a
 * `#srv` file), `-o OPTIONS`, `-n FILE`. false: c->what, c->error say what is wrong.
 */
bool tn_compose_bind(struct tn_compose *c, const char *name_is_src, uint32_t flags, bool is_mount);
bool tn_compose_with(struct tn_compose *c, const char *options);
bool tn_compose_file(struct tn_compose *c, const char *path);

/* `-n` for lines that are at hand, `len` bytes and a NUL; `name` (copied) is that of the file in what is said of them. */
bool tn_compose_text(struct tn_compose *c, const char *name, const char *text, size_t len);

/* SRC (a name or a dial string) at `name`; both stay, as what `with` points to. */
bool tn_compose_add(struct tn_compose *c, const char *name, const char *src,
    const struct tn_mount_options *with);

/* Which error the last failure was: as far as its words tell, if nothing else does; TN_EINVAL for what cannot be read. */
enum tn_err tn_compose_err(const struct tn_compose *c);

/* "NAME: NAME: CAUSE": the longest end that is known as an error; TN_EREMOTE: none is. */
enum tn_err tn_err_of_words(struct tn_str words);

/*
 * In an empty root mount points appear as they are named: makes `name` in it, if what is made there would be seen. TN_OK also
 * when it would not. Blocks as lib/call.h does.
 */
enum tn_err tn_compose_place(struct tn_proc *p, const char *name, bool is_dir);

/* Behind the last: an -o that no bind followed is an error. */
bool tn_compose_end(struct tn_compose *c);

/*
 * Applies all of it to p, whose `/` and `.` are set up: to a fork of its name space, which p gets when all is well.
 * Blocks as lib/call.h does.
 */
bool tn_compose_apply(struct tn_compose *c, struct tn_proc *p);

/*
 * A server for what is at a dial string, through which nobody has attached yet: counted. label is the dial string. NULL: the
 * cause is in words.
 */
struct tn_server *tn_mount_dial(struct tn_loop *loop, const char *dial,
    const struct tn_mount_options *o, enum tn_err *err, char words[TN_COMPOSE_ERROR_SIZE]);

/* The options of one mount from their text; strings point into `text`, which is cut up. false: *bad is the one that is wrong. */
bool tn_mount_options_parse(struct tn_mount_options *o, char *text, const char **bad,
    const char **cause);

/* The names of those options, with "=" behind what takes a value, in the table's order; NULL behind the last. */
const char *tn_mount_option_name(size_t i);

#endif
