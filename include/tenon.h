/*
 * Plan 9's system calls for a thread of a program: names, files, and file servers in a name space of its own.
 *
 *     tn_ns_use(tn_ns_new(TN_NS_EMPTY));               this thread has a name space from here on
 *     tn_mount("tcp!node!564", "/n", TN_REPL, "", NULL);
 *     fd = tn_open("/n/dev/temperature", TN_OREAD);
 *     n = tn_read(fd, buf, sizeof(buf));
 *
 * Errors     A call that fails returns -1 (or NULL, where it returns a pointer); then tn_errno() says which error it is
 *            and tn_errstr() has the words for it, a server's own if it has any. Each contract names the errors of the
 *            call itself; those of the servers that it asks come beside them: TN_EACCES, TN_ECONNLOST and others.
 *            Any call may fail with TN_ENOMEM; with TN_EBADARG for a pointer that is NULL where nothing says that it
 *            may be, and for a flag that is not named; with TN_EDEADLK inside of a server's function. Nothing is half
 *            done.
 * Names      UTF-8 or any other bytes, terminated; "/a/b" from the root, "a/b" from the thread's `.`, "#ram" a device.
 *            A call that takes one fails with TN_EINVAL in a thread that has no name space. Limits: 64 KiB a name, 4096
 *            mounts a name space, 256 members a union, 65536 open files a program; each has an error of its own.
 * Threads    Any call, from any thread, at any time, but where a contract says otherwise. A thread that waits holds up
 *            no other one. A descriptor is the program's: any thread may use it, whatever its name space; two that read
 *            or write one at a time share its offset, so they better use tn_pread and tn_pwrite. No call is a
 *            cancellation point, and a signal does not end one (but tn_loop_turn). Not from a signal's handler.
 * Waiting    A call waits until its servers answer. Those that are mounted answer or fail within the mount's bound (10
 *            seconds, or `soft=`); those in this program when they like. There is no thread behind the calls: whoever
 *            waits moves the bytes of all. Who serves others and has nothing to wait for calls tn_loop_turn.
 * Global     The library keeps, for the whole program: one home loop with its descriptors of the system, the table of
 *            descriptors, the devices (`#srv` and `#cons` are one for all name spaces). It sets SIGPIPE to be ignored,
 *            if it had its default; with the host's files (TN_NS_HOST, `#host`) it raises RLIMIT_NOFILE to the hard
 *            limit; with exec! it handles SIGCHLD. tn_end gives back what can be given back. After fork(2) the child
 *            may not call the library.
 */
#ifndef TENON_H
#define TENON_H

#include "tenon/server.h"

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* ---- name spaces ---- */

/*
 * A thread's part: a name space with its root, the current directory `.`, the environment (`#env`), who asks. Opaque.
 * Counted: by each tn_ns_new, tn_ns_fork and tn_ns_share, which tn_ns_free gives back, and by each thread that uses it.
 */
struct tn_proc;

/* How a name space is made: a set of these. */
enum tn_ns_how {
	TN_NS_EMPTY = 0,  /* its root is an empty directory, in which mount points appear as they are named */
	TN_NS_HOST = 1,   /* its root is that of the host's files, with the rights of this program */
	TN_NS_NOMOUNT = 2 /* nothing is mounted in it, and no devices but #pipe #fd #env #cons #proc are named. Lasts */
};

/*
 * Makes a name space: TN_NS_EMPTY or TN_NS_HOST, | TN_NS_NOMOUNT. `.` is the root, the environment a copy of the
 * program's. No thread uses it yet.
 *
 * Returns   One reference, for tn_ns_free. NULL: TN_ENOMEM; with TN_NS_HOST what keeps one from the host's root.
 */
struct tn_proc *tn_ns_new(unsigned how);

