/*
 * #env: environment variables, a file a variable. env(3). A group of variables is counted: processes share it, or one
 * takes a copy of it (rfork(2): RFENVG). The file server shows a group; a program's host fills it and reads it out.
 */
#ifndef TN_FS_ENV_H
#define TN_FS_ENV_H

#include "core/server.h"

#define TN_ENV_BYTES_MAX (1u << 20) /* of names and values in a group; beyond it TN_ENOSPC */
#define TN_ENV_VARS_MAX  4096u      /* variables in a group; beyond it TN_ELIMIT_FILES */

struct tn_env;

struct tn_env *tn_env_new(void); /* empty; NULL: no memory */
struct tn_env *tn_env_copy(
    const struct tn_env *env); /* one more, with the same variables; NULL: no memory */
struct tn_env *tn_env_get(struct tn_env *env);
void tn_env_put(struct tn_env *env); /* takes NULL */

/*
 * Gives a variable a value: any bytes, copied. It is made if it is not there. TN_EEMPTYNAME, TN_EBADCHAR (a slash or a
 * NUL), TN_EEXIST ("." or ".."), TN_ENAMETOOLONG (255 bytes): no legal name; TN_ENOSPC, TN_ELIMIT_FILES, TN_ENOMEM.
 */
enum tn_err tn_env_set(struct tn_env *env, struct tn_str name, struct tn_str value);

/* false: there is no such variable. *value is borrowed until the group changes. */
bool tn_env_value(const struct tn_env *env, struct tn_str name, struct tn_str *value);

/* Removes a variable, if it is there. */
void tn_env_unset(struct tn_env *env, struct tn_str name);

/* Each variable in the order in which they were made. `each` changes none. */
void tn_env_each(const struct tn_env *env,
    void (*each)(void *arg, struct tn_str name, struct tn_str value), void *arg);

/* A file server that shows the group (counted). One reference. NULL: no memory. */
struct tn_server *tn_env_server(struct tn_loop *home, struct tn_env *env);

#endif
