/*
 * Every error has a text and a number, and the way back from a server's words.
 */
#include "core/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

static void every_error_has_both_faces_and_texts_lead_back(void **state)
{
	(void)state;
	for (unsigned i = 1; i < TN_ERRS; i++) {
		assert_non_null(tn_err_text((enum tn_err)i));
		assert_true(strlen(tn_err_text((enum tn_err)i)) > 4);
		assert_true(tn_err_linux((enum tn_err)i) > 0);
		assert_int_equal(tn_err_of_text(str(tn_err_text((enum tn_err)i))), i);
	}
}

static const struct {
	const char *text;
	enum tn_err err;
} words[] = {
	{ "file does not exist", TN_ENOENT },
	{ "No such file or directory", TN_ENOENT },
	{ "directory not empty", TN_ENOTEMPTY },
	{ "remove -- directory not empty", TN_ENOTEMPTY },
	{ "file does not exist: '/a/x'", TN_EREMOTE }, /* not exact: the words count */
	{ "", TN_EREMOTE },
};

static void words_of_other_servers_are_understood_exactly_or_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(words); i++)
		assert_int_equal(tn_err_of_text(str(words[i].text)), words[i].err);
}

static const struct {
	int number;
	enum tn_err err;
} numbers[] = {
	{ ENOENT, TN_ENOENT },
	{ EACCES, TN_EACCES },
	{ EEXIST, TN_EEXIST },
	{ ENOTDIR, TN_ENOTDIR },
	{ EISDIR, TN_EISDIR },
	{ EPERM, TN_EPERM },
	{ EROFS, TN_EROFS },
	{ ENOSPC, TN_ENOSPC },
	{ ENOTEMPTY, TN_ENOTEMPTY },
	{ EXDEV, TN_EXDEV },
	{ EINTR, TN_EINTR },
	{ EMFILE, TN_ELIMIT_OPEN },
	{ ENFILE, TN_ELIMIT_OPEN },
	{ ENAMETOOLONG, TN_ENAMETOOLONG },
	{ EBUSY, TN_EBUSY },
	{ EINVAL, TN_EINVAL },
	{ EBADF, TN_EBADFD },
	{ ETXTBSY, TN_ETXTBSY },
	{ 9999, TN_EIO },
};

static void numbers_of_linux_lead_to_the_error_they_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(numbers); i++)
		assert_int_equal(tn_err_of_linux((uint32_t)numbers[i].number), numbers[i].err);
}

/* namespace-semantics.md 10; the others as the man pages of the calls that programs make say it. */
static const struct {
	enum tn_err err;
	int number;
} told[] = {
	{ TN_ENOENT, ENOENT },
	{ TN_EACCES, EACCES },
	{ TN_ENOCREATE, EACCES },
	{ TN_EEXIST, EEXIST },
	{ TN_ENOTDIR, ENOTDIR },
	{ TN_EISDIR, EISDIR },
	{ TN_EMOUNT, EINVAL },
	{ TN_ENOTMOUNTED, EINVAL },
	{ TN_ENOTUNION, EINVAL },
	{ TN_EISMOUNT, EBUSY },
	{ TN_ENOATTACH, EPERM },
	{ TN_EBADARG, EINVAL },
	{ TN_EBADFD, EBADF },
	{ TN_ENOTEMPTY, ENOTEMPTY },
	{ TN_EEXCL, EAGAIN },
	{ TN_EROFS, EROFS },
	{ TN_EINTR, EINTR },
	{ TN_ENOSPC, ENOSPC },
	{ TN_EFBIG, EFBIG },
	{ TN_EDQUOT, EDQUOT },
	{ TN_ESTALE, ESTALE },
	{ TN_EXDEV, EXDEV },
	{ TN_ENOTSUP, EOPNOTSUPP },
	{ TN_ENAMETOOLONG, ENAMETOOLONG },
	{ TN_ELOOP, ELOOP },
	{ TN_EMLINK, EMLINK },
	{ TN_ETXTBSY, ETXTBSY },
	{ TN_ENXIO, ENXIO },
	{ TN_EPIPE, EPIPE },
	{ TN_ENODATA, ENODATA },
	{ TN_ECONNLOST, ECONNRESET },
	{ TN_ETIMEDOUT, ETIMEDOUT },
	{ TN_ECONNREFUSED, ECONNREFUSED },
};

static void a_program_is_told_the_number_that_the_error_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(told); i++) {
		print_message("%s\n", tn_err_name(told[i].err));
		assert_int_equal(tn_err_linux(told[i].err), told[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_both_faces_and_texts_lead_back),
		cmocka_unit_test(words_of_other_servers_are_understood_exactly_or_kept),
		cmocka_unit_test(numbers_of_linux_lead_to_the_error_they_mean),
		cmocka_unit_test(a_program_is_told_the_number_that_the_error_means),
	};

	return cmocka_run_group_tests_name("core/err", tests, NULL, NULL);
}
