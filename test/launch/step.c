/* Messages between the processes of a launch, and the table of fixes. */
#include "launch/step.h"

#include "launch/doctor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];

static int open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int close_pair(void **state)
{
	(void)state;
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
	return 0;
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	struct tn_talk sent = tn_talk_failed(TN_STEP_PIVOT, EINVAL), got;

	(void)state;
	sent.number = UINT64_MAX;
	sent.device = 40;
	strcpy(sent.text, "/a/b");
	assert_true(tn_talk_send(ends[0], &sent, NULL, 0));
	assert_int_equal(tn_talk_receive(ends[1], &got, NULL, NULL), 1);
	assert_memory_equal(&got, &sent, sizeof(got));
}

/* The receiver's copies are the same files, and are closed by an exec. */
static void descriptors_travel_with_a_message(void **state)
{
	struct tn_talk m = tn_talk_of(TN_TALK_READY);
	int fds[TN_TALK_FDS], sent[2];
	struct stat a, b;

	(void)state;
	assert_int_equal(pipe(sent), 0);
	assert_true(tn_talk_send(ends[0], &m, sent, 2));
	assert_int_equal(tn_talk_receive(ends[1], &m, fds, NULL), 1);
	assert_int_equal(fstat(sent[0], &a), 0);
	assert_int_equal(fstat(fds[0], &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(fds[2], -1);
	for (int i = 0; i < 2; i++) {
		close(sent[i]);
		close(fds[i]);
	}
}

/* Who asked for none must not collect them. */
static void descriptors_that_nobody_asked_for_are_closed(void **state)
{
	struct tn_talk m = tn_talk_of(TN_TALK_READY);
	int pipe_ends[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(pipe_ends), 0);
	assert_true(tn_talk_send(ends[0], &m, &pipe_ends[1], 1));
	close(pipe_ends[1]);
	assert_int_equal(tn_talk_receive(ends[1], &m, NULL, NULL), 1);
	assert_int_equal(read(pipe_ends[0], &byte, 1), 0);
	close(pipe_ends[0]);
}

static void the_sender_is_known_where_it_is_wanted(void **state)
{
	struct tn_talk m = tn_talk_of(TN_TALK_MOUNTED);
	const int on = 1;
	pid_t pid;

	(void)state;
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	assert_true(tn_talk_send(ends[0], &m, NULL, 0));
	assert_int_equal(tn_talk_receive(ends[1], &m, NULL, &pid), 1);
	assert_int_equal(pid, getpid());
}

static void the_end_of_the_other_side_is_an_end(void **state)
{
	struct tn_talk m;

	(void)state;
	close(ends[1]);
	ends[1] = -1;
	assert_int_equal(tn_talk_receive(ends[0], &m, NULL, NULL), 0);
	assert_false(tn_talk_send(ends[0], &m, NULL, 0)); /* and no SIGPIPE */
}

/* unix(7): the reset is told before what had been sent, and only once. */
static void the_last_word_of_who_left_ours_unread_is_heard(void **state)
{
	struct tn_talk unread = tn_talk_of(TN_TALK_SIGNAL), sent = tn_talk_of(TN_TALK_PIDS), got;

	(void)state;
	sent.error = 0x600;
	assert_true(tn_talk_send(ends[0], &unread, NULL, 0));
	assert_true(tn_talk_send(ends[1], &sent, NULL, 0));
	close(ends[1]);
	ends[1] = -1;
	assert_int_equal(tn_talk_receive(ends[0], &got, NULL, NULL), 1);
	assert_memory_equal(&got, &sent, sizeof(got));
	assert_int_equal(tn_talk_receive(ends[0], &got, NULL, NULL), 0);
}

static void a_packet_that_is_no_message_is_refused(void **state)
{
	struct tn_talk m;

	(void)state;
	assert_int_equal(send(ends[0], "x", 1, 0), 1);
	assert_int_equal(tn_talk_receive(ends[1], &m, NULL, NULL), -1);
	assert_int_equal(errno, EBADMSG);
}

static void every_step_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = TN_STEP_FORK; i < TN_STEP_COUNT; i++)
		assert_true(tn_step_name(i)[0] != '\0');
	assert_string_equal(tn_step_name(TN_STEP_COUNT), "?");
}

/* launcher.md section 6: the rows that were seen, by step and errno. */
static const struct {
	enum tn_step step;
	int error;
	const char *message, *in_fix;
} rows[] = {
	{ TN_STEP_OPEN_FUSE, ENOENT, "no FUSE in this kernel", "modprobe fuse" },
	{ TN_STEP_OPEN_FUSE, EACCES, "no right to /dev/fuse", "0666" },
	{ TN_STEP_OPEN_FUSE, EPERM, "no right to /dev/fuse", "--device /dev/fuse" },
	{ TN_STEP_USERNS, ENOSPC, "no user name space is left", "max_user_namespaces" },
	{ TN_STEP_USERNS, EPERM, "user name spaces are forbidden here", "chroot" },
	{ TN_STEP_GID_MAP, EPERM, "AppArmor forbids it (Ubuntu 23.10 and later)",
	    "apparmor_parser" },
	{ TN_STEP_PIVOT, EINVAL,
	    "/ is an initramfs or a shared mount, on which pivot_root never works", "chroot" },
	{ TN_STEP_MOUNT_PROC, EPERM, "/proc is partly covered here, so no new one may be mounted",
	    "systempaths=unconfined" },
};

static void a_failure_has_the_message_and_the_fix_of_its_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *message, *fix;

		assert_true(tn_doctor_fix(rows[i].step, rows[i].error, &message, &fix));
		assert_string_equal(message, rows[i].message);
		assert_non_null(strstr(fix, rows[i].in_fix));
	}
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAIR(a_message_arrives_as_it_was_sent),
		WITH_PAIR(descriptors_travel_with_a_message),
		WITH_PAIR(descriptors_that_nobody_asked_for_are_closed),
		WITH_PAIR(the_sender_is_known_where_it_is_wanted),
		WITH_PAIR(the_end_of_the_other_side_is_an_end),
		WITH_PAIR(the_last_word_of_who_left_ours_unread_is_heard),
		WITH_PAIR(a_packet_that_is_no_message_is_refused),
		cmocka_unit_test(every_step_has_a_name),
		cmocka_unit_test(a_failure_has_the_message_and_the_fix_of_its_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
