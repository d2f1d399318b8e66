/*
 * A command whose standard input and output are a stream: exec!COMMAND.
 */
#ifndef TN_POSIX_EXEC_H
#define TN_POSIX_EXEC_H

#include "host/posix/loop.h"

struct tn_command;

/*
 * Starts `sh -c command` with pipes: what it writes is read from *read_fd, what is written to *write_fd it reads; both
 * are the caller's. Its standard error is ours. NULL: errno says why.
 */
struct tn_command *tn_command_start(struct tn_host_loop *h, const char *command, int *read_fd,
    int *write_fd);

/*
 * The caller has closed both: the command ends by itself, or gets SIGTERM after a second and SIGKILL after another.
 * Frees it when it has ended. A loop that is freed waits for that.
 */
void tn_command_end(struct tn_command *command);

#endif
