/*
 * Serving file servers of the program to others (host/posix/serve.h): on a listening socket, or over descriptors. Who is
 * connected is served whenever some thread turns the loop.
 */
#include "host/posix/serve.h"

#include "core/server.h"
#include "lib/enter.h"

#include <fcntl.h>
#include <unistd.h>

struct tn_loop *tn_home(void)
{
	struct tn_loop *home;

	if (!tn_enter(true))
		return NULL;
	home = tn_program.node->loop;
	tn_leave(0);
	return home;
}

/* Entered, for `server`; NULL: told, and left. */
static struct tn_service *enter_service(struct tn_server *server, bool is_good)
{
	struct tn_service *s = NULL;

	if (!tn_enter(server && is_good))
		return NULL;
	if (server->home != tn_program.node->loop)
		tn_call_set(TN_EBADARG, "the server's home is not tn_home()");
	else if (!(s = tn_service_new(tn_program.loop, server, NULL)))
		tn_call_set(TN_ENOMEM, NULL);
	if (!s)
		tn_leave(-1);
	return s;
}

static void has_ended(void *arg)
{
	*(bool *)arg = true;
}

static bool is_true(const void *what)
{
	return *(const bool *)what;
}

static void end(struct tn_service *s)
{
	bool is_over = false;

	tn_service_end(s, has_ended, &is_over);
	tn_call_wait(tn_program.node->loop, is_true, &is_over);
}

/* Leaves with what became of s. */
static struct tn_service *leave_service(struct tn_service *s, enum tn_err err, const char *words)
{
	if (err) {
		end(s);
		tn_call_set(err, words[0] ? words : NULL);
		return tn_leave_with(NULL);
	}
	tn_program.n_services++;
	return tn_leave_with(s);
}

struct tn_service *tn_serve(struct tn_server *server, const char *dial)
{
	struct tn_service *s = enter_service(server, dial != NULL);
	char words[TN_WORDS_SIZE] = "";

	if (!s)
		return NULL;
	return leave_service(s, tn_service_listen(s, dial, NULL, words), words);
}

struct tn_service *tn_serve_fd(struct tn_server *server, int read_fd, int write_fd)
{
	struct tn_service *s = enter_service(server, true);
	char words[TN_WORDS_SIZE] = "";
	enum tn_err err = TN_EBADFD;
	int in, out;

	if (!s)
		return NULL;
	in = fcntl(read_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	out = fcntl(write_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (in >= 0 && out >= 0) {
		err = tn_service_pair(s, in, out, words);
		in = out = -1; /* taken, also on an error */
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return leave_service(s, err, words);
}

const char *tn_serve_address(const struct tn_service *service)
{
	const char *address = "";

	if (tn_enter(service != NULL)) {
		address = tn_service_address(service);
		tn_leave(0);
	}
	return address;
}

int tn_serve_count(const struct tn_service *service)
{
	struct tn_service_stats stats;

	if (!tn_enter(service != NULL))
		return -1;
	tn_service_stats(service, &stats);
	return (int)tn_leave((int64_t)stats.conns);
}

void tn_serve_end(struct tn_service *service)
{
	if (!service || !tn_enter(true))
		return;
	end(service);
	tn_program.n_services--;
	tn_leave(0);
}
