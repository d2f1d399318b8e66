/*
 * A flat directory: a file server's one directory, whose files come and go. What servers of that shape share (#env,
 * #srv): names and numbers, who counts a file, and the requests that are the same for all of them. A server embeds a
 * tn_flat as the first thing of its data and a tn_entry as the first thing of its files.
 *
 * A Chan's aux is its entry, which it counts, or NULL: the directory. A file that was taken out lives on until the last
 * Chan has left it. Numbers rise in the order of making and are never given anew, so the number of the last entry that
 * was read is an offset that stays right whatever comes and goes.
 */
#ifndef TN_CORE_FLAT_H
#define TN_CORE_FLAT_H

#include "core/server.h"

struct tn_entry {
	struct tn_entry *next; /* by path */
	uint32_t refs;         /* the directory, as long as it is listed; Chans */
	uint32_t version;      /* of the qid: the server's to move */
	uint64_t path;
	int64_t mtime_ns; /* of its making; the server's to move */
	bool is_listed;
	uint8_t name_len;
	char *name; /* not terminated; behind the server's own part */
};

struct tn_flat;

struct tn_flat_kind {
	size_t entry_size;  /* of the server's struct */
	uint32_t files_max; /* beyond it TN_ELIMIT_FILES */
	/*
	 * What tn_flat_stat cannot know: *st has the qid, name and times, mode 0666 or the directory's 0777, and owners
	 * after `user` (NULL: nobody). e NULL: the directory.
	 */
	void (*fill)(const struct tn_flat *flat, const struct tn_entry *e, struct tn_stat *st);
	/* The last reference went: what the server holds by the entry. */
	void (*drop)(struct tn_flat *flat, struct tn_entry *e);
};

struct tn_flat {
	const struct tn_flat_kind *kind;
	struct tn_entry *first, **last;
	uint64_t path;    /* the last one given; 0 is the directory's */
	uint32_t n;       /* entries listed */
	uint32_t version; /* moves when a file comes or goes */
	int64_t mtime_ns; /* the same */
};

void tn_flat_init(struct tn_flat *flat, const struct tn_flat_kind *kind);

/* Takes all entries out; Chans may still be at some. */
void tn_flat_clear(struct tn_flat *flat);

/* A new file, zeroed behind its entry. Borrowed. TN_EEXIST, TN_ELIMIT_FILES, TN_ENOMEM, or no legal name (server.h). */
enum tn_err tn_flat_add(struct tn_flat *flat, struct tn_str name, struct tn_entry **out);

/* Borrowed; NULL: there is no such file. */
struct tn_entry *tn_flat_find(const struct tn_flat *flat, struct tn_str name);

/* false: it has gone already. */
bool tn_flat_take_out(struct tn_flat *flat, struct tn_entry *e);

/* Gives back a reference; takes NULL. */
void tn_flat_put(struct tn_flat *flat, struct tn_entry *e);

/* Chan c is at e from now on, and counts it. */
void tn_flat_place(const struct tn_flat *flat, struct tn_chan *c, struct tn_entry *e);

struct tn_qid tn_flat_qid(const struct tn_flat *flat, const struct tn_entry *e);

static inline struct tn_entry *tn_flat_at(const struct tn_chan *c)
{
	return c->aux.p;
}

static inline struct tn_str tn_entry_name(const struct tn_entry *e)
{
	return (struct tn_str){ e->name, e->name_len };
}

/* Operations, for the server's table; its data begins with the tn_flat. The clunk does not know TN_OF_RCLOSE. */
enum tn_status tn_flat_attach(struct tn_req *r);
enum tn_status tn_flat_walk(struct tn_req *r);
enum tn_status tn_flat_stat(struct tn_req *r);
enum tn_status tn_flat_readdir(struct tn_req *r);
enum tn_status tn_flat_clunk(struct tn_req *r);

#endif
