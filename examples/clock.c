/*
 * A file server of one page: `now` (nanoseconds since some start) and `zone`, which can be written. The same table is
 * served in three ways:
 *
 *     clock            in this program, at a name of its name space: prints what is read there
 *     clock DIAL       to whoever connects, until it is interrupted
 *     clock -          on standard input and output: tenon run -m '/n/clock=exec!clock -' ...
 */
#include <tenon.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char zone[32] = "UTC\n";

static enum tn_status now_read(struct tn_req *r)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", tn_now_ns());

	return tn_reply_text(r, text, (size_t)len);
}

static enum tn_status zone_read(struct tn_req *r)
{
	return tn_reply_text(r, zone, strlen(zone));
}

static enum tn_status zone_write(struct tn_req *r)
{
	if (r->u.io.count >= sizeof(zone))
		return tn_fail(r, TN_EBADCOUNT);
	memcpy(zone, r->u.io.data, r->u.io.count);
	zone[r->u.io.count] = '\0';
	return TN_DONE;
}

static const struct tn_file files[] = {
	{ .name = "now", .perm = 0444, .read = now_read },
	{ .name = "zone", .perm = 0666, .read = zone_read, .write = zone_write },
};
static const struct tn_device clock_device = { "clock", files, TN_COUNT(files) };

static volatile sig_atomic_t is_over;

static void interrupted(int number)
{
	(void)number;
	is_over = 1;
}

static int fail(const char *what)
{
	fprintf(stderr, "clock: %s: %s\n", what, tn_errstr());
	return 1;
}

/* Until the signal, or, of a connection that is the only one, until it has ended. */
static int serve(struct tn_service *service, int is_one)
{
	if (!service)
		return fail("serve");
	if (!is_one)
		fprintf(stderr, "listening on %s\n", tn_serve_address(service));
	while (!is_over && (!is_one || tn_serve_count(service) > 0))
		tn_loop_turn(1000);
	tn_serve_end(service);
	return 0;
}

/* In the program: no bytes of 9P, the functions above are called. */
static int use(struct tn_server *server)
{
	char text[32];
	int64_t n;
	int fd;

	tn_ns_use(tn_ns_new(TN_NS_EMPTY));
	if (tn_mount_server(server, "/dev/clock", TN_REPL, "") < 0)
		return fail("mount");
	fd = tn_open("/dev/clock/zone", TN_ORDWR);
	if (fd < 0 || tn_write(fd, "CET\n", 4) != 4 ||
	    (n = tn_pread(fd, text, sizeof(text), 0)) < 0)
		return fail("/dev/clock/zone");
	fwrite(text, 1, (size_t)n, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct tn_server *server = tn_device_server(&clock_device, tn_home(), NULL, NULL);

	signal(SIGINT, interrupted);
	signal(SIGTERM, interrupted);
	if (!server)
		return fail("clock");
	if (argc < 2)
		return use(server);
	if (strcmp(argv[1], "-") == 0)
		return serve(tn_serve_fd(server, 0, 1), 1);
	return serve(tn_serve(server, argv[1]), 0);
}