/*
 * Makes a copy: what is bound, mounted or unmounted in either from now on is not seen in the other. rfork(2), RFNAMEG.
 * Costs little until then: the two share what neither has changed. Open files, `#env` and servers are the same ones.
 *
 * ns        Borrowed; NULL: the calling thread's.
 * how       0; TN_NS_NOMOUNT: no more mounts from here on, in the copy. What `ns` may not the copy may not.
 * Returns   One reference, for tn_ns_free. NULL: TN_EINVAL ns is NULL and the thread has none.
 */
struct tn_proc *tn_ns_fork(struct tn_proc *ns, unsigned how);

/*
 * Makes a part in the same name space: what is bound in either is seen in both; each has its own `.`, at first that of
 * ns. rfork(2) without RFNAMEG. Threads that use the very same part share `.` too.
 *
 * ns, Returns  As tn_ns_fork.
 */
struct tn_proc *tn_ns_share(struct tn_proc *ns);

/*
 * The calling thread uses ns from now on (counted: it may be freed at once), and gives up what it used before. It gives
 * it up too when it ends. NULL: it has none.
 *
 * Returns   0; -1: TN_EDEADLK.
 */
int tn_ns_use(struct tn_proc *ns);

/* What the calling thread uses, borrowed until it uses another; NULL: none. */
struct tn_proc *tn_ns_current(void);

/*
 * Gives back one reference. With the last one, threads' too, the name space goes, and mounts that nothing else holds
 * are hung up. Takes NULL. A name space in which a server is mounted that itself holds it never goes: unmount that
 * first.
 */
void tn_ns_free(struct tn_proc *ns);

/*
 * Writes the name space as lines of namespace(6) that make it again, the last one `cd` to its `.`; ns(1). Servers that
 * were mounted by tn_mount_server and tn_mount_fd have names there that nobody can dial.
 *
 * ns        Borrowed; NULL: the calling thread's.
 * buf       Gets the text, terminated, cut at `size` bytes; NULL if size is 0.
 * Returns   Bytes of the whole text, without the NUL. -1: TN_EINVAL as tn_ns_fork.
 */
int64_t tn_ns_print(struct tn_proc *ns, char *buf, size_t size);

/*
 * Carries out the lines of a name space file, namespace(6): bind, mount, unmount, import, cd, clear and `. FILE`, with
 * $VARIABLES of the program's environment. All of it or nothing, in one step for whoever shares the name space. What
 * can dial can run programs (exec!) and use this program's descriptors (fd!): the text is trusted.
 *
 * ns        Borrowed; NULL: the calling thread's.
 * text      Up to 1 MiB, terminated; borrowed.
 * Returns   0. -1, and tn_errstr() says where: "text:LINE:COLUMN: NAME: CAUSE". TN_EINVAL it cannot be read; TN_EBUSY
 *           others went on changing the name space meanwhile; else the error of the line that failed.
 */
int tn_ns_apply(struct tn_proc *ns, const char *text);

/* ---- bind and mount: in the calling thread's name space ---- */

/*
 * Makes `name` visible at `old`. bind(2), bind(1).
 *
 * name, old  Resolved now: what changes on the way to them later does not matter. Borrowed. In an empty root
 *           (TN_NS_EMPTY) `old` appears if it is not there, and the directories above it.
 * flags     One of TN_REPL (instead of what is there), TN_BEFORE, TN_AFTER (a union with it); | TN_CREATE_HERE: files
 *           that are created in the union are created in `name`; | TN_CACHE.
 * Returns   0. -1: TN_ENOENT either name; TN_EMOUNT a file upon a directory or the reverse, or a union that forbids
 *           creation; TN_ENODEV no such device; TN_ENOATTACH a `#` name that TN_NS_NOMOUNT forbids; TN_ELIMIT_MOUNTS,
 *           TN_ELIMIT_UNION.
 */
int tn_bind(const char *name, const char *old, unsigned flags);

