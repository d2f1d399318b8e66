/*
 * #env: a file a variable, in a group that is shared or copied. env(3).
 */
#include "fs/env.h"

#include "drive.h"
#include "host/posix/host.h"

static struct tn_env *env;
static struct tn_server *server;
static struct tn_chan *root;

static int setup(void **state)
{
	(void)state;
	loop_start();
	env = tn_env_new();
	server = tn_env_server(&loop, env);
	root = attach(server, "glenda");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	tn_env_put(env);
	return 0;
}

static void set(const char *name, const char *value)
{
	assert_int_equal(tn_env_set(env, str(name), str(value)), TN_OK);
}

/* The value as a string, or NULL. */
static const char *value(struct tn_env *e, const char *name)
{
	static char text[256];
	struct tn_str v;

	if (!tn_env_value(e, str(name), &v))
		return NULL;
	copy_str(text, v);
	return text;
}

static void a_variable_is_a_file(void **state)
{
	(void)state;
	set("home", "/usr/glenda");
	set("user", "glenda");
	assert_string_equal(list(root, ""), "home user");
	assert_string_equal(cat(root, "home"), "/usr/glenda");
	assert_int_equal(stat_at(root, "home")->length, 11);
	assert_int_equal(stat_at(root, "..")->mode, TN_DMDIR | 0777);
}

static void a_file_is_a_variable(void **state)
{
	(void)state;
	put_file(root, "path", "/bin", 0644);
	assert_string_equal(value(env, "path"), "/bin");
	turn(open_at(root, "path", TN_OWRITE | TN_OF_TRUNC));
	assert_string_equal(value(env, "path"), "");
	assert_int_equal(remove_at(root, "path"), TN_OK);
	assert_null(value(env, "path"));
	assert_int_equal(create_fails(root, "d", TN_OREAD, TN_DMDIR | 0755), TN_EACCES);
	assert_int_equal(remove_at(root, ""), TN_EACCES);
}

static void values_are_bytes_written_at_offsets(void **state)
{
	struct tn_chan *f = create_at(root, "x", TN_ORDWR, 0644);
	struct tn_str v;

	(void)state;
	write_at(f, 0, "abc");
	write_at(f, 5, "z");
	write_at(f, 1, "B");
	assert_true(tn_env_value(env, TN_STR("x"), &v));
	assert_int_equal(v.len, 6);
	assert_memory_equal(v.s, "aBc\0\0z", 6);
	assert_string_equal(read_at(f, 5, 100), "z");
	assert_string_equal(read_at(f, 6, 100), "");
	turn(f);
}

static void a_removed_variable_lives_on_for_who_has_it(void **state)
{
	struct tn_chan *f;
	uint64_t path;

	(void)state;
	set("x", "old");
	f = open_at(root, "x", TN_ORDWR);
	path = f->qid.path;
	tn_env_unset(env, TN_STR("x"));
	set("x", "new");
	assert_string_equal(read_at(f, 0, 10), "old");
	write_at(f, 0, "OLD");
	assert_string_equal(value(env, "x"), "new");
	assert_int_not_equal(stat_at(root, "x")->qid.path, path);
	assert_int_equal(remove_at(f, ""), TN_ENOENT);
	turn(f);
	assert_string_equal(value(env, "x"), "new");
}

static void remove_on_close_removes(void **state)
{
	(void)state;
	turn(create_at(root, "x", TN_OWRITE | TN_OF_RCLOSE, 0644));
	assert_null(value(env, "x"));
}

static void a_listing_goes_on_behind_a_removed_variable(void **state)
{
	struct tn_chan *d;

	(void)state;
	set("a", "");
	set("b", "");
	set("c", "");
	d = open_at(root, "", TN_OREAD);
	list_room = 2;
	list_from(d, 0);
	tn_env_unset(env, TN_STR("b"));
	list_room = ~0u;
	list_from(d, list_next);
	assert_string_equal(listing, "c");
	turn(d);
}

static void versions_move_with_each_change(void **state)
{
	uint32_t v, d = stat_at(root, "")->qid.version;

	(void)state;
	set("x", "1");
	assert_int_not_equal(stat_at(root, "")->qid.version, d);
	v = stat_at(root, "x")->qid.version;
	set("x", "2");
	assert_int_not_equal(stat_at(root, "x")->qid.version, v);
	v = seen.st.qid.version;
	cat(root, "x");
	assert_int_equal(stat_at(root, "x")->qid.version, v);
}

static void a_length_can_be_set_and_nothing_else(void **state)
{
	struct tn_stat cut = { .valid = TN_ST_LENGTH, .length = 2 };
	struct tn_stat name = { .valid = TN_ST_NAME, .name = TN_STR("y") };
	struct tn_stat sync = { .valid = 0 };

	(void)state;
	set("x", "text");
	assert_int_equal(wstat_at(root, "x", &cut), TN_OK);
	assert_string_equal(value(env, "x"), "te");
	assert_int_equal(wstat_at(root, "x", &name), TN_EACCES);
	assert_int_equal(wstat_at(root, "", &cut), TN_EACCES);
	assert_int_equal(wstat_at(root, "", &sync), TN_OK);
}

static void a_copy_of_a_group_goes_its_own_way(void **state)
{
	struct tn_env *copy;

	(void)state;
	set("a", "1");
	set("b", "2");
	copy = tn_env_copy(env);
	set("a", "changed");
	tn_env_unset(env, TN_STR("b"));
	assert_string_equal(value(copy, "a"), "1");
	assert_string_equal(value(copy, "b"), "2");
	tn_env_put(copy);
}

