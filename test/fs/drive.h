/*
 * Drives a file server by requests, as a door would: for the tests of devices. Each call makes one request (a walk and
 * an open: two), submits it and returns its error; a request that is kept is a `struct kept`. It checks what doors
 * check: that a file which is read is open for reading.
 */
#ifndef TN_TEST_FS_DRIVE_H
#define TN_TEST_FS_DRIVE_H

#include "core/chan.h"
#include "core/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNUSED_OK __attribute__((unused))

static struct tn_loop loop;

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

/* The answer of a stat or of one entry, its strings copied. */
struct seen {
	struct tn_stat st;
	char name[300], uid[300], gid[300], muid[300];
	uint64_t next;
};

static char listing[1 << 16]; /* names, "/" behind directories, blanks between */
static struct seen seen;
static uint64_t list_next;       /* where a listing goes on */
static unsigned list_room = ~0u; /* entries that are taken at most */

static void copy_str(char *to, struct tn_str s)
{
	assert_true(s.len < 300);
	if (s.len > 0)
		memcpy(to, s.s, s.len);
	to[s.len] = '\0';
}

static void take_stat(struct tn_req *r, const struct tn_stat *st)
{
	(void)r;
	seen.st = *st;
	copy_str(seen.name, st->name);
	copy_str(seen.uid, st->uid);
	copy_str(seen.gid, st->gid);
	copy_str(seen.muid, st->muid);
}

static bool take_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	size_t have = strlen(listing);

	(void)r;
	if (list_room == 0)
		return false;
	list_room--;
	assert_true(have + st->name.len + 3 < sizeof(listing));
	snprintf(listing + have, sizeof(listing) - have, "%s%.*s%s", have > 0 ? " " : "",
	    (int)st->name.len, st->name.s, st->mode & TN_DMDIR ? "/" : "");
	list_next = next;
	return true;
}

static unsigned n_done; /* kept requests that were answered */

static void count_done(struct tn_req *r)
{
	(void)r;
	n_done++;
}

static const struct tn_owner driver = { .done = count_done,
	.stat = take_stat,
	.entry = take_entry };

/* Has it served, and waits for it not: it must be answered at once. */
static enum tn_err ask(struct tn_req *r)
{
	enum tn_err err;

	assert_int_equal(tn_submit(r), TN_DONE);
	err = (enum tn_err)r->err;
	tn_req_reset(r);
	return err;
}

/* The root of an attach as this user (put), with an attach name; NULL and *err. */
static struct tn_chan *attach_user(struct tn_server *s, struct tn_user *user, const char *aname,
    enum tn_err *err)
{
	struct tn_chan *c = tn_chan_new(s, user);
	struct tn_req r;

	assert_non_null(c);
	tn_req_init(&r, TN_ATTACH, NULL, &driver);
	r.server = s;
	r.user = user;
	r.u.attach.uname = (struct tn_str){ user->name, user->len };
	r.u.attach.aname = str(aname);
	r.u.attach.newchan = c;
	*err = ask(&r);
	tn_user_put(user);
	if (*err == TN_OK)
		return c;
	tn_chan_put(c);
	return NULL;
}

static UNUSED_OK struct tn_chan *attach_as(struct tn_server *s, const char *who, const char *aname,
    enum tn_err *err)
{
	return attach_user(s, tn_user_new(str(who), TN_NONUNAME, TN_NONUNAME), aname, err);
}

/* Who has numbers, as Linux's users do. */
static UNUSED_OK struct tn_chan *attach_number(struct tn_server *s, const char *who, uint32_t uid,
    uint32_t gid)
{
	enum tn_err err;
	struct tn_chan *c = attach_user(s, tn_user_new(str(who), uid, gid), "", &err);

	assert_int_equal(err, TN_OK);
	return c;
}

static UNUSED_OK struct tn_chan *attach(struct tn_server *s, const char *who)
{
	return attach_number(s, who, TN_NONUNAME, TN_NONUNAME);
}

/* For tn_alloc_hook: there is memory so many times more. */
static int allocations_left;

static UNUSED_OK bool allow(size_t size)
{
	(void)size;
	return allocations_left-- > 0;
}

/* The Chan at "a/b" from c; NULL, *err and, in walked, how far it came. */
static unsigned walked;

static struct tn_chan *walk(struct tn_chan *c, const char *path, enum tn_err *err)
{
	struct tn_str names[TN_WNAME_MAX];
	struct tn_qid qids[TN_WNAME_MAX];
	struct tn_chan *to = tn_chan_clone(c);
	struct tn_req r;

	assert_non_null(to);
	tn_req_init(&r, TN_WALK, c, &driver);
	for (const char *s = path; *s; s += *s == '/') {
		size_t len = strcspn(s, "/");

		assert_true(r.u.walk.n_names < TN_WNAME_MAX);
		names[r.u.walk.n_names++] = (struct tn_str){ s, (uint32_t)len };
		s += len;
	}
	r.u.walk.names = names;
	r.u.walk.qids = qids;
	r.u.walk.newchan = to;
	*err = ask(&r);
	walked = r.u.walk.n_walked;
	if (*err == TN_OK && walked == r.u.walk.n_names)
		return to;
	if (*err == TN_OK)
		*err = TN_ENOENT;
	tn_chan_put(to);
	return NULL;
}

