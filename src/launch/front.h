/*
 * The front: the shell's job. It forks S and CMD, keeps the terminal's rules, passes signals on, and ends as CMD ended.
 * It holds no state of the name space.
 */
#ifndef TN_LAUNCH_FRONT_H
#define TN_LAUNCH_FRONT_H

#include "launch/enter.h"

/* What S is given when its name spaces are there. */
struct tn_serve {
	int front; /* a socket to front, and to CMD until its exec; with SO_PASSCRED */
	bool pids, read_only;
	struct tn_entered entered;
};

struct tn_front {
	const char *who;   /* "tenon run", for messages */
	char *const *argv; /* what to run */
	bool pids, read_only;
	bool kept;  /* an end of argv by SIGKILL is an end like others: S goes on */
	bool joins; /* tn_front_join; serve is of no use */
	/*
	 * S: composes, calls tn_front_ready, serves until the name space has died. Returns S's exit status. A failure to
	 * compose is sent as TN_TALK_FAILED with the whole message in text and the exit status, before tn_front_ready.
	 */
	int (*serve)(void *arg, struct tn_serve *s);
	void *arg;
};

/*
 * Runs f->argv. Returns the exit status: CMD's; 125 when the machine lacks something (said on standard error with the
 * fix), 126, 127; 1 when the name space cannot be composed. When CMD died by a signal it does not return: it dies alike.
 */
int tn_front_run(const struct tn_front *f);

/*
 * The same in a name space that stands: fds are what is entered (enum tn_door, taken), `server` a pidfd of its S (taken), device
 * its file system's. f->pids: there is a pid name space in it. What argv leaves behind goes on, unless it or the front is killed.
 */
int tn_front_join(const struct tn_front *f, int server, const int fds[TN_TALK_FDS], dev_t device);

/*
 * In S: tells the front that all is well, gives it the descriptors, and leaves the terminal's input and output. false:
 * the front is gone.
 */
bool tn_front_ready(struct tn_serve *s);

#endif
