/*
 * The names of the steps, and messages between the processes of a launch with their descriptors. One message is one
 * packet; a short or strange one is refused whole.
 */
#include "launch/step.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const step_names[TN_STEP_COUNT] = {
#define TN_STEP_TEXT(name, text) [TN_STEP_##name] = text,
	TN_STEPS(TN_STEP_TEXT)
#undef TN_STEP_TEXT
};

#define HEAD_SIZE offsetof(struct tn_talk, text)

const char *tn_step_name(unsigned step)
{
	return step < TN_STEP_COUNT ? step_names[step] : "?";
}

struct tn_talk tn_talk_of(enum tn_talk_kind kind)
{
	return (struct tn_talk){ .kind = kind };
}

struct tn_talk tn_talk_failed(enum tn_step step, int error)
{
	return (
	    struct tn_talk){ .kind = TN_TALK_FAILED, .step = step, .error = error, .status = 125 };
}

void tn_talk_die(int socket, enum tn_step step, int error)
{
	struct tn_talk m = tn_talk_failed(step, error);

	tn_talk_send(socket, &m, NULL, 0);
	_exit(125);
}

bool tn_talk_send(int socket, const struct tn_talk *m, const int *fds, int n_fds)
{
	char room[CMSG_SPACE(sizeof(int) * TN_TALK_FDS)] = { 0 };
	struct iovec vec = { (void *)m, HEAD_SIZE + strnlen(m->text, TN_TALK_TEXT - 1) + 1 };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 0) {
		struct cmsghdr *c;

		msg.msg_control = room;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
	}
	do {
		n = sendmsg(socket, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n >= 0;
}

/* Takes the descriptors and the sender out of a message's ancillary data; more descriptors than wanted are closed. */
static void take_control(struct msghdr *msg, int *fds, pid_t *pid)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && pid) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			*pid = cred.pid;
		}
		for (size_t i = 0; c->cmsg_type == SCM_RIGHTS && i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (fds && i < TN_TALK_FDS)
				fds[i] = fd;
			else
				close(fd);
		}
	}
}

int tn_talk_receive(int socket, struct tn_talk *m, int *fds, pid_t *pid)
{
	char room[CMSG_SPACE(sizeof(int) * TN_TALK_FDS) + CMSG_SPACE(sizeof(struct ucred))];
	struct iovec vec = { m, sizeof(*m) };
	struct msghdr msg = { .msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room) };
	ssize_t n;

	if (pid)
		*pid = 0;
	for (int i = 0; fds && i < TN_TALK_FDS; i++)
		fds[i] = -1;
	memset(m, 0, sizeof(*m));
	/*
	 * A peer that died with our message unread resets the socket: that is said once, before what it had sent and the
	 * end of file, which are still to be had.
	 */
	do {
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n <= 0)
		return (int)n;
	take_control(&msg, fds, pid);
	m->text[TN_TALK_TEXT - 1] = '\0';
	if ((size_t)n < HEAD_SIZE) {
		errno = EBADMSG;
		return -1;
	}
	return 1;
}
