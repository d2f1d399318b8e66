/*
 * #srv: services posted by a name, found by it, taken away. srv(3).
 */
#include "fs/srv.h"

#include "drive.h"
#include "host/posix/host.h"

struct fake { /* something that can be posted */
	struct tn_post post;
	char dial[64];
	struct tn_server *server;
};

static unsigned n_freed;

static enum tn_err fake_instance(struct tn_post *p, struct tn_server **out)
{
	*out = tn_server_get(((struct fake *)p)->server);
	return TN_OK;
}

static bool fake_lives(const struct tn_post *p, const struct tn_server *s)
{
	return ((const struct fake *)p)->server == s;
}

static size_t fake_text(const struct tn_post *p, char *buf, size_t size)
{
	const struct fake *f = (const struct fake *)p;
	size_t len = strlen(f->dial) < size ? strlen(f->dial) : size;

	memcpy(buf, f->dial, len);
	return len;
}

static void fake_free(struct tn_post *p)
{
	n_freed++;
	free(p);
}

static const struct tn_post_ops fake_ops = { fake_instance, fake_lives, fake_text, fake_free };

static struct tn_post *fake_post(const char *dial)
{
	struct fake *f = calloc(1, sizeof(*f));

	tn_post_init(&f->post, &fake_ops);
	snprintf(f->dial, sizeof(f->dial), "%s", dial);
	return &f->post;
}

static enum tn_err make(void *arg, struct tn_user *who, struct tn_str dial, struct tn_post **out)
{
	char text[64];

	(void)arg;
	assert_memory_equal(who->name, "glenda", 6);
	snprintf(text, sizeof(text), "%.*s", (int)dial.len, dial.s);
	if (strncmp(text, "tcp!", 4) != 0)
		return TN_EBADDIAL;
	*out = fake_post(text);
	return TN_OK;
}

static struct tn_srv *srv;
static struct tn_server *server;
static struct tn_chan *root;

static int setup(void **state)
{
	(void)state;
	loop_start();
	n_freed = 0;
	srv = tn_srv_new();
	server = tn_srv_server(&loop, srv);
	root = attach(server, "glenda");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	tn_srv_put(srv);
	return 0;
}

/* Posts for the user who attached as glenda; the registry has the only reference. */
static enum tn_err post(const char *name, const char *dial)
{
	struct tn_post *p = fake_post(dial);
	enum tn_err err = tn_srv_post(srv, str(name), root->user, p);

	tn_post_put(p);
	return err;
}

static void a_service_is_a_file_that_shows_where_it_is(void **state)
{
	(void)state;
	assert_int_equal(post("far", "tcp!far!564"), TN_OK);
	assert_int_equal(post("near", "unix!/run/x"), TN_OK);
	assert_string_equal(list(root, ""), "far near");
	assert_string_equal(cat(root, "far"), "tcp!far!564\n");
	assert_int_equal(stat_at(root, "far")->mode, 0666);
	assert_string_equal(seen.uid, "glenda");
}

static void a_name_is_posted_once(void **state)
{
	(void)state;
	assert_int_equal(post("x", "tcp!a!1"), TN_OK);
	assert_int_equal(post("x", "tcp!b!1"), TN_EEXIST);
	assert_int_equal(n_freed, 1);
	assert_int_equal(post("", "tcp!b!1"), TN_EEMPTYNAME);
	assert_int_equal(post("a/b", "tcp!b!1"), TN_EBADCHAR);
	assert_int_equal(post("..", "tcp!b!1"), TN_EEXIST);
	assert_string_equal(cat(root, "x"), "tcp!a!1\n");
}

static void what_is_posted_is_found_by_name_and_by_file(void **state)
{
	struct tn_post *by_name, *by_file;
	struct tn_chan *c;

	(void)state;
	post("x", "tcp!a!1");
	by_name = tn_srv_find(srv, TN_STR("x"));
	c = open_at(root, "x", TN_ORDWR);
	by_file = tn_srv_post_of(c);
	assert_non_null(by_name);
	assert_ptr_equal(by_name, by_file);
	assert_null(tn_srv_find(srv, TN_STR("y")));
	assert_null(tn_srv_post_of(root));
	tn_post_put(by_name);
	tn_post_put(by_file);
	turn(c);
}

