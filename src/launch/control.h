/*
 * Altering and asking a name space from outside of its files: the socket by which `tenon bind`, `mount`, `unmount`, `ns`
 * and `whence` reach the server S of a running `tenon run`, from inside or, with `-p PID`, from outside. The same lines can
 * be written to /n/ns/ctl; the socket's answers have the words of an error, which a write(2) cannot have.
 *
 * The socket is @tenon/UID/MNTNS: the user and the inode of the mount name space that the program has (M1), so whoever
 * stands in one, or can read /proc/PID/ns/mnt of one who does, finds it. Only the same user is answered (SO_PEERCRED).
 * One line each way: the request, a newline; the answer "ok" or "error", a newline, and text up to the end of file.
 * The kernel gives M1's number to others when M1 has died: S whose new number is still listened for asks `yield`.
 */
#ifndef TN_LAUNCH_CONTROL_H
#define TN_LAUNCH_CONTROL_H

#include "host/posix/loop.h"

#include <stdint.h>
#include <sys/types.h>

#define TN_CONTROL_LINE_MAX 65536u /* bytes of a request */

/* ---- S's side ---- */

struct tn_control;
struct tn_control_ask;

/*
 * Listens for the name space whose M1 has this inode. `line` (terminated, without newline; valid until the answer) is
 * carried out by the handler, which answers once, then or later, on the loop. pid: who asks. NULL: errno.
 */
struct tn_control *tn_control_listen(struct tn_host_loop *hl, uint64_t mntns,
    void (*handler)(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid), void *arg);

/* Answers: error NULL: done, and `text` (NULL: nothing) is the result; else what is wrong. Both are copied. */
void tn_control_answer(struct tn_control_ask *ask, const char *error, const char *text);

/* Ends it. Requests without an answer must be answered before or after; the answer then goes nowhere. */
void tn_control_end(struct tn_control *c);

/* ---- the commands' side ---- */

/*
 * Asks the name space of process `pid` (0: of the caller). Waits for at most `timeout_ms`. Returns 0: *answer is the
 * text; 1: *answer is what S said is wrong; -1: there is no such name space, *answer says why in words. The text is to
 * be freed with free(); NULL only without memory.
 */
int tn_control_call(pid_t pid, const char *line, int timeout_ms, char **answer);

/* The inode of a process's mount name space (0: of the caller's). 0: errno. */
uint64_t tn_control_mntns(pid_t pid);

#endif
