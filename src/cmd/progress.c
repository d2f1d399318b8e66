/* A terminal need understand no more than a carriage return. */
#include "cmd/progress.h"

#include "cmd/say.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BETWEEN_MS = 100, COLUMNS = 80, COLUMNS_MAX = 132, BAR_MAX = 40 };

static struct cmd_progress *shown;
static size_t shown_len; /* of what stands on the line; 0: nothing */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool cmd_progress_fits(void)
{
	return isatty(STDERR_FILENO) && tcgetpgrp(STDERR_FILENO) == getpgrp();
}

static size_t columns_of_terminal(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return COLUMNS;
	return size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
}

/* What was measured may be less than what is there by now. */
static unsigned percent_of(const struct cmd_progress *p)
{
	uint64_t done = p->bytes_all ? p->bytes : p->files;
	uint64_t all = p->bytes_all ? p->bytes_all : p->files_all;

	if (done >= all)
		return 100;
	return (unsigned)((double)done / (double)all * 100);
}

/* A number of bytes with its unit: "999 B", "1.0 kB". */
static void bytes_text(uint64_t bytes, char *text, size_t size)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	double n = (double)bytes;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(text, size, "%u B", (unsigned)bytes);
		return;
	}
	for (n /= 1000; n >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		n /= 1000;
	snprintf(text, size, "%.1f %s", n, units[unit]);
}

/* The facts first: where they leave no room the bar is short, then there is none, then they are cut off. */
size_t cmd_progress_line(const struct cmd_progress *p, size_t columns, char *buf)
{
	char facts[160], done[32], all[32], bar[BAR_MAX + 1];
	unsigned percent = percent_of(p);
	size_t width, full, n;

	bytes_text(p->bytes, done, sizeof(done));
	bytes_text(p->bytes_all > p->bytes ? p->bytes_all : p->bytes, all, sizeof(all));
	n = (size_t)snprintf(facts, sizeof(facts), "%3u %%  %llu of %llu files, %s of %s", percent,
	    (unsigned long long)p->files, (unsigned long long)p->files_all, done, all);
	width = columns > n + 3 ? columns - n - 3 : 0; /* beside [ ] and a space */
	width = width > BAR_MAX ? BAR_MAX : width;
	full = width * percent / 100;
	memset(bar, ' ', width);
	memset(bar, '=', full);
	if (full > 0 && full < width)
		bar[full - 1] = '>';
	bar[width] = '\0';
	if (width < 4)
		n = (size_t)snprintf(buf, columns + 1, "%s", facts);
	else
		n = (size_t)snprintf(buf, columns + 1, "[%s] %s", bar, facts);
	return n < columns ? n : columns;
}

static void erase(void)
{
	if (shown_len)
		fprintf(stderr, "\r%*s\r", (int)shown_len, "");
	shown_len = 0;
}

static void draw(struct cmd_progress *p)
{
	size_t columns = columns_of_terminal(), len;
	char line[COLUMNS_MAX + 1];

	len = cmd_progress_line(p, columns - 1, line); /* the last column may begin a new line */
	fprintf(stderr, "\r%-*s", (int)(shown_len < columns ? shown_len : columns - 1), line);
	fflush(stderr);
	shown_len = len;
	p->drawn_ms = now_ms();
}

void cmd_progress_start(struct cmd_progress *p)
{
	shown = p;
	cmd_before_say = erase;
	draw(p);
}

void cmd_progress_add(struct cmd_progress *p, uint64_t bytes, uint64_t files)
{
	if (!p)
		return;
	p->bytes += bytes;
	p->files += files;
	if (p == shown && now_ms() - p->drawn_ms >= BETWEEN_MS)
		draw(p);
}

void cmd_progress_end(struct cmd_progress *p)
{
	draw(p);
	erase();
	fflush(stderr);
	cmd_before_say = NULL;
	shown = NULL;
}
