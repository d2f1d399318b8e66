/*
 * #host: the host's files below one directory, as a file server. Names are resolved below that directory by the kernel
 * (openat2), so that no `..`, no symbolic link and no race leads out of it.
 */
#ifndef TN_POSIX_HOSTFS_H
#define TN_POSIX_HOSTFS_H

#include "core/server.h"
#include "host/posix/usermap.h"

struct tn_hostfs_options {
	bool read_only; /* whatever changes a file is refused with TN_EROFS */
	bool
	    devices; /* devices and fifos may be opened too: reads and writes of them wait on workers */
	/*
	 * Each request acts with the ids of who asks: of his number, or his name in the host's tables, and the groups that he
	 * has there. An unknown name may not attach (TN_EUSERS). Only for a process that may become others: else TN_EPERM.
	 */
	bool as_asker;
	const struct tn_usermap
	    *users; /* with as_asker: whom askers are taken for; borrowed; NULL: each for himself */
	struct tn_user *
	    own; /* with as_asker: requests of this very user are the program's, and act as it does; counted */
	bool squash;       /* with as_asker: whoever asks is the host's nobody, without groups */
	bool all_workers;  /* every file system is treated as one that may hang: for tests */
	uint32_t open_max; /* files open at a time, TN_ELIMIT_OPEN; 0: half of RLIMIT_NOFILE */
	uint32_t
	    held_max; /* descriptors held for files that are not open; 0: a third of RLIMIT_NOFILE */
	uint32_t workers_max; /* calls that hang at a time; 0: 64 */
};

/*
 * Serves the tree at root_path (as it is now: a rename of it later does not matter); its files act with the rights of
 * this process. RLIMIT_NOFILE is raised to its hard limit. options may be NULL. NULL: *err says why.
 */
struct tn_server *tn_hostfs_new(struct tn_loop *loop, const char *root_path,
    const struct tn_hostfs_options *options, enum tn_err *err);

/*
 * Whether there are others whom this process could act for: it is root, and not that of a user name space in which nobody
 * else has a number (unshare -r): that one is an ordinary user by another name.
 */
bool tn_hostfs_has_others(void);

/*
 * A descriptor (O_PATH, close-on-exec, the caller's) of the file that c leads to: for who mounts it by the kernel. -1: c
 * is no file of #host, or errno.
 */
int tn_hostfs_path_fd(const struct tn_chan *c);

struct tn_hostfs_stats {
	uint32_t held, open, places,
	    inodes; /* descriptors held, files open, names and files known */
	uint32_t threads;
	uint64_t inline_calls, worker_calls, flushed;
};
void tn_hostfs_stats(const struct tn_server *s, struct tn_hostfs_stats *out);

#endif
