/* <tenon.h>: files by name and by descriptor. */
#include "check.h"

#define RAM "#ram"

static int start_ram(void **state)
{
	return start(state) < 0 ? -1 : tn_bind(RAM, "/", TN_REPL | TN_CREATE_HERE);
}

static bool is_str(struct tn_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.s, text, s.len) == 0 && s.s[s.len] == '\0';
}

/* create(2), write(2), seek(2), read(2). */
static void what_was_written_is_read(void **state)
{
	char buf[16] = "";
	int fd = tn_create("/f", TN_ORDWR, 0644);

	(void)state;
	assert_well(fd);
	assert_int_equal(tn_write(fd, "hello", 5), 5);
	assert_int_equal(tn_read(fd, buf, sizeof(buf)), 0); /* at its end */
	assert_int_equal(tn_seek(fd, -4, 2), 1);
	assert_int_equal(tn_read(fd, buf, 2), 2);
	assert_memory_equal(buf, "el", 2);
	assert_int_equal(tn_seek(fd, 0, 1), 3);
	assert_int_equal(tn_seek(fd, 1, 0), 1);
	assert_int_equal(tn_read(fd, buf, sizeof(buf)), 4);
	assert_well(tn_close(fd));
}

static void an_offset_of_its_own_moves_nothing(void **state)
{
	char buf[16];
	int fd = tn_create("/f", TN_ORDWR, 0644);

	(void)state;
	assert_int_equal(tn_pwrite(fd, "abcdef", 6, 2), 6);
	assert_int_equal(tn_pread(fd, buf, 3, 3), 3);
	assert_memory_equal(buf, "bcd", 3);
	assert_int_equal(tn_seek(fd, 0, 1), 0);
	assert_int_equal(tn_read(fd, buf, 2), 2);
	assert_memory_equal(buf, "\0\0", 2);
	assert_well(tn_close(fd));
}

static void flags_say_how_it_is_opened(void **state)
{
	char c;
	int fd;

	(void)state;
	assert_well(put_text("/f", "text"));
	fd = tn_open("/f", TN_OREAD);
	assert_error(tn_write(fd, "x", 1), TN_EBADUSE);
	assert_well(tn_close(fd));
	fd = tn_open("/f", TN_OWRITE | TN_OF_APPEND);
	assert_error(tn_read(fd, &c, 1), TN_EBADUSE);
	assert_int_equal(tn_pwrite(fd, "s", 1, 0), 1);
	assert_well(tn_close(fd));
	assert_string_equal(text_of("/f"), "texts");
	assert_error(tn_create("/f", TN_OWRITE | TN_OF_EXCL, 0644), TN_EEXIST);
	assert_error(tn_open("/f", TN_OREAD | TN_OF_DIRECTORY), TN_ENOTDIR);
	fd = tn_open("/f", TN_OWRITE | TN_OTRUNC);
	assert_well(tn_close(fd));
	assert_string_equal(text_of("/f"), "");
	fd = tn_open("/f", TN_OREAD | TN_ORCLOSE);
	assert_well(tn_close(fd));
	assert_error(tn_open("/f", TN_OREAD), TN_ENOENT);
}

/* stat(5). */
static void a_stat_has_its_strings_where_the_caller_has_room(void **state)
{
	char strings[TN_STRINGS_SIZE];
	struct tn_stat st;
	int fd;

	(void)state;
	assert_well(put_text("/f", "four"));
	assert_well(tn_stat("/f", &st, strings, sizeof(strings)));
	assert_true(is_str(st.name, "f"));
	assert_true(st.uid.s >= strings && st.uid.s < strings + sizeof(strings) && st.uid.len > 0);
	assert_int_equal(st.length, 4);
	assert_int_equal(st.mode & 0777, 0666);
	assert_error(tn_stat("/f", &st, strings, 5), TN_ERANGE);
	assert_well(tn_stat("/f", &st, NULL, 0));
	assert_int_equal(st.valid & (TN_ST_NAME | TN_ST_UID | TN_ST_GID | TN_ST_MUID), 0);
	assert_int_equal(st.name.len, 0);
	assert_int_equal(st.length, 4);
	fd = tn_open("/f", TN_OREAD);
	assert_well(tn_fstat(fd, &st, strings, sizeof(strings)));
	assert_true(is_str(st.name, "f"));
	assert_well(tn_close(fd));
}

/* wstat(2): what is named is changed, the rest stays. */
static void a_wstat_changes_what_it_names(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NAME | TN_ST_MODE, .name = TN_STR("g"), .mode = 0600 };
	int fd;

	(void)state;
	assert_well(put_text("/f", "four"));
	assert_well(tn_wstat("/f", &st));
	assert_string_equal(text_of("/f"), "-TN_ENOENT");
	assert_string_equal(text_of("/g"), "four");
	fd = tn_open("/g", TN_OWRITE);
	st = (struct tn_stat){ .valid = TN_ST_LENGTH, .length = 2 };
	assert_well(tn_fwstat(fd, &st));
	assert_well(tn_fstat(fd, &st, NULL, 0));
	assert_int_equal(st.length, 2);
	assert_int_equal(st.mode & 0777, 0600);
	assert_well(tn_close(fd));
}

