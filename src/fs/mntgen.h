/*
 * #mntgen: a directory in which every name is an empty directory to mount on. mntgen(4).
 */
#ifndef TN_FS_MNTGEN_H
#define TN_FS_MNTGEN_H

#include "core/server.h"

#define TN_MNTGEN_MAX 4096u /* names that are somebody's at a time; beyond it TN_ELIMIT_FILES */

/*
 * A name is listed as long as somebody is there: has walked to it, or has mounted on it. It has the same qid each time.
 * One reference. NULL: no memory.
 */
struct tn_server *tn_mntgen_new(struct tn_loop *home);

#endif