static void a_group_outlives_who_made_it(void **state)
{
	(void)state;
	set("a", "1");
	tn_env_get(env);
	tn_env_put(env);
	assert_string_equal(cat(root, "a"), "1");
}

static void add_name(void *arg, struct tn_str name, struct tn_str v)
{
	char *text = arg;

	sprintf(text + strlen(text), "%.*s=%.*s ", (int)name.len, name.s, (int)v.len, v.s);
}

static void each_variable_comes_once_in_the_order_of_making(void **state)
{
	char text[64] = "";

	(void)state;
	set("z", "1");
	set("a", "2");
	set("z", "3");
	tn_env_each(env, add_name, text);
	assert_string_equal(text, "z=3 a=2 ");
}

static void only_legal_names_are_made(void **state)
{
	char name[257];

	(void)state;
	assert_int_equal(tn_env_set(env, TN_STR(""), TN_STR("")), TN_EEMPTYNAME);
	assert_int_equal(tn_env_set(env, TN_STR(".."), TN_STR("")), TN_EEXIST);
	assert_int_equal(tn_env_set(env, TN_STR("a/b"), TN_STR("")), TN_EBADCHAR);
	assert_int_equal(create_fails(root, ".", TN_OREAD, 0644), TN_EEXIST);
	memset(name, 'n', 256);
	name[256] = '\0';
	assert_int_equal(create_fails(root, name, TN_OREAD, 0644), TN_ENAMETOOLONG);
	name[255] = '\0';
	assert_int_equal(create_fails(root, name, TN_OREAD, 0644), TN_OK);
	assert_int_equal(create_fails(root, name, TN_OREAD, 0644), TN_EEXIST);
}

static void bytes_are_limited(void **state)
{
	static char text[TN_ENV_BYTES_MAX];
	struct tn_str most = { text, TN_ENV_BYTES_MAX - 2 };
	struct tn_chan *f;
	uint32_t n = 1;

	(void)state;
	assert_int_equal(tn_env_set(env, TN_STR("x"), most), TN_OK); /* the name is one more */
	f = open_at(root, "x", TN_OWRITE);
	assert_int_equal(write_err(f, most.len, "y", &n), TN_OK);
	assert_int_equal(write_err(f, most.len + 1, "y", &n), TN_ENOSPC);
	assert_int_equal(write_err(f, UINT64_MAX, "y", &n), TN_ENOSPC);
	assert_int_equal(tn_env_set(env, TN_STR("y"), TN_STR("")), TN_ENOSPC);
	tn_env_unset(env, TN_STR("x"));
	assert_int_equal(tn_env_set(env, TN_STR("y"), TN_STR("")), TN_ENOSPC); /* f still has it */
	turn(f);
	assert_int_equal(tn_env_set(env, TN_STR("y"), TN_STR("")), TN_OK);
}

static void what_has_gone_counts_no_more(void **state)
{
	static char text[TN_ENV_BYTES_MAX];
	char name[256];

	(void)state;
	memset(text, 'x', sizeof(text));
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	for (int i = 0; i < 9; i++) {
		assert_int_equal(
		    tn_env_set(env, str(name), (struct tn_str){ text, TN_ENV_BYTES_MAX - 255 }),
		    TN_OK);
		tn_env_unset(env, str(name));
	}
}

static void variables_are_limited(void **state)
{
	char name[8];

	(void)state;
	for (unsigned i = 0; i < TN_ENV_VARS_MAX; i++) {
		snprintf(name, sizeof(name), "%u", i);
		set(name, "");
	}
	assert_int_equal(tn_env_set(env, TN_STR("more"), TN_STR("")), TN_ELIMIT_FILES);
	set("77", "changed");
	tn_env_unset(env, TN_STR("0"));
	set("more", "");
}

static void without_memory_nothing_is_half_done(void **state)
{
	struct tn_env *copy;
	enum tn_err err;
	int n = 0;

	(void)state;
	do {
		allocations_left = n++;
		tn_alloc_hook = allow;
		err = tn_env_set(env, TN_STR("x"), TN_STR("value"));
		tn_alloc_hook = NULL;
		if (err != TN_OK)
			assert_null(value(env, "x"));
	} while (err == TN_ENOMEM);
	assert_int_equal(err, TN_OK);
	n = 0;
	do {
		allocations_left = n++;
		tn_alloc_hook = allow;
		copy = tn_env_copy(env);
		tn_alloc_hook = NULL;
	} while (!copy);
	assert_int_equal(n, 4);
	assert_string_equal(value(copy, "x"), "value");
	tn_env_put(copy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_variable_is_a_file),
		TEST(a_file_is_a_variable),
		TEST(values_are_bytes_written_at_offsets),
		TEST(a_removed_variable_lives_on_for_who_has_it),
		TEST(remove_on_close_removes),
		TEST(a_listing_goes_on_behind_a_removed_variable),
		TEST(versions_move_with_each_change),
		TEST(a_length_can_be_set_and_nothing_else),
		TEST(a_copy_of_a_group_goes_its_own_way),
		TEST(a_group_outlives_who_made_it),
		TEST(each_variable_comes_once_in_the_order_of_making),
		TEST(only_legal_names_are_made),
		TEST(bytes_are_limited),
		TEST(what_has_gone_counts_no_more),
		TEST(variables_are_limited),
		TEST(without_memory_nothing_is_half_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