/* The same where it must be there. */
static struct tn_chan *at(struct tn_chan *c, const char *path)
{
	enum tn_err err;
	struct tn_chan *to = walk(c, path, &err);

	if (!to)
		print_message("%s: %s\n", path, tn_err_name(err));
	assert_non_null(to);
	return to;
}

static UNUSED_OK bool is_there(struct tn_chan *c, const char *path)
{
	enum tn_err err;
	struct tn_chan *to = walk(c, path, &err);

	tn_chan_put(to);
	return to != NULL;
}

static enum tn_err open_chan(struct tn_chan *c, uint32_t flags)
{
	struct tn_req r;

	tn_req_init(&r, TN_OPEN, c, &driver);
	r.flags = flags;
	return ask(&r);
}

static struct tn_chan *open_err(struct tn_chan *c, const char *path, uint32_t flags,
    enum tn_err *err)
{
	struct tn_chan *to = at(c, path);

	*err = open_chan(to, flags);
	if (*err == TN_OK)
		return to;
	tn_chan_put(to);
	return NULL;
}

static UNUSED_OK enum tn_err open_fails(struct tn_chan *c, const char *path, uint32_t flags)
{
	enum tn_err err;

	tn_chan_put(open_err(c, path, flags, &err));
	return err;
}

static UNUSED_OK struct tn_chan *open_at(struct tn_chan *c, const char *path, uint32_t flags)
{
	enum tn_err err;
	struct tn_chan *to = open_err(c, path, flags, &err);

	assert_int_equal(err, TN_OK);
	return to;
}

/* Creates in directory `dir`; the Chan is the new file's. NULL and *err. */
static struct tn_chan *create_err(struct tn_chan *dir, const char *name, uint32_t flags,
    uint32_t perm, enum tn_err *err)
{
	struct tn_chan *c = at(dir, "");
	struct tn_req r;

	tn_req_init(&r, TN_CREATE, c, &driver);
	r.flags = flags;
	r.u.create.name = str(name);
	r.u.create.perm = perm;
	r.u.create.gid = TN_NONUNAME;
	*err = ask(&r);
	if (*err == TN_OK)
		return c;
	tn_chan_put(c);
	return NULL;
}

static UNUSED_OK struct tn_chan *create_at(struct tn_chan *dir, const char *name, uint32_t flags,
    uint32_t perm)
{
	enum tn_err err;
	struct tn_chan *c = create_err(dir, name, flags, perm, &err);

	assert_int_equal(err, TN_OK);
	return c;
}

static UNUSED_OK enum tn_err create_fails(struct tn_chan *dir, const char *name, uint32_t flags,
    uint32_t perm)
{
	enum tn_err err;

	tn_chan_put(create_err(dir, name, flags, perm, &err));
	return err;
}

static struct tn_chan *turn(struct tn_chan *c)
{
	tn_chan_put(c);
	tn_loop_run(&loop);
	return NULL;
}

static UNUSED_OK void make_dir(struct tn_chan *dir, const char *name, uint32_t perm)
{
	turn(create_at(dir, name, TN_OREAD, TN_DMDIR | perm));
}

/* *count is what was asked for, then what was given. */
static enum tn_err read_err(struct tn_chan *c, uint64_t off, void *buf, uint32_t *count)
{
	struct tn_req r;
	enum tn_err err;

	tn_req_init(&r, TN_READ, c, &driver);
	r.u.io.data = buf;
	r.u.io.offset = off;
	r.u.io.count = *count;
	err = ask(&r);
	*count = err == TN_OK ? r.u.io.count : 0;
	return err;
}

/* What a read of `count` bytes at off gives, as a string. */
static UNUSED_OK const char *read_at(struct tn_chan *c, uint64_t off, uint32_t count)
{
	static char text[70000];

	assert_true(count < sizeof(text));
	assert_int_equal(read_err(c, off, text, &count), TN_OK);
	text[count] = '\0';
	return text;
}

static enum tn_err write_err(struct tn_chan *c, uint64_t off, const void *data, uint32_t *count)
{
	struct tn_req r;
	enum tn_err err;

	tn_req_init(&r, TN_WRITE, c, &driver);
	r.u.io.data = (uint8_t *)(uintptr_t)data;
	r.u.io.offset = off;
	r.u.io.count = *count;
	err = ask(&r);
	*count = err == TN_OK ? r.u.io.count : 0;
	return err;
}

static UNUSED_OK void write_at(struct tn_chan *c, uint64_t off, const char *text)
{
	uint32_t count = (uint32_t)strlen(text);

	assert_int_equal(write_err(c, off, text, &count), TN_OK);
	assert_int_equal(count, strlen(text));
}

