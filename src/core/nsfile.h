/*
 * Name space files, namespace(6): text to operations and back. namespace-semantics.md 11, 12; product.md 4.
 * Parsing is whole and checked before anything is applied: an error names file, line and column.
 */
#ifndef TN_CORE_NSFILE_H
#define TN_CORE_NSFILE_H

#include "core/proc.h"

enum tn_ns_verb { TN_NS_BIND, TN_NS_MOUNT, TN_NS_UNMOUNT, TN_NS_CD, TN_NS_CLEAR, TN_NS_INCLUDE, TN_NS_IMPORT };

/* One line, its words expanded. Strings belong to the tn_ns_script. Absent arguments are NULL. */
struct tn_ns_line {
	enum tn_ns_verb verb;
	uint32_t flags;        /* enum tn_mount_flag */
	const char *src;       /* bind: new; mount: service or dial string; unmount: member; import: host; include: file */
	const char *place;     /* bind, mount, unmount: old; cd: directory; import: mount point */
	const char *spec;      /* mount: attach name; import: remote path */
	const char *file;      /* for messages */
	uint32_t line, column;
};

struct tn_ns_script {
	struct tn_ns_line *lines;
	size_t n;
	char *arena;
};

/* Where parsing stopped. */
struct tn_ns_where {
	const char *file;
	uint32_t line, column; /* from 1 */
	const char *what;      /* "unknown verb", "mount wants 2 or 3 arguments" ... constant */
};

/*
 * Parses `text`. var(arg, name) gives a variable's value or NULL. lenient: lines that are wrong are passed over
 * (namespace(6)'s own habit; `newns`, `addns`), each told to `bad` if that is not NULL. TN_EINVAL with *where, or TN_ENOMEM.
 */
enum tn_err tn_ns_parse(struct tn_ns_script *out, const char *file, const char *text, size_t len,
    const char *(*var)(void *arg, struct tn_str name), void *arg, bool lenient,
    void (*bad)(void *arg, const struct tn_ns_where *where), struct tn_ns_where *where);
void tn_ns_script_free(struct tn_ns_script *s);

/*
 * The lines of ns(1) for p's name space and its current directory, one call of `line` each, terminated, quoted as rc
 * does, without newline. server(arg, chan) names the server of a mounted root ("tcp!host!564").
 */
enum tn_err tn_ns_lines(struct tn_proc *p, bool true_specs, const char *(*server)(void *arg, const struct tn_chan *c),
    void (*line)(void *arg, const char *text), void *arg);

/* rc's quotes: the word as it must be written to be one word. Returns the length, as if buf were large enough. */
size_t tn_quote(const char *word, char *buf, size_t size);

#endif
