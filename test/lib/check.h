/* What the tests of <tenon.h> share: cmocka, and saying which error there was. */
#ifndef TN_TEST_LIB_CHECK_H
#define TN_TEST_LIB_CHECK_H

#include <tenon.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The call succeeded; it failed with that error. */
#define assert_well(call)                                                                    \
	do {                                                                                 \
		if ((call) < 0)                                                              \
			fail_msg("%s: %s: %s", #call, tn_err_name(tn_errno()), tn_errstr()); \
		assert_int_equal(tn_errno(), TN_OK);                                         \
	} while (0)

#define assert_error(call, err)                                     \
	do {                                                        \
		assert_int_equal((call), -1);                       \
		assert_string_equal(tn_err_name(tn_errno()), #err); \
	} while (0)

#define assert_null_error(call, err)                                \
	do {                                                        \
		assert_null(call);                                  \
		assert_string_equal(tn_err_name(tn_errno()), #err); \
	} while (0)

/* What is in the file, as far as there is room; "-" and the error's name if it cannot be read. */
static inline const char *text_of(const char *name)
{
	static _Thread_local char text[1024];
	int fd = tn_open(name, TN_OREAD);
	int64_t n = 0, more = -1;

	while (fd >= 0 && (more = tn_read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += more;
	if (more < 0)
		snprintf(text, sizeof(text), "-%s", tn_err_name(tn_errno()));
	else
		text[n] = '\0';
	if (fd >= 0)
		tn_close(fd);
	return text;
}

/* The file has this text from now on. */
static inline int put_text(const char *name, const char *text)
{
	int fd = tn_create(name, TN_OWRITE, 0666);
	int64_t n = fd < 0 ? -1 : tn_write(fd, text, strlen(text));

	return n < 0 || tn_close(fd) < 0 ? -1 : 0;
}

/* The thread uses a new name space; what it was is gone. */
static inline int use_new(unsigned how)
{
	struct tn_proc *ns = tn_ns_new(how);
	int ret = ns ? tn_ns_use(ns) : -1;

	tn_ns_free(ns);
	return ret;
}

static inline int start(void **state)
{
	(void)state;
	return use_new(TN_NS_EMPTY);
}

/* Nothing is left of the library: with a sanitizer, nothing at all. */
static inline int stop(void **state)
{
	(void)state;
	if (tn_end() == 0)
		return 0;
	print_error("tn_end: %s\n", tn_errstr());
	return -1;
}

#endif