/*
 * Connects to the 9P server at a dial string and makes its tree visible at `old`. mount(2). A connection that is lost
 * is made again when it is used next; until then names below fail with TN_ECONNLOST.
 *
 * dial      tcp!HOST!PORT, unix!/PATH, unix!@NAME, exec!COMMAND (its input and output speak 9P), fd!R,W (taken out of
 *           their numbers). Borrowed, as all strings here.
 * old, flags  As tn_bind.
 * aname     Which of the server's trees; "" or NULL: the usual one.
 * options   NULL, or as behind -o of tenon(1), with commas: ro, user=U, soft=SECONDS or hard, skip-down, qids=names,
 *           dialect=D. They hold for what is dialled.
 * Returns   0. -1: TN_EBADDIAL; TN_ECONNREFUSED, TN_ENOHOST, TN_EHOSTUNREACH, TN_ETIMEDOUT; TN_EBADVERSION it speaks no
 *           9P that is known here; TN_EBADATTACH, TN_ENEEDAUTH the server's; TN_EBADARG an option; else as tn_bind.
 */
int tn_mount(const char *dial, const char *old, unsigned flags, const char *aname, const char *options);

/*
 * tn_mount over descriptors of the system, a pipe or socket each or one for both, at whose other end a server speaks
 * 9P. The library uses copies: the caller may close its own at once, and a peer sees the end when both have. A
 * connection that is lost stays lost.
 *
 * Returns   0. -1: TN_EBADFD not open, or not for reading and writing; else as tn_mount.
 */
int tn_mount_fd(int read_fd, int write_fd, const char *old, unsigned flags, const char *aname);

/*
 * Makes a file server of this program visible at `old`, without a connection between: its functions are called by
 * whoever uses the names.
 *
 * server    Counted as long as it is mounted or files of it are open. Its home is tn_home(): TN_EBADARG if not.
 * Returns   0. -1: what its TN_ATTACH says; else as tn_bind.
 */
int tn_mount_server(struct tn_server *server, const char *old, unsigned flags, const char *aname);

/*
 * Takes away what is seen at `old`. bind(2), unmount.
 *
 * name      Which member of a union: what was bound or mounted there. NULL: all that is.
 * Returns   0. -1: TN_ENOTMOUNTED nothing is; TN_ENOTUNION `name` is no member; TN_ENOENT either name.
 */
int tn_unmount(const char *name, const char *old);

/* The thread's part has `.` at `name` from now on. chdir(2). 0. -1: TN_ENOENT, TN_ENOTDIR. */
int tn_chdir(const char *name);

/*
 * Writes the name of `.`, terminated. getwd(2): the name by which one came there.
 *
 * Returns   Its bytes without the NUL. -1: TN_ERANGE `size` bytes are too few.
 */
int tn_getwd(char *buf, size_t size);

/* ---- files ---- */

/*
 * Opens a file or directory. open(2).
 *
 * flags     One of TN_OREAD, TN_OWRITE, TN_ORDWR, TN_OEXEC; | TN_OTRUNC cut to nothing, TN_ORCLOSE removed when closed,
 *           TN_OF_APPEND, TN_OF_DIRECTORY only if it is one, TN_OF_NOFOLLOW fails at a symbolic link, TN_OF_SYNC.
 * Returns   A descriptor, the smallest that is free. -1: TN_ENOENT, TN_EACCES, TN_EISDIR, TN_ENOTDIR; TN_ELOOP too many
 *           symbolic links; TN_ELIMIT_OPEN.
 */
int tn_open(const char *name, unsigned flags);

/*
 * Makes a file or directory, open; what is there already is opened and cut to nothing instead, with its permissions
 * (unless TN_OF_EXCL). create(2), open(2). In a union it is made in the first member that allows it.
 *
 * flags     As tn_open; | TN_OF_EXCL: it must be new. For a directory TN_OREAD.
 * perm      Permissions, cut by those of the directory as open(5) has it; | TN_DMDIR, TN_DMAPPEND, TN_DMEXCL, TN_DMTMP.
 * Returns   As tn_open. -1: TN_ENOCREATE no member of the union allows it; TN_EEXIST; TN_EISMOUNT; else as tn_open.
 */
int tn_create(const char *name, unsigned flags, uint32_t perm);