static void a_removed_file_is_gone(void **state)
{
	(void)state;
	assert_well(put_text("/f", "x"));
	assert_well(tn_remove("/f"));
	assert_error(tn_remove("/f"), TN_ENOENT);
	assert_well(tn_close(tn_create("/d", TN_OREAD, TN_DMDIR | 0755)));
	assert_well(put_text("/d/f", "x"));
	assert_error(tn_remove("/d"), TN_ENOTEMPTY);
}

static void names_begin_at_the_root_or_where_one_is(void **state)
{
	char name[16];

	(void)state;
	assert_well(tn_close(tn_create("/d", TN_OREAD, TN_DMDIR | 0755)));
	assert_well(put_text("/d/f", "x"));
	assert_well(tn_chdir("d"));
	assert_string_equal(text_of("f"), "x");
	assert_string_equal(text_of("../d/f"), "x");
	assert_int_equal(tn_getwd(name, sizeof(name)), 2);
	assert_string_equal(name, "/d");
	assert_error(tn_getwd(name, 2), TN_ERANGE);
	assert_int_equal(tn_getwd(name, 3), 2);
	assert_error(tn_chdir("f"), TN_ENOTDIR);
	assert_error(tn_chdir("/nowhere"), TN_ENOENT);
}

/* ---- directories ---- */

enum { FILES = 50 };

static void make_files(void)
{
	char name[16];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "/f%02d", i);
		assert_well(put_text(name, name));
	}
}

/* dirread(2). However the room is cut, each entry comes once, in the same order. */
static void a_directory_is_read_in_pieces_of_any_size(void **state)
{
	static const struct {
		int n;
		size_t size;
	} rooms[] = { { 1, 100 }, { 3, 1000 }, { FILES, 60 }, { FILES, 4000 },
		{ 2 * FILES, 8000 } };
	char strings[8000], want[16];
	struct tn_stat st[2 * FILES];

	(void)state;
	make_files();
	for (size_t r = 0; r < TN_COUNT(rooms); r++) {
		int fd = tn_open("/", TN_OREAD), seen = 0, n;

		while ((n = tn_dirread(fd, st, rooms[r].n, strings, rooms[r].size)) > 0) {
			assert_true(n <= rooms[r].n);
			for (int i = 0; i < n; i++, seen++) {
				snprintf(want, sizeof(want), "f%02d", seen);
				assert_true(is_str(st[i].name, want));
				assert_int_equal(st[i].length, 4);
			}
		}
		assert_well(n);
		assert_int_equal(seen, FILES);
		assert_int_equal(tn_seek(fd, 0, 0), 0); /* from the start again */
		assert_int_equal(tn_dirread(fd, st, 1, NULL, 0), 1);
		assert_int_equal(st[0].name.len, 0);
		assert_well(tn_close(fd));
	}
}

static void an_entry_without_room_is_not_lost(void **state)
{
	char strings[100];
	struct tn_stat st;
	int fd;

	(void)state;
	make_files();
	fd = tn_open("/", TN_OREAD);
	assert_error(tn_dirread(fd, &st, 1, strings, 4), TN_ERANGE);
	assert_int_equal(tn_dirread(fd, &st, 1, strings, sizeof(strings)), 1);
	assert_true(is_str(st.name, "f00"));
	assert_error(tn_dirread(fd, &st, 0, strings, sizeof(strings)), TN_EBADARG);
	assert_well(tn_close(fd));
	fd = tn_open("/f00", TN_OREAD);
	assert_error(tn_dirread(fd, &st, 1, NULL, 0), TN_ENOTDIR);
	assert_well(tn_close(fd));
}

static void a_directory_has_no_bytes_and_no_middle(void **state)
{
	char c;
	int fd = tn_open("/", TN_OREAD);

	(void)state;
	assert_error(tn_read(fd, &c, 1), TN_EISDIR);
	assert_error(tn_seek(fd, 1, 0), TN_EISDIR);
	assert_well(tn_close(fd));
	assert_error(tn_open("/", TN_OWRITE), TN_EISDIR);
}

/* ---- misuse ---- */

static void a_descriptor_that_is_none_is_refused_by_all(void **state)
{
	static const int none[] = { -1, 0, 7, 65536, 0x7fffffff };
	struct tn_stat st = { 0 };
	char c = 0;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(none); i++) {
		int fd = none[i];

		assert_error(tn_read(fd, &c, 1), TN_EBADFD);
		assert_error(tn_pread(fd, &c, 1, 0), TN_EBADFD);
		assert_error(tn_write(fd, &c, 1), TN_EBADFD);
		assert_error(tn_pwrite(fd, &c, 1, 0), TN_EBADFD);
		assert_error(tn_seek(fd, 0, 0), TN_EBADFD);
		assert_error(tn_dirread(fd, &st, 1, NULL, 0), TN_EBADFD);
		assert_error(tn_fstat(fd, &st, NULL, 0), TN_EBADFD);
		assert_error(tn_fwstat(fd, &st), TN_EBADFD);
		assert_error(tn_close(fd), TN_EBADFD);
	}
}

