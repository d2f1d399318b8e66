/*
 * #cmd: runs commands of the host as files, as Inferno's cmd(3): `clone`, and for each that was cloned a directory N with
 * ctl data stderr status wait. The device keeps names, states and who waits; the processes are the host's, by callbacks.
 *
 * A directory lives as long as a file in it is open. With the last one, and by `kill`, everything that was begun in it is
 * ended.
 */
#ifndef TN_FS_CMD_H
#define TN_FS_CMD_H

#include "core/server.h"

enum {
	TN_CMD_MAX = 64,        /* directories at a time; then TN_ELIMIT_OPEN */
	TN_CMD_ARGS_MAX = 256,  /* words of a command */
	TN_CMD_LINE_MAX = 16384 /* bytes of a line of ctl */
};

/* A command as the host knows it: what the device tells when it starts one, and is told by. */
struct tn_cmd_run;

/* What is to be run. Valid for the call. */
struct tn_cmd_what {
	const char *const *argv; /* terminated by NULL */
	const char *dir;         /* "": as the program's own */
	int nice;
	struct tn_user *user; /* who asks */
};

enum tn_cmd_stream { TN_CMD_IN, TN_CMD_OUT, TN_CMD_ERR };

/*
 * start    Begins what->argv; tn_cmd_started is called once, later; then tn_cmd_ended. *process: for the other calls. An error:
 *          nothing was begun.
 * io       Answers r, a TN_READ of OUT or ERR or a TN_WRITE of IN, or keeps it. A read gives nothing at the end of the stream.
 * flush    r was kept by io: it ends with TN_EINTR.
 * close_in The command's input has an end.
 * kill     Ends all that was begun, soon.
 * put      The device forgets it; no call follows either way, and no request is kept. What still runs is ended.
 */
struct tn_cmd_host {
	void *arg;
	enum tn_err (*start)(void *arg, struct tn_cmd_run *run, const struct tn_cmd_what *what,
	    void **process);
	enum tn_status (*io)(void *process, enum tn_cmd_stream stream, struct tn_req *r);
	void (*flush)(void *process, struct tn_req *r);
	void (*close_in)(void *process);
	void (*kill)(void *process);
	void (*put)(void *process);
};

/* From the host, on the loop. err: it could not be executed, and tn_cmd_ended does not follow. */
void tn_cmd_started(struct tn_cmd_run *run, enum tn_err err);

/* text: what `wait` gives: PID USER-MS SYSTEM-MS REAL-MS 'WORDS', no words if it ended well. Copied. */
void tn_cmd_ended(struct tn_cmd_run *run, const char *text, size_t len);

/* One reference; *host is copied. NULL: no memory. */
struct tn_server *tn_cmd_new(struct tn_loop *home, const struct tn_cmd_host *host);

#endif
