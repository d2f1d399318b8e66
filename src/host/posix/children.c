#include "host/posix/children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int tn_children_open(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/task/%d/children", (int)getpid());
	return open(name, O_RDONLY | O_CLOEXEC);
}

void tn_children_kill(int children)
{
	char list[4096], *at = list, *end;
	ssize_t n = pread(children, list, sizeof(list) - 1, 0);

	list[n > 0 ? n : 0] = '\0';
	for (;;) {
		long pid = strtol(at, &end, 10);

		if (end == at || *end != ' ') /* the last may be cut off */
			return;
		kill((pid_t)pid, SIGKILL);
		at = end;
	}
}