/*
 * Reads up to `size` bytes where the descriptor's offset is, which moves; tn_pread: at `offset`, and nothing moves.
 * read(2).
 *
 * Returns   Bytes read, also fewer than there are; 0: the end. -1: TN_EBADFD no such descriptor; TN_EBADUSE not open
 *           for reading; TN_EISDIR a directory: tn_dirread.
 */
int64_t tn_read(int fd, void *buf, size_t size);
int64_t tn_pread(int fd, void *buf, size_t size, uint64_t offset);

/* As tn_read and tn_pread: bytes that the server has taken, maybe fewer. write(2). TN_EBADUSE: not open for writing. */
int64_t tn_write(int fd, const void *buf, size_t size);
int64_t tn_pwrite(int fd, const void *buf, size_t size, uint64_t offset);

/*
 * Moves the offset of a descriptor. seek(2). A directory can only go back to its start (0, 0).
 *
 * whence    0: to `offset`; 1: by it; 2: to the file's end and by it. SEEK_SET, SEEK_CUR, SEEK_END.
 * Returns   The new offset. -1: TN_EBADFD; TN_EBADARG whence; TN_EBADOFFSET before the start; TN_EISDIR.
 */
int64_t tn_seek(int fd, int64_t offset, int whence);

/*
 * Closes a descriptor. close(2). It is free in any case. Calls of other threads that use it go on to their end; then
 * nothing is told here of how the server closed the file.
 *
 * Returns   0. -1: TN_EBADFD; else what the server says of the end: what was written may be lost.
 */
int tn_close(int fd);

/*
 * Reads entries of an open directory. dirread(2). A union's entries come member by member, with duplicates.
 *
 * st        Room for n; filled as tn_stat does.
 * strings   `size` bytes in which their strings lie afterwards. An entry that finds no room comes with the next call.
 *           NULL (size 0): strings are empty, and their bits in `valid` are not set.
 * Returns   How many; 0: there are no more. -1: TN_EBADFD, TN_EBADUSE, TN_ENOTDIR; TN_ERANGE not even one finds room;
 *           TN_EBADARG n is less than 1. What fails behind the first of them is told by the next call.
 */
int tn_dirread(int fd, struct tn_stat *st, int n, char *strings, size_t size);

/* Bytes of strings that are room enough for a file in any case but for a long target of a symbolic link. */
enum { TN_STRINGS_SIZE = 1280 };

/*
 * What is known of a file: by its name, behind mount points and symbolic links; or an open one. stat(2), stat(5).
 *
 * st        `valid` says what is known. Its name is that by which one came there.
 * strings   `size` bytes in which the strings of *st lie afterwards, each with a NUL behind it. NULL (size 0): strings
 *           are empty, and their bits in `valid` are not set.
 * Returns   0. -1: TN_ENOENT; TN_EBADFD; TN_ERANGE no room for the strings.
 */
int tn_stat(const char *name, struct tn_stat *st, char *strings, size_t size);
int tn_fstat(int fd, struct tn_stat *st, char *strings, size_t size);

/*
 * Changes what st->valid names, all of it or nothing: TN_ST_NAME (a name in the same directory), TN_ST_MODE,
 * TN_ST_LENGTH, TN_ST_MTIME, TN_ST_GID and what else a server takes. Nothing (0): what was written is made to last.
 * wstat(2), stat(5).
 *
 * Returns   0. -1: TN_ENOENT; TN_EBADFD; TN_EISMOUNT a mount point is not renamed; TN_EPERM, TN_EACCES the server's.
 */
int tn_wstat(const char *name, const struct tn_stat *st);
int tn_fwstat(int fd, const struct tn_stat *st);

/* Removes a file or an empty directory. remove(2). 0. -1: TN_ENOENT, TN_EISMOUNT, TN_ENOTEMPTY, TN_EACCES. */
int tn_remove(const char *name);

/* ---- errors ---- */

