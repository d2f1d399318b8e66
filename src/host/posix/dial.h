/*
 * Dial strings, product.md 1: NET!ADDRESS, by a table of nets. Parsing, connecting without waiting, and the dialer that
 * a client of 9P (link/mnt.h) connects with, and again after a loss.
 */
#ifndef TN_POSIX_DIAL_H
#define TN_POSIX_DIAL_H

#include "host/posix/loop.h"
#include "link/mnt.h"

#define TN_WORDS_SIZE 256 /* for the words of an error, terminated */

enum tn_net { TN_NET_TCP, TN_NET_UNIX, TN_NET_EXEC, TN_NET_FD, TN_NETS };

/* A dial string taken apart. Owns its strings. */
struct tn_dial {
	enum tn_net net;
	char *text; /* the whole of it, for messages */
	char *host; /* tcp: a name, an address or "*"; unix: path or "@name"; exec: the command */
	char *service;         /* tcp: decimal port or a service's name */
	int read_fd, write_fd; /* fd */
};

/* What stands before the `!`. */
const char *tn_net_name(enum tn_net net);

/* The word begins with a known net's name and `!`. Borrowed; any bytes. */
bool tn_is_dial(const char *word);

/*
 * Takes `text` apart. TN_EBADDIAL with the reason in `words` ("tcp!: no host in `tcp!!564`"); TN_ENOMEM. Looks nothing
 * up. tn_dial_fini frees what *d has; after a failure there is nothing to free.
 */
enum tn_err tn_dial_parse(struct tn_dial *d, const char *text, char words[TN_WORDS_SIZE]);
void tn_dial_fini(struct tn_dial *d);

/*
 * How long connecting may take altogether, looking up the name included; each address gets a fair part of what is left.
 */
#define TN_CONNECT_NS UINT64_C(10000000000)

struct tn_connect;

/* What came of it: a transport joined to the engine, or an error; words are "" or the cause, borrowed for the call. */
typedef void tn_connected_fn(void *arg, enum tn_err err, const char *words);

/*
 * Connects `engine` to d (borrowed for this call): looks the host up on a worker, tries its addresses in turn, and joins
 * a transport. `done` is called once, never from inside this call, unless cancelled before. timeout_ns 0:
 * TN_CONNECT_NS. NULL: no memory.
 */
struct tn_connect *tn_connect_start(struct tn_host_loop *h, const struct tn_dial *d,
    struct tn_stream *engine, uint64_t timeout_ns, tn_connected_fn *done, void *arg);

/* Before `done` was called: it will not be, and nothing is joined. */
void tn_connect_cancel(struct tn_connect *c);

/*
 * A dialer for link/mnt.h from a dial string. NULL with *err and words as tn_dial_parse. fd! connects once: after a loss
 * it answers TN_ECONNLOST; its descriptors are the dialer's from here on. The command of exec! is ended with the
 * connection: its input closes; if it is still there a second later it gets SIGTERM, and SIGKILL a second after that.
 */
struct tn_dialer *tn_dialer_new(struct tn_host_loop *h, const char *text, uint64_t timeout_ns,
    enum tn_err *err, char words[TN_WORDS_SIZE]);

/* The same for two descriptors, which are the dialer's (also on an error) and are closed if nobody connects. */
struct tn_dialer *tn_dialer_of_fds(struct tn_host_loop *h, int read_fd, int write_fd,
    enum tn_err *err);

/* ---- for connect.c and listen.c ---- */

struct sockaddr;
struct sockaddr_un;

/* The address as a dial string: "tcp!127.0.0.1!564", "unix!/path", "unix!@name"; "unix!" for one without a name. */
void tn_dial_of_address(const struct sockaddr *address, unsigned len, char *buf, size_t size);

/* d's port: a number, a name in services(5), or 9fs. TN_EBADDIAL with words. */
enum tn_err tn_dial_port(const struct tn_dial *d, uint16_t *port, char words[TN_WORDS_SIZE]);

/* d's socket address; returns its length. */
unsigned tn_dial_unix_address(const struct tn_dial *d, struct sockaddr_un *address);

/*
 * Takes the descriptors of an fd! out of their numbers, which lead to /dev/null (0 to 2) or nowhere afterwards: nobody
 * who prints gets into the stream. TN_EBADFD with words.
 */
enum tn_err tn_dial_take_fds(struct tn_dial *d, int *read_fd, int *write_fd,
    char words[TN_WORDS_SIZE]);

/* What the errno `number` means when one has tried to `what` ("connect to") d: an error and its words. */
enum tn_err tn_dial_failed(const char *what, const struct tn_dial *d, int number,
    char words[TN_WORDS_SIZE]);

/* The same when d's host has no address, for the cause that getaddrinfo gave. */
enum tn_err tn_dial_unresolved(const char *cause, const struct tn_dial *d,
    char words[TN_WORDS_SIZE]);

#endif