static UNUSED_OK enum tn_err write_text(struct tn_chan *c, const char *text)
{
	uint32_t count = (uint32_t)strlen(text);

	return write_err(c, 0, text, &count);
}

/* A plain file with that content. */
static UNUSED_OK void put_file(struct tn_chan *dir, const char *name, const char *text,
    uint32_t perm)
{
	struct tn_chan *c = create_at(dir, name, TN_OWRITE, perm);

	write_at(c, 0, text);
	turn(c);
}

static UNUSED_OK const char *cat(struct tn_chan *c, const char *path)
{
	struct tn_chan *f = open_at(c, path, TN_OREAD);
	const char *text = read_at(f, 0, 65536);

	turn(f);
	return text;
}

static enum tn_err list_from(struct tn_chan *c, uint64_t offset)
{
	struct tn_req r;

	listing[0] = '\0';
	tn_req_init(&r, TN_READDIR, c, &driver);
	r.u.readdir.offset = offset;
	r.u.readdir.count = 8192;
	return ask(&r);
}

static UNUSED_OK const char *list(struct tn_chan *c, const char *path)
{
	struct tn_chan *d = open_at(c, path, TN_OREAD);

	assert_int_equal(list_from(d, 0), TN_OK);
	turn(d);
	return listing;
}

static UNUSED_OK const struct tn_stat *stat_chan(struct tn_chan *c)
{
	struct tn_req r;

	tn_req_init(&r, TN_STAT, c, &driver);
	assert_int_equal(ask(&r), TN_OK);
	return &seen.st;
}

static UNUSED_OK const struct tn_stat *stat_at(struct tn_chan *c, const char *path)
{
	struct tn_chan *f = at(c, path);
	const struct tn_stat *st = stat_chan(f);

	turn(f);
	return st;
}

static UNUSED_OK enum tn_err wstat_chan(struct tn_chan *c, const struct tn_stat *st)
{
	struct tn_req r;

	tn_req_init(&r, TN_WSTAT, c, &driver);
	r.u.wstat.st = st;
	return ask(&r);
}

static UNUSED_OK enum tn_err wstat_at(struct tn_chan *c, const char *path, const struct tn_stat *st)
{
	struct tn_chan *f = at(c, path);
	enum tn_err err = wstat_chan(f, st);

	turn(f);
	return err;
}

static UNUSED_OK enum tn_err remove_at(struct tn_chan *c, const char *path)
{
	struct tn_chan *f = at(c, path);
	struct tn_req r;
	enum tn_err err;

	tn_req_init(&r, TN_REMOVE, f, &driver);
	err = ask(&r);
	turn(f);
	return err;
}

/* A read or write that is to wait. `submitted` says whether it does. */
struct kept {
	struct tn_req r;
	char buf[1024];
	enum tn_status submitted;
};

static UNUSED_OK struct kept *keep_read(struct tn_chan *c, uint64_t off, uint32_t count)
{
	struct kept *k = calloc(1, sizeof(*k));

	tn_req_init(&k->r, TN_READ, c, &driver);
	k->r.u.io.data = (uint8_t *)k->buf;
	k->r.u.io.offset = off;
	k->r.u.io.count = count;
	k->submitted = tn_submit(&k->r);
	return k;
}

static UNUSED_OK struct kept *keep_write(struct tn_chan *c, uint64_t off, const char *text)
{
	struct kept *k = calloc(1, sizeof(*k));

	tn_req_init(&k->r, TN_WRITE, c, &driver);
	snprintf(k->buf, sizeof(k->buf), "%s", text);
	k->r.u.io.data = (uint8_t *)k->buf;
	k->r.u.io.offset = off;
	k->r.u.io.count = (uint32_t)strlen(k->buf);
	k->submitted = tn_submit(&k->r);
	return k;
}

static UNUSED_OK bool is_waiting(const struct kept *k)
{
	return tn_req_pending(&k->r);
}

/* What a kept request has answered; a read's data as a string. Frees it. */
static UNUSED_OK enum tn_err kept_err(struct kept *k)
{
	enum tn_err err = (enum tn_err)k->r.err;

	assert_false(tn_req_pending(&k->r));
	tn_req_reset(&k->r);
	free(k);
	return err;
}

static UNUSED_OK const char *kept_text(struct kept *k)
{
	static char text[1025];

	assert_false(tn_req_pending(&k->r));
	assert_int_equal(k->r.err, TN_OK);
	memcpy(text, k->buf, k->r.u.io.count);
	text[k->r.u.io.count] = '\0';
	tn_req_reset(&k->r);
	free(k);
	return text;
}

/* For setups: a loop, and its end after all of it has ended. */
static UNUSED_OK void loop_start(void)
{
	tn_loop_init(&loop, NULL, NULL);
	n_done = 0;
	list_room = ~0u;
	listing[0] = '\0';
}

static UNUSED_OK void loop_end(void)
{
	for (int i = 0; i < 8; i++)
		tn_loop_run(&loop);
	tn_loop_fini(&loop);
}

#endif
