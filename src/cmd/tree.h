/* Whole trees: removing and copying them, for rm, cp and mv. An explicit stack, no recursion: trees have any depth. */
#ifndef TN_CMD_TREE_H
#define TN_CMD_TREE_H

#include "cmd/place.h"

/*
 * Removes `name`; with all that is in it when `recursive`. First the removal itself is tried, so that of a symbolic link
 * to a directory the link goes and not what is in the directory. What fails is told; the rest goes on. Exit status.
 */
int cmd_tree_remove(struct cmd_place *p, const char *what, const char *name, bool recursive);

/*
 * Copies `from` to the name `to` (no directory: that name itself). Directories only when `recursive`; into a directory
 * that is there already what is in `from` is added. Permissions come along. Told as above. Exit status.
 */
int cmd_tree_copy(struct cmd_place *p, const char *what, const char *from, const char *to,
    bool recursive);

/* Adds to p->progress what there is to be copied of `from`. What cannot be seen is passed over: the copy will tell. */
void cmd_tree_measure(struct cmd_place *p, const char *from);

/* `to`, or when it is a directory `to`/last element of `from`: where mv and cp put it. For free(); NULL: no memory. */
char *cmd_tree_target(struct cmd_place *p, const char *from, const char *to);

#endif