static void a_closed_descriptor_is_none_and_its_number_is_given_anew(void **state)
{
	char c;
	int fd;

	(void)state;
	assert_well(put_text("/f", "x"));
	fd = tn_open("/f", TN_OREAD);
	assert_well(tn_close(fd));
	assert_error(tn_close(fd), TN_EBADFD);
	assert_error(tn_read(fd, &c, 1), TN_EBADFD);
	assert_int_equal(tn_open("/f", TN_OREAD), fd);
	assert_well(tn_close(fd));
}

static void null_and_unknown_flags_are_refused(void **state)
{
	struct tn_stat st = { 0 };
	char c;
	int fd;

	(void)state;
	assert_well(put_text("/f", "x"));
	fd = tn_open("/f", TN_ORDWR);
	assert_error(tn_open(NULL, TN_OREAD), TN_EBADARG);
	assert_error(tn_open("/f", TN_OF_EXCL), TN_EBADARG);
	assert_error(tn_open("/f", 0x80000000u), TN_EBADARG);
	assert_error(tn_create(NULL, TN_OREAD, 0), TN_EBADARG);
	assert_error(tn_create("/f", 0x80000000u, 0), TN_EBADARG);
	assert_error(tn_read(fd, NULL, 1), TN_EBADARG);
	assert_error(tn_pread(fd, NULL, 1, 0), TN_EBADARG);
	assert_error(tn_write(fd, NULL, 1), TN_EBADARG);
	assert_error(tn_pwrite(fd, NULL, 1, 0), TN_EBADARG);
	assert_int_equal(tn_read(fd, NULL, 0), 0);
	assert_error(tn_seek(fd, 0, 3), TN_EBADARG);
	assert_error(tn_seek(fd, -1, 0), TN_EBADOFFSET);
	assert_error(tn_seek(fd, INT64_MAX, 2), TN_EBADOFFSET);
	assert_error(tn_stat(NULL, &st, NULL, 0), TN_EBADARG);
	assert_error(tn_stat("/f", NULL, NULL, 0), TN_EBADARG);
	assert_error(tn_stat("/f", &st, NULL, 1), TN_EBADARG);
	assert_error(tn_fstat(fd, NULL, &c, 1), TN_EBADARG);
	assert_error(tn_wstat(NULL, &st), TN_EBADARG);
	assert_error(tn_wstat("/f", NULL), TN_EBADARG);
	assert_error(tn_fwstat(fd, NULL), TN_EBADARG);
	assert_error(tn_remove(NULL), TN_EBADARG);
	assert_error(tn_dirread(fd, NULL, 1, NULL, 0), TN_EBADARG);
	assert_error(tn_chdir(NULL), TN_EBADARG);
	assert_error(tn_getwd(NULL, 1), TN_EBADARG);
	assert_error(tn_open("", TN_OREAD), TN_EEMPTYNAME);
	assert_well(tn_close(fd));
}

/* ---- limits ---- */

/* tenon.h: 65536 open files a program. */
static void one_file_too_many_says_so(void **state)
{
	enum { MAX = 65536 };
	int fd = 0;

	(void)state;
	assert_well(put_text("/f", "x"));
	for (int i = 0; i < MAX; i++) {
		fd = tn_open("/", TN_OREAD);
		if (fd != i)
			fail_msg("descriptor %d is %d: %s", i, fd, tn_errstr());
	}
	assert_error(tn_open("/", TN_OREAD), TN_ELIMIT_OPEN);
	assert_well(tn_close(fd));
	assert_int_equal(tn_open("/", TN_OREAD), fd);
}

/* tenon.h: 64 KiB a name. */
static void a_name_that_is_too_long_says_so(void **state)
{
	char *name = malloc(70001);

	(void)state;
	for (int i = 0; i < 70000; i++)
		name[i] = i % 2 ? 'a' : '/';
	name[70000] = '\0';
	assert_int_equal(tn_open(name, TN_OREAD), -1);
	assert_true(tn_errno() == TN_ELIMIT_PATH || tn_errno() == TN_ENOENT);
	memset(name + 1, 'a', 300);
	name[301] = '\0';
	assert_int_equal(tn_create(name, TN_OWRITE, 0644), -1);
	assert_int_equal(tn_errno(), TN_ENAMETOOLONG);
	free(name);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start_ram, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),
		TEST(an_offset_of_its_own_moves_nothing),
		TEST(flags_say_how_it_is_opened),
		TEST(a_stat_has_its_strings_where_the_caller_has_room),
		TEST(a_wstat_changes_what_it_names),
		TEST(a_removed_file_is_gone),
		TEST(names_begin_at_the_root_or_where_one_is),
		TEST(a_directory_is_read_in_pieces_of_any_size),
		TEST(an_entry_without_room_is_not_lost),
		TEST(a_directory_has_no_bytes_and_no_middle),
		TEST(a_descriptor_that_is_none_is_refused_by_all),
		TEST(a_closed_descriptor_is_none_and_its_number_is_given_anew),
		TEST(null_and_unknown_flags_are_refused),
		TEST(one_file_too_many_says_so),
		TEST(a_name_that_is_too_long_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