static void who_has_found_it_keeps_it_when_the_name_goes(void **state)
{
	struct tn_post *p;

	(void)state;
	post("x", "tcp!a!1");
	p = tn_srv_find(srv, TN_STR("x"));
	assert_true(tn_srv_remove(srv, TN_STR("x")));
	assert_false(tn_srv_remove(srv, TN_STR("x")));
	assert_int_equal(n_freed, 0);
	tn_post_put(p);
	assert_int_equal(n_freed, 1);
}

static void only_the_owner_removes(void **state)
{
	struct tn_chan *rob = attach(server, "rob");

	(void)state;
	post("x", "tcp!a!1");
	assert_int_equal(remove_at(rob, "x"), TN_EACCES);
	assert_int_equal(remove_at(root, "x"), TN_OK);
	assert_string_equal(list(root, ""), "");
	assert_int_equal(n_freed, 1);
	tn_chan_put(rob);
}

static void without_a_maker_no_file_is_created(void **state)
{
	(void)state;
	assert_int_equal(create_fails(root, "x", TN_OWRITE, 0666), TN_EACCES);
	assert_int_equal(stat_at(root, "")->mode, TN_DMDIR | 0555);
}

static void a_dial_string_written_to_a_new_file_is_posted(void **state)
{
	struct tn_chan *f;

	(void)state;
	tn_srv_maker(srv, make, NULL);
	f = create_at(root, "x", TN_OWRITE, 0666);
	assert_null(tn_srv_find(srv, TN_STR("x")));
	assert_int_equal(write_text(f, "nonsense\n"), TN_EBADDIAL);
	assert_int_equal(write_text(f, "tcp!a!1\n"), TN_OK);
	assert_int_equal(write_text(f, "tcp!b!1\n"), TN_EACCES);
	turn(f);
	assert_string_equal(cat(root, "x"), "tcp!a!1\n");
	assert_int_equal(create_fails(root, "x", TN_OWRITE, 0666), TN_EEXIST);
	assert_int_equal(create_fails(root, "d", TN_OREAD, TN_DMDIR | 0777), TN_EACCES);
}

static void a_new_file_to_which_nothing_was_written_goes(void **state)
{
	struct tn_chan *f;

	(void)state;
	tn_srv_maker(srv, make, NULL);
	f = create_at(root, "x", TN_OWRITE, 0666);
	assert_string_equal(cat(root, "x"), ""); /* who only looks takes nothing away */
	assert_string_equal(list(root, ""), "x");
	turn(f);
	assert_string_equal(list(root, ""), "");
}

static void add_name(void *arg, struct tn_str name, struct tn_post *p)
{
	(void)p;
	strncat(arg, name.s, name.len);
}

static void each_service_comes_once(void **state)
{
	char text[16] = "";

	(void)state;
	post("b", "tcp!a!1");
	post("a", "tcp!a!1");
	tn_srv_each(srv, add_name, text);
	assert_string_equal(text, "ba");
}

static void names_are_limited(void **state)
{
	char name[8];

	(void)state;
	for (unsigned i = 0; i < TN_SRV_MAX; i++) {
		snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(post(name, ""), TN_OK);
	}
	assert_int_equal(post("more", ""), TN_ELIMIT_FILES);
	assert_true(tn_srv_remove(srv, TN_STR("5")));
	assert_int_equal(post("more", ""), TN_OK);
}

static bool refuse(size_t size)
{
	(void)size;
	return false;
}

static void without_memory_nothing_is_posted(void **state)
{
	(void)state;
	tn_alloc_hook = refuse;
	assert_int_equal(post("x", "tcp!a!1"), TN_ENOMEM);
	assert_null(tn_srv_new());
	assert_null(tn_srv_server(&loop, srv));
	tn_alloc_hook = NULL;
	assert_int_equal(n_freed, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_service_is_a_file_that_shows_where_it_is),
		TEST(a_name_is_posted_once),
		TEST(what_is_posted_is_found_by_name_and_by_file),
		TEST(who_has_found_it_keeps_it_when_the_name_goes),
		TEST(only_the_owner_removes),
		TEST(without_a_maker_no_file_is_created),
		TEST(a_dial_string_written_to_a_new_file_is_posted),
		TEST(a_new_file_to_which_nothing_was_written_goes),
		TEST(each_service_comes_once),
		TEST(names_are_limited),
		TEST(without_memory_nothing_is_posted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
