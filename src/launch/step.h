/*
 * The steps by which a name space of Linux is set up, in their order, and what goes over the sockets between the three
 * processes that do it: the front (the shell's job), S (the server), and CMD before its exec. A failed step travels as
 * (step, errno) and becomes one line at the front: `tenon run: STEP: CAUSE`.
 */
#ifndef TN_LAUNCH_STEP_H
#define TN_LAUNCH_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TN_STEPS(STEP) \
	STEP(NONE, "") \
	STEP(FORK, "fork") \
	STEP(SOCKET, "socketpair") \
	STEP(USERNS, "unshare(CLONE_NEWUSER)") \
	STEP(SETGROUPS, "/proc/self/setgroups") \
	STEP(UID_MAP, "/proc/self/uid_map") \
	STEP(GID_MAP, "/proc/self/gid_map") \
	STEP(MNTNS, "unshare(CLONE_NEWNS)") \
	STEP(SLAVE, "mount / as slave") \
	STEP(OPEN_FUSE, "open /dev/fuse") \
	STEP(OPEN_NS, "open /proc/self/ns") \
	STEP(SESSION, "FUSE session") \
	STEP(COMPOSE, "name space") \
	STEP(SETNS, "setns") \
	STEP(PIDNS, "unshare(CLONE_NEWPID)") \
	STEP(PRIVATE, "mount / as private") \
	STEP(MOUNT_FUSE, "mount the FUSE file system") \
	STEP(SERVER, "the server of the name space") \
	STEP(BIND, "bind") \
	STEP(PIVOT, "pivot_root") \
	STEP(SHARED, "mount / as shared") \
	STEP(MOUNT_PROC, "mount a new /proc") \
	STEP(OPEN_TREE, "open_tree") \
	STEP(ENTER, "enter the program's name space") \
	STEP(JOIN, "enter the name space") \
	STEP(MOVE_MOUNT, "move_mount") \
	STEP(READ_ONLY, "mount_setattr read-only") \
	STEP(UNMOUNT, "umount2") \
	STEP(EXEC, "exec")

enum tn_step {
#define TN_STEP_ENUM(name, text) TN_STEP_##name,
	TN_STEPS(TN_STEP_ENUM)
#undef TN_STEP_ENUM
	TN_STEP_COUNT
};

/* The step's name for people; never NULL. */
const char *tn_step_name(unsigned step);

enum tn_talk_kind {
	TN_TALK_READY,   /* S to front: set up; with the descriptors U (or none), M0, fuse */
	TN_TALK_FAILED,  /* S, CMD or pid 1 to front: step, error; text: more of the cause, or all (step COMPOSE) */
	TN_TALK_MOUNTED, /* CMD to S: the FUSE file system is there; number: M1's inode; device. S answers ROOT.. GO */
	TN_TALK_ROOT,    /* S to CMD: bind the host's /TEXT onto the same name of the new root */
	TN_TALK_SHARED,  /* CMD to S: pivoted, ready for further mounts. S answers GO or FAILED */
	TN_TALK_GO,      /* S to CMD; behind SHARED text may name the directory to begin in */
	TN_TALK_BYE,     /* front to S: an ordinary end; what still runs goes on */
	TN_TALK_INSIDE,  /* CMD to front: the same, to sweep by */
	TN_TALK_PIDS,    /* pid 1 to front: CMD's wait status in `error` */
	TN_TALK_SIGNAL   /* front to pid 1: send the signal `error` to CMD; number: stops of CMD that front has heard of */
};

#define TN_TALK_TEXT 512
#define TN_TALK_FDS  3

/* A message of a SOCK_SEQPACKET socket. Sent with as much of text as is used. */
struct tn_talk {
	uint32_t kind; /* enum tn_talk_kind */
	uint32_t step; /* enum tn_step */
	int32_t error; /* errno, a wait status, a signal */
	uint32_t status; /* FAILED: the exit status that fits (1, 125, 126, 127) */
	uint64_t number;
	uint64_t device; /* dev_t of the FUSE file system */
	char text[TN_TALK_TEXT]; /* terminated */
};

/* Sends *m with n_fds (<= TN_TALK_FDS) descriptors, which stay the caller's. false: errno. Never raises SIGPIPE. */
bool tn_talk_send(int socket, const struct tn_talk *m, const int *fds, int n_fds);

/*
 * Receives one message, waiting for it unless the socket is non-blocking. fds (may be NULL): room for TN_TALK_FDS, unused
 * ones -1, close-on-exec. pid (may be NULL): the sender's, if the socket has SO_PASSCRED. Returns 1; 0 at the end of
 * file, behind the last message even of a peer that was killed; -1 with errno (EBADMSG: not one of ours).
 */
int tn_talk_receive(int socket, struct tn_talk *m, int *fds, pid_t *pid);

/* A message of this kind without more. */
struct tn_talk tn_talk_of(enum tn_talk_kind kind);

/* FAILED at a step with errno; status 125. */
struct tn_talk tn_talk_failed(enum tn_step step, int error);

/* Sends FAILED(step, errno) to `socket` and ends the process with status 125. */
_Noreturn void tn_talk_die(int socket, enum tn_step step, int error);

#endif
