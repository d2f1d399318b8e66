/*
 * client DIAL ls|cat|put NAME [TEXT]: a client of any 9P server, as tn_* calls. Prints what a program would want to know.
 */
#include <tenon.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ENTRIES = 32 };

static int list(const char *name)
{
	char strings[ENTRIES * 64 + TN_STRINGS_SIZE];
	struct tn_stat st[ENTRIES];
	int n = 0, fd = tn_open(name, TN_OREAD);

	while (fd >= 0 && (n = tn_dirread(fd, st, ENTRIES, strings, sizeof(strings))) > 0) {
		for (int i = 0; i < n; i++)
			printf("%c%03o %8" PRIu64 " %s\n", st[i].mode & TN_DMDIR ? 'd' : '-',
			    st[i].mode & 0777, st[i].length, st[i].name.s);
	}
	return fd < 0 || n < 0 || tn_close(fd) < 0 ? -1 : 0;
}

static int print(const char *name)
{
	char buf[65536];
	int64_t n = -1;
	int fd = tn_open(name, TN_OREAD);

	while (fd >= 0 && (n = tn_read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	return n < 0 || tn_close(fd) < 0 ? -1 : 0;
}

static int put(const char *name, const char *text)
{
	size_t len = strlen(text), at = 0;
	int64_t n = 0;
	int fd = tn_create(name, TN_OWRITE, 0644);

	while (fd >= 0 && n >= 0 && at < len) {
		n = tn_write(fd, text + at, len - at);
		at += n > 0 ? (size_t)n : 0;
	}
	return fd < 0 || n < 0 || tn_close(fd) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct tn_proc *ns;
	int ret = -1;

	if (argc < 4 || (strcmp(argv[2], "put") == 0) != (argc == 5)) {
		fputs("usage: client DIAL ls|cat NAME, client DIAL put NAME TEXT\n", stderr);
		return 2;
	}
	ns = tn_ns_new(TN_NS_EMPTY);
	tn_ns_use(ns);
	tn_ns_free(ns); /* the thread has it */
	if (tn_mount(argv[1], "/", TN_REPL | TN_CREATE_HERE, "", "soft=5") == 0)
		ret = argc == 5                    ? put(argv[3], argv[4])
		      : strcmp(argv[2], "ls") == 0 ? list(argv[3])
						   : print(argv[3]);
	if (ret < 0)
		fprintf(stderr, "client: %s: %s\n", argv[3], tn_errstr());
	tn_end(); /* says goodbye to the server */
	return ret < 0;
}
