/*
 * Server instances, their counting, and the honest defaults of operations.
 */
#ifndef TN_CORE_SERVER_H
#define TN_CORE_SERVER_H

#include "core/loop.h"
#include "core/req.h"

/* Fills *s, which the server's author has allocated: one reference, a new instance number, label = ops->name. */
void tn_server_init(struct tn_server *s, const struct tn_ops *ops, struct tn_loop *home, void *data);

struct tn_server *tn_server_get(struct tn_server *s);
void tn_server_put(struct tn_server *s); /* the last one calls ops->free; takes NULL */

/*
 * Is it a name that a file may be given? TN_EEMPTYNAME, TN_ENAMETOOLONG (over 255 bytes), TN_EEXIST ("." and ".."),
 * TN_EBADCHAR (a slash or a NUL). The rules of intro(5) and of Unix.
 */
enum tn_err tn_new_name_check(struct tn_str name);

/* The function that serves r: the server's own or the default. */
enum tn_status tn_server_call(struct tn_req *r);

#endif
