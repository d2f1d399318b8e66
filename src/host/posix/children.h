/*
 * The processes that a process has begun, by the kernel's own list: proc(5), /proc/PID/task/TID/children. Of a subreaper,
 * prctl(2), these are in the end all that it and its descendants have begun.
 */
#ifndef TN_HOST_POSIX_CHILDREN_H
#define TN_HOST_POSIX_CHILDREN_H

/* The list of the calling process, which has one thread: opened while the /proc that tells of it is in sight. -1: errno. */
int tn_children_open(void);

/*
 * SIGKILL to those that the list (borrowed) has now. It may be longer than the room here: the others have their turn when
 * these are reaped and it is called again, until there is no child.
 */
void tn_children_kill(int children);

#endif
