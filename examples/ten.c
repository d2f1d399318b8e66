/* ten DIAL NAME: prints a file of a 9P server. */
#include <tenon.h>

#include <stdio.h>

int main(int argc, char **argv)
{
	char buf[8192];
	int64_t n = -1;
	int fd;

	if (argc != 3 || tn_ns_use(tn_ns_new(TN_NS_EMPTY)) < 0)
		return 2;
	if (tn_mount(argv[1], "/", TN_REPL, "", NULL) == 0 &&
	    (fd = tn_open(argv[2], TN_OREAD)) >= 0) {
		while ((n = tn_read(fd, buf, sizeof(buf))) > 0)
			fwrite(buf, 1, (size_t)n, stdout);
	}
	if (n < 0)
		fprintf(stderr, "%s: %s\n", argv[2], tn_errstr());
	return n < 0;
}