/*
 * The error of the calling thread's last call of this header, TN_OK if it was well; and its words: the server's, else
 * tn_err_text of the error, cut at TN_ERRSTR_MAX bytes; borrowed until the thread's next call. errstr(2). A number for
 * perror(3) and the like is tn_err_linux(tn_errno()).
 */
enum tn_err tn_errno(void);
const char *tn_errstr(void);
enum { TN_ERRSTR_MAX = 511 };

/* ---- serving ---- */

/* The home of the file servers of this program: what tn_device_server and tn_server_init take. NULL: TN_ENOMEM. */
struct tn_loop *tn_home(void);

/* A file server that is served to others. Opaque. */
struct tn_service;

/*
 * Serves a file server to whoever connects, in any dialect of 9P. Nobody is answered but while a thread is
 * in a call: one that has nothing else to do calls tn_loop_turn. Who connects is who he says he is.
 *
 * server    Counted until the service's end. Its home is tn_home(): TN_EBADARG if not.
 * dial      Where to listen: tcp!HOST!PORT ("*": everywhere; port 0: any that is free), unix!/PATH, unix!@NAME.
 * Returns   The service, for tn_serve_end. NULL: TN_EBADDIAL; TN_EADDRINUSE; TN_EACCES. Looks HOST up, which may take
 *           a while in which nobody else is served.
 */
struct tn_service *tn_serve(struct tn_server *server, const char *dial);

/*
 * Serves it to one peer over descriptors of the system, as tn_mount_fd has them: a socket, two pipes, standard input
 * and output. The library uses copies.
 *
 * Returns   As tn_serve. NULL: TN_EBADFD.
 */
struct tn_service *tn_serve_fd(struct tn_server *server, int read_fd, int write_fd);

/* Where it listens, as a dial string with the port that it got; "" of tn_serve_fd. Borrowed until tn_serve_end. */
const char *tn_serve_address(const struct tn_service *service);

/* How many peers are connected now. */
int tn_serve_count(const struct tn_service *service);

/*
 * Listens no more, hangs up on all peers and frees the service; waits a few seconds at most for what was being said.
 * Takes NULL.
 */
void tn_serve_end(struct tn_service *service);

/* ---- a loop of the caller's ---- */

/*
 * One turn of the library's loop: waits until something happens (or something else wakes it), moves bytes, lets servers
 * work. The main loop of a program that only serves is `while (tn_loop_turn(-1) == 0) ...`.
 *
 * wait_ms   How long it may wait; 0: not at all; -1: as long as it takes. It may come back early.
 * Returns   0, also when a signal was handled meanwhile. -1: TN_EDEADLK.
 */
int tn_loop_turn(int wait_ms);

/*
 * For a program with a loop of its own, in the place of tn_loop_turn(-1): it polls the descriptor tn_loop_fd for
 * reading, for tn_loop_wait_ms milliseconds at most (-1: as long as it takes), and then calls tn_loop_turn(0).
 * tn_loop_wait_ms is asked again before each sleep. The descriptor stays the same until tn_end and is never read. -1:
 * TN_ENOMEM.
 */
int tn_loop_fd(void);
int tn_loop_wait_ms(void);

/* Ends the wait of tn_loop_turn, of some thread. Threads: any; also from inside of a server's function. */
void tn_loop_wake(void);

/*
 * Lines that the library has to say (a connection that was lost, a peer that was refused) go to `line` from now on:
 * without a newline, borrowed for the call, on any thread, and never from two at a time; it may call nothing of this
 * header. NULL, as at first: nowhere but to `#cons/console`, where they can be read.
 */
void tn_log_to(void (*line)(const char *text, size_t len));

/*
 * Gives back all that the library has: for the end of a program, or before it is unloaded. The calling thread's name
 * space is given up, files that are still open are closed, and what is to be said to servers is said, for a few seconds
 * at most. A call later begins anew.
 *
 * Returns   0. -1: TN_EBUSY another thread is in a call or uses a name space, or there is a reference of one or a
 *           service.
 */
int tn_end(void);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
