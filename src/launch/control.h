/*
 * Altering and asking a name space from outside of its files: the socket by which `tenon bind`, `mount`, `unmount`, `ns`
 * and `whence` reach the server S of a running `tenon run`, from inside or, with `-p PID`, from outside. The same lines can
 * be written to /n/ns/ctl; the socket's answers have the words of an error, which a write(2) cannot have.
 *
 * One that is kept listens by its name, too: @tenon/UID/NAME. The socket is @tenon/UID/MNTNS: the user and the inode of the mount name space that the program has (M1), so whoever
 * stands in one, or can read /proc/PID/ns/mnt of one who does, finds it; /proc/net/unix lists them. Only the same user is
 * answered, and only the same user is believed (SO_PEERCRED): abstract names are anybody's to take.
 * One line each way: the request, a newline; the answer "ok" or "error", a newline, and text up to the end of file.
 * The kernel gives M1's number to others when M1 has died: S whose new number is still listened for asks `yield`.
 */
#ifndef TN_LAUNCH_CONTROL_H
#define TN_LAUNCH_CONTROL_H

#include "host/posix/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#define TN_CONTROL_LINE_MAX 65536u /* bytes of a request */

/* Which name space's socket. */
struct tn_control_at {
	uint64_t mntns;   /* M1's inode */
	const char *keep; /* instead: the name that it is kept by (tenon run --keep) */
	bool is_own;      /* it was asked for as the caller's: for words */
};

/* Whether a name space may be kept by this name: a letter, then letters, digits, '.', '_' and '-', 63 at most. */
bool tn_control_name_ok(const char *name);

/* Its address, for connect and bind. Returns the length. */
socklen_t tn_control_address(struct sockaddr_un *a, const struct tn_control_at *at);

/* ---- S's side ---- */

struct tn_control;
struct tn_control_ask;

/*
 * Listens for a name space. `line` (terminated, without newline; valid until the answer) is carried out by the handler,
 * which answers once, then or later, on the loop. pid: who asks. NULL: errno.
 */
struct tn_control *tn_control_listen(struct tn_host_loop *hl, const struct tn_control_at *at,
    void (*handler)(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid), void *arg);

/* Answers: error NULL: done, and `text` (NULL: nothing) is the result; else what is wrong. Both are copied. */
void tn_control_answer(struct tn_control_ask *ask, const char *error, const char *text);

/* The same with descriptors, of which copies are sent along: see tn_control_doors. n_fds: 3 at most; -1 is no descriptor. */
void tn_control_answer_fds(struct tn_control_ask *ask, const char *text, const int *fds, int n_fds);

/* Ends it. Requests without an answer must be answered before or after; the answer then goes nowhere. */
void tn_control_end(struct tn_control *c);

/* ---- the commands' side: ask.c ---- */

/* The name space of process `pid` (0: of the caller). false: *answer says why there is none. */
bool tn_control_of(pid_t pid, struct tn_control_at *at, char **answer);

/*
 * Asks a name space. Waits for at most `timeout_ms`. Returns 0: *answer is the
 * text; 1: *answer is what S said is wrong; -1: there is no such name space, *answer says why in words. The text is to
 * be freed with free(); NULL only without memory.
 */
int tn_control_ask_at(const struct tn_control_at *at, const char *line, int timeout_ms,
    char **answer);

/* The same for that of a process. */
int tn_control_call(pid_t pid, const char *line, int timeout_ms, char **answer);

/*
 * Asks for what it takes to enter: fds gets three descriptors (enum tn_door), close-on-exec, -1: none; *server a pidfd of S.
 * All are the caller's if 0 is returned.
 */
int tn_control_doors(const struct tn_control_at *at, int timeout_ms, int fds[3], int *server,
    char **answer);

/*
 * Asks every name space of this user that is to be seen from here (abstract sockets belong to a network name space) and
 * calls `each` with S's process, and status and answer (borrowed) as of tn_control_call: -1 when none came within
 * timeout_ms; then S's process may be unknown, 0. Returns 0, or an errno: the list of sockets cannot be read.
 */
int tn_control_each(const char *line, int timeout_ms,
    void (*each)(void *arg, pid_t server, int status, const char *answer), void *arg);

/* The inode of a process's mount name space (0: of the caller's). 0: errno. */
uint64_t tn_control_mntns(pid_t pid);

#endif
