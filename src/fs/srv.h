/*
 * #srv: services posted by a name, to be mounted. srv(3). The registry knows nothing of connections: what is posted says
 * by functions of its own how an instance to attach to is made of it.
 */
#ifndef TN_FS_SRV_H
#define TN_FS_SRV_H

#include "core/server.h"

#define TN_SRV_MAX      1024u /* names; beyond it TN_ELIMIT_FILES */
#define TN_SRV_TEXT_MAX 1024u /* bytes that a file of #srv shows */

/* Something posted: a connection, a server of this node. Counted: embedded in whatever it is. */
struct tn_post {
	uint32_t refs; /* atomic; tn_post_init: one */
	const struct tn_post_ops *ops;
};

struct tn_post_ops {
	/* A server for a new attach, one reference for the caller, on which a TN_ATTACH follows; or why there is none. */
	enum tn_err (*instance)(struct tn_post *p, struct tn_server **out);
	/* Whether an instance came from it: for the unmount of a service. */
	bool (*lives)(const struct tn_post *p, const struct tn_server *s);
	/* What the file shows, cut at size: the dial string, or what kind of thing it is. Returns the bytes. */
	size_t (*text)(const struct tn_post *p, char *buf, size_t size);
	void (*free)(struct tn_post *p); /* the last reference went */
};

static inline void tn_post_init(struct tn_post *p, const struct tn_post_ops *ops)
{
	p->refs = 1;
	p->ops = ops;
}

struct tn_post *tn_post_get(struct tn_post *p);
void tn_post_put(struct tn_post *p); /* takes NULL */

/* The registry. Counted. */
struct tn_srv;
struct tn_srv *tn_srv_new(void); /* NULL: no memory */
struct tn_srv *tn_srv_get(struct tn_srv *srv);
void tn_srv_put(struct tn_srv *srv);

/*
 * Posts p (counted anew) by a name; only `owner` (counted anew) may remove it through the file server; NULL: nobody.
 * TN_EEXIST, an illegal name as tn_env_set has them, TN_ELIMIT_FILES, TN_ENOMEM.
 */
enum tn_err tn_srv_post(struct tn_srv *srv, struct tn_str name, struct tn_user *owner,
    struct tn_post *p);

/* What is posted by that name, counted for the caller; NULL: nothing. */
struct tn_post *tn_srv_find(const struct tn_srv *srv, struct tn_str name);

/* false: there is no such name. Who has mounted it keeps it. */
bool tn_srv_remove(struct tn_srv *srv, struct tn_str name);

/* Each name in the order of posting. `each` changes nothing. */
void tn_srv_each(const struct tn_srv *srv,
    void (*each)(void *arg, struct tn_str name, struct tn_post *p), void *arg);

/*
 * How a peer posts: it creates a file and writes a dial string to it (`echo 'tcp!host!564' >/srv/x`); `make` turns it
 * into a post with one reference, without waiting for anything, or says why not. Without one (the default) no file can
 * be created.
 */
void tn_srv_maker(struct tn_srv *srv,
    enum tn_err (*make)(void *arg, struct tn_user *who, struct tn_str dial, struct tn_post **out),
    void *arg);

/* A file server that shows the registry (counted). One reference. NULL: no memory. */
struct tn_server *tn_srv_server(struct tn_loop *home, struct tn_srv *srv);

/* What a Chan is a file of #srv for, wherever it was bound to: counted; NULL: it is no such file, or nothing is posted. */
struct tn_post *tn_srv_post_of(const struct tn_chan *c);

#endif
