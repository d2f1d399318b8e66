/*
 * conn, a message at a time: what each answers, what a fid's state lets it do, what is refused before a server hears of
 * it.
 */
#include "talk.h"

/* ---- version(5) ---- */

static const struct {
	const char *offered, *answered;
} versions[] = {
	{ "9P2000", "9P2000" },
	{ "9P2000.u", "9P2000.u" },
	{ "9P2000.L", "9P2000.L" },
	{ "9P2000.", "9P2000" },
	{ "9P2000.xyz.u", "9P2000" },
	{ "9P2999", "9P2000" },
	{ "9P2000u", "unknown" },
	{ "9P1999", "unknown" },
	{ "9p2000", "unknown" },
	{ "9P", "unknown" },
	{ "9P.2000", "unknown" },
	{ "9P99999999999999999999", "unknown" },
	{ "unknown", "unknown" },
	{ "", "unknown" },
};

static void a_version_is_answered_by_one_that_both_know(void **state)
{
	(void)state;
	start(NULL);
	for (size_t i = 0; i < TN_COUNT(versions); i++) {
		struct tn_msg r = ASK(t_version(8192, versions[i].offered));

		print_message("%s\n", versions[i].offered);
		assert_int_equal(r.type, TN_RVERSION);
		assert_int_equal(r.version.len, strlen(versions[i].answered));
		assert_memory_equal(r.version.s, versions[i].answered, r.version.len);
	}
}

static void the_msize_is_the_lower_of_both(void **state)
{
	(void)state;
	start(&(struct tn_conn_limits){ .msize_max = 10000 });
	assert_int_equal(ASK(t_version(9999, "9P2000")).msize, 9999);
	assert_int_equal(ASK(t_version(10000, "9P2000")).msize, 10000);
	assert_int_equal(ASK(t_version(10001, "9P2000")).msize, 10000);
	assert_int_equal(ASK(t_version(UINT32_MAX, "9P2000")).msize, 10000);
	assert_int_equal(ASK(t_version(256, "9P2000")).msize, 256);
	SAY(t_version(255, "9P2000"));
	assert_got("Rerror 65535 msize is too small");
}

static void nothing_is_served_before_a_version(void **state)
{
	(void)state;
	start(NULL);
	SAY(t_attach(1, 0, TN_NOFID));
	assert_got("Rerror 1 9P version not supported");
	ASK(t_version(8192, "8P2000"));
	SAY(t_flush(1, 2));
	assert_got("Rerror 1 9P version not supported");
	assert_history("");
}

/* version(5): all outstanding I/O is aborted, all fids are clunked, before Rversion. */
static void a_version_ends_all_that_was(void **state)
{
	(void)state;
	ADD(t_walk(1, 0, 5, "d"));
	ADD(t_walk(2, 0, 6, "f"));
	ADD(t_open(3, 6, TN_OREAD));
	send_batch();
	assert_got("Rwalk 1, Rwalk 2, Ropen 3");
	fake.late = 1u << TN_READ | 1u << TN_WALK;
	ADD(t_read(4, 6, 0, 10));
	ADD(t_walk(5, 0, 7, "f"));   /* which the server keeps */
	ADD(t_open(6, 7, TN_OREAD)); /* and this waits for it */
	send_batch();
	assert_int_equal(fake.n_held, 2);
	fake.history[0] = '\0';
	ADD(t_version(4096, "9P2000"));
	ADD(t_fid(TN_TCLUNK, 1, 0)); /* already of the new session */
	send_batch();
	assert_got("Rversion 65535, Rerror 1 fid unknown or out of range");
	assert_history("flush flush clunk clunk clunk");
	assert_int_equal(fake.n_chans, 0);
}

static void a_version_waits_for_what_does_not_end_at_once(void **state)
{
	(void)state;
	fake.late = 1u << TN_WALK | 1u << TN_CLUNK;
	fake.on_flush = FLUSH_IGNORED;
	SAY(t_walk(1, 0, 5, "f"));
	SAY(t_version(4096, "9P2000"));
	assert_got("");
	answer(0); /* the walk succeeds: what it made must be clunked too */
	settle();
	assert_got("");
	while (fake.n_held > 0)
		answer(0);
	assert_got("Rversion 65535");
	assert_int_equal(fake.n_chans, 0);
}

/* ---- attach(5) ---- */

static void no_authentication_is_asked_for(void **state)
{
	(void)state;
	SAY((struct tn_msg){ .type = TN_TAUTH,
	    .tag = 1,
	    .afid = 9,
	    .uname = TN_STR("u"),
	    .aname = TN_STR("") });
	assert_got("Rerror 1 authentication not required");
	SAY(t_fid(TN_TCLUNK, 1, 9));
	assert_got("Rerror 1 fid unknown or out of range");
	SAY((struct tn_msg){ .type = TN_TAUTH,
	    .tag = 1,
	    .afid = TN_NOFID,
	    .uname = TN_STR("u"),
	    .aname = TN_STR("") });
	assert_got("Rerror 1 fid unknown or out of range");
	SAY(t_attach(1, 9, 4711));
	assert_got("Rerror 1 fid unknown or out of range");
	SAY(t_attach(1, 9, 0)); /* a fid, but no afid */
	assert_got("Rerror 1 authentication failed");
	SAY(t_attach(1, 9, 9)); /* itself */
	assert_got("Rerror 1 fid unknown or out of range");
	SAY(t_attach(1, 0, 0));
	assert_got("Rerror 1 fid already in use");
	SAY(t_attach(1, 0, TN_NOFID));
	assert_got("Rerror 1 fid already in use");
	SAY(t_attach(1, TN_NOFID, TN_NOFID));
	assert_got("Rerror 1 fid unknown or out of range");
	assert_history("");
}

static void a_failed_attach_makes_no_fid(void **state)
{
	(void)state;
	fake.fail = TN_EBADATTACH;
	SAY(t_attach(1, 9, TN_NOFID));
	assert_got("Rerror 1 bad attach specifier");
	fake.fail = TN_OK;
	SAY(t_attach(1, 9, TN_NOFID));
	assert_got("Rattach 1");
}

/* ---- walk(5) ---- */

static const struct {
	const char *names;
	int walked;         /* qids in Rwalk; -1: Rerror */
	const char *server; /* what the server heard */
	bool made;
} walks[] = {
	{ "", 0, "walk", true },
	{ "f", 1, "walk", true },
	{ "d .. f", 3, "walk", true },
	{ "d d d d d d d d d d d d d d d d", 16, "walk", true },
	{ "d x d", 1, "walk", false },
	{ "d f f", 2, "walk", false },
	{ "x", -1, "walk", false },
	{ "x d", -1, "walk", false },
	{ ".", -1, "", false },
	{ "''", -1, "", false },
	{ "a/b", -1, "", false },
	{ "/", -1, "", false },
	{ "d .", 1, "walk clunk", false },
	{ "d '' d", 1, "walk clunk", false },
	{ "d d a/b", 2, "walk clunk", false },
};

static void a_walk_makes_newfid_only_if_all_names_are_walked(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(walks); i++) {
		struct tn_msg r = ASK(t_walk(1, 0, 5, walks[i].names));

		print_message("\"%s\"\n", walks[i].names);
		assert_int_equal(r.type, walks[i].walked < 0 ? TN_RERROR : TN_RWALK);
		if (walks[i].walked >= 0)
			assert_int_equal(r.nwqid, walks[i].walked);
		settle();
		assert_history(walks[i].server);
		SAY(t_fid(TN_TSTAT, 1, 5));
		assert_string_equal(got(),
		    walks[i].made ? "Rstat 1" : "Rerror 1 fid unknown or out of range");
		assert_int_equal(fake.n_chans, walks[i].made ? 2 : 1);
		if (walks[i].made)
			ASK(t_fid(TN_TCLUNK, 1, 5));
		fake.history[0] = '\0';
	}
}

static void a_walk_onto_itself_moves_only_in_full(void **state)
{
	(void)state;
	ASK(t_walk(1, 0, 5, ""));
	SAY(t_walk(1, 5, 5, "d x"));
	assert_got("Rwalk 1");
	assert_int_equal(ASK(t_fid(TN_TSTAT, 1, 5)).stat.qid.path, root_qid.path);
	SAY(t_walk(1, 5, 5, "x"));
	assert_got("Rerror 1 file does not exist");
	SAY(t_walk(1, 5, 5, ""));
	assert_got("Rwalk 1");
	assert_int_equal(ASK(t_fid(TN_TSTAT, 1, 5)).stat.qid.path, root_qid.path);
	SAY(t_walk(1, 5, 5, "d"));
	assert_got("Rwalk 1");
	assert_int_equal(ASK(t_fid(TN_TSTAT, 1, 5)).stat.qid.path, qid_of_name(TN_STR("d")).path);
	assert_int_equal(fake.n_chans, 2); /* where it was is clunked */
}

static void a_walk_needs_a_free_newfid_and_an_unopened_directory(void **state)
{
	(void)state;
	ADD(t_walk(1, 0, 5, "d"));
	ADD(t_walk(2, 0, 6, "f"));
	ADD(t_open(3, 5, TN_OREAD));
	send_batch();
	assert_got("Rwalk 1, Rwalk 2, Ropen 3");
	SAY(t_walk(1, 0, 6, "d"));
	assert_got("Rerror 1 fid already in use");
	SAY(t_walk(1, 5, 7, "d"));
	assert_got("Rerror 1 file already open for I/O");
	SAY(t_walk(1, 5, 7, ""));
	assert_got("Rerror 1 file already open for I/O");
	SAY(t_walk(1, 5, 5, "d"));
	assert_got("Rerror 1 file already open for I/O");
	SAY(t_walk(1, 6, 7, "f"));
	assert_got("Rerror 1 not a directory");
	SAY(t_walk(1, 6, 7, ".."));
	assert_got("Rerror 1 not a directory");
	SAY(t_walk(1, 77, 7, ""));
	assert_got("Rerror 1 fid unknown or out of range");
	SAY(t_walk(1, 77, 77, ""));
	assert_got("Rerror 1 fid unknown or out of range");
	SAY(t_walk(1, 0, TN_NOFID, ""));
	assert_got("Rerror 1 fid unknown or out of range");
	SAY(t_walk(1, TN_NOFID, TN_NOFID, ""));
	assert_got("Rerror 1 fid unknown or out of range");
	SAY(t_fid(TN_TSTAT, 1, 7));
	assert_got("Rerror 1 fid unknown or out of range");
}

/* ---- open(5) ---- */

static const char *const ok = "", *const is_dir = "file is a directory",
			 *const bad_arg = "bad arg in system call";

static void an_open_mode_is_checked_before_the_server_is_asked(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 256; mode++) {
		bool bad = mode & ~(3u | TN_OTRUNC | TN_ORCLOSE);
		bool writes = (mode & 3) == TN_OWRITE || (mode & 3) == TN_ORDWR;
		const char *want_file = bad ? bad_arg : ok;
		const char *want_dir = bad ? bad_arg : writes || (mode & ~3u) ? is_dir : ok;

		for (int dir = 0; dir < 2; dir++) {
			const char *want = dir ? want_dir : want_file;
			struct tn_msg r;

			ASK(t_walk(1, 0, 5, dir ? "d" : "f"));
			r = ASK(t_open(1, 5, (uint8_t)mode));
			assert_int_equal(r.type, *want ? TN_RERROR : TN_ROPEN);
			if (*want)
				assert_memory_equal(r.ename.s, want, r.ename.len);
			ASK(t_fid(TN_TCLUNK, 1, 5));
			fake.history[0] = '\0';
		}
	}
}

/* What each use needs of a fid that is open in each mode; -1: not open. */
static const struct {
	int mode;
	const char *read, *write;
} modes[] = {
	{ -1, "file is not open", "file is not open" },
	{ TN_OREAD, "", "inappropriate use of fd" },
	{ TN_OWRITE, "inappropriate use of fd", "" },
	{ TN_ORDWR, "", "" },
	{ TN_OEXEC, "", "inappropriate use of fd" },
	{ TN_OREAD | TN_OTRUNC, "", "inappropriate use of fd" },
};

static void a_fid_reads_and_writes_as_it_was_opened(void **state)
{
	(void)state;
	for (int made = 0; made < 2; made++) {
		for (size_t i = 0; i < TN_COUNT(modes); i++) {
			struct tn_msg r;

			if (made && modes[i].mode < 0)
				continue;
			print_message("mode %d\n", modes[i].mode);
			ASK(t_walk(1, 0, 5, made ? "d" : "f"));
			if (made)
				assert_int_equal(
				    ASK(t_create(1, 5, "new", 0644, (uint8_t)modes[i].mode)).type,
				    TN_RCREATE);
			else if (modes[i].mode >= 0)
				assert_int_equal(ASK(t_open(1, 5, (uint8_t)modes[i].mode)).type,
				    TN_ROPEN);
			r = ASK(t_read(1, 5, 0, 10));
			assert_int_equal(r.type, *modes[i].read ? TN_RERROR : TN_RREAD);
			r = ASK(t_write(1, 5, 0, "abc"));
			assert_int_equal(r.type, *modes[i].write ? TN_RERROR : TN_RWRITE);
			if (*modes[i].write)
				assert_memory_equal(r.ename.s, modes[i].write, r.ename.len);
			else
				assert_int_equal(r.count, 3);
			ASK(t_fid(TN_TCLUNK, 1, 5));
		}
	}
}

static void an_open_fid_is_not_opened_again(void **state)
{
	(void)state;
	ADD(t_walk(1, 0, 5, "d"));
	ADD(t_open(2, 5, TN_OREAD));
	ADD(t_open(3, 5, TN_OREAD));
	ADD(t_create(4, 5, "new", 0644, TN_OREAD));
	send_batch();
	assert_got(
	    "Rwalk 1, Ropen 2, Rerror 3 file already open for I/O, Rerror 4 file already open for I/O");
	assert_history("walk open");
}

static const struct {
	const char *name;
	uint32_t perm;
	uint8_t mode;
	const char *error;
} creates[] = {
	{ "new", 0644, TN_ORDWR, "" },
	{ "new", TN_DMDIR | 0755, TN_OREAD, "" },
	{ "new", TN_DMAPPEND | TN_DMEXCL | TN_DMTMP | 0777, TN_OWRITE | TN_OTRUNC | TN_ORCLOSE,
	    "" },
	{ "...", 0644, TN_OREAD, "" },
	{ "", 0644, TN_OREAD, "empty file name" },
	{ ".", 0644, TN_OREAD, "file already exists" },
	{ "..", TN_DMDIR | 0755, TN_OREAD, "file already exists" },
	{ "a/b", 0644, TN_OREAD, "bad character in file name" },
	{ "/", 0644, TN_OREAD, "bad character in file name" },
	{ "new", TN_DMDIR | 0755, TN_OWRITE, "file is a directory" },
	{ "new", TN_DMDIR | 0755, TN_ORDWR, "file is a directory" },
	{ "new", TN_DMDIR | 0755, TN_OREAD | TN_ORCLOSE, "file is a directory" },
	{ "new", TN_DMDIR | 0755, TN_OREAD | TN_OTRUNC, "file is a directory" },
	{ "new", TN_DMSYMLINK | 0755, TN_OREAD, "bad arg in system call" },
	{ "new", TN_DMAUTH | 0755, TN_OREAD, "bad arg in system call" },
	{ "new", 01000, TN_OREAD, "bad arg in system call" },
	{ "new", 0644, 0x20, "bad arg in system call" },
};

static void a_create_is_checked_before_the_server_is_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(creates); i++) {
		struct tn_msg r;

		ASK(t_walk(1, 0, 5, "d"));
		fake.history[0] = '\0';
		r = ASK(t_create(1, 5, creates[i].name, creates[i].perm, creates[i].mode));
		print_message("%s %x %x\n", creates[i].name, creates[i].perm, creates[i].mode);
		assert_int_equal(r.type, *creates[i].error ? TN_RERROR : TN_RCREATE);
		assert_history(*creates[i].error ? "" : "create");
		if (*creates[i].error) {
			assert_int_equal(r.ename.len, strlen(creates[i].error));
			assert_memory_equal(r.ename.s, creates[i].error, r.ename.len);
			assert_int_equal(ASK(t_walk(1, 5, 6, "d")).type,
			    TN_RWALK); /* a directory still */
			ASK(t_fid(TN_TCLUNK, 1, 6));
		}
		ASK(t_fid(TN_TCLUNK, 1, 5));
	}
	ASK(t_walk(1, 0, 5, "f"));
	SAY(t_create(1, 5, "new", 0644, TN_OREAD));
	assert_got("Rerror 1 not a directory");
}

static void a_failed_create_or_open_leaves_the_fid(void **state)
{
	(void)state;
	ASK(t_walk(1, 0, 5, "d"));
	fake.fail = TN_EACCES;
	SAY(t_create(1, 5, "new", 0644, TN_OREAD));
	assert_got("Rerror 1 permission denied");
	SAY(t_open(1, 5, TN_OREAD));
	assert_got("Rerror 1 permission denied");
	fake.fail = TN_OK;
	SAY(t_read(1, 5, 0, 10));
	assert_got("Rerror 1 file is not open");
	SAY(t_open(1, 5, TN_OREAD));
	assert_got("Ropen 1");
}

/* ---- read(5) ---- */

static void a_read_fits_the_msize(void **state)
{
	static const uint32_t counts[] = { 8192, 8181, 8182, 65536, INT32_MAX, UINT32_MAX };

	(void)state;
	ADD(t_version(300, "9P2000"));
	ADD(t_attach(1, 0, TN_NOFID));
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(1, 5, TN_ORDWR));
	send_batch();
	assert_got("Rversion 65535, Rattach 1, Rwalk 1, Ropen 1");
	peer.msize = 300;
	for (size_t i = 0; i < TN_COUNT(counts); i++)
		assert_int_equal(ASK(t_read(1, 5, 3, counts[i])).count, 300 - 11);
}

static void a_read_gives_the_bytes_at_its_offset(void **state)
{
	struct tn_msg r;

	(void)state;
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(1, 5, TN_ORDWR));
	send_batch();
	got();
	r = ASK(t_read(1, 5, 10, 5));
	assert_int_equal(r.count, 5);
	assert_memory_equal(r.data, "\x0a\x0b\x0c\x0d\x0e", 5);
	assert_int_equal(ASK(t_read(1, 5, 998, 5)).count, 2);
	assert_int_equal(ASK(t_read(1, 5, 1000, 5)).count, 0);
	assert_int_equal(ASK(t_read(1, 5, 0, 0)).count, 0);
}

static const struct {
	uint64_t offset;
	uint8_t read, write; /* of ten and three bytes */
} offsets[] = {
	{ INT64_MAX - 10, TN_RREAD, TN_RWRITE },
	{ INT64_MAX - 2, TN_RREAD, TN_RERROR },
	{ INT64_MAX, TN_RREAD, TN_RERROR },
	{ (uint64_t)INT64_MAX + 1, TN_RERROR, TN_RERROR },
	{ UINT64_MAX - 2, TN_RERROR, TN_RERROR },
	{ UINT64_MAX, TN_RERROR, TN_RERROR },
};

static void no_offset_goes_beyond_63_bits(void **state)
{
	(void)state;
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(1, 5, TN_ORDWR));
	send_batch();
	got();
	for (size_t i = 0; i < TN_COUNT(offsets); i++) {
		struct tn_msg r = ASK(t_read(1, 5, offsets[i].offset, 10));

		assert_int_equal(r.type, offsets[i].read);
		if (r.type == TN_RREAD)
			assert_int_equal(r.count, 0);
		assert_true(fake.end <= INT64_MAX);
		assert_int_equal(ASK(t_write(1, 5, offsets[i].offset, "abc")).type,
		    offsets[i].write);
	}
}

/* Reads a directory through and returns how many entries it had. */
static unsigned read_dir(uint32_t count)
{
	unsigned n = 0;
	uint64_t off = 0;

	for (;;) {
		struct tn_msg r = ASK(t_read(1, 5, off, count));
		size_t at = 0, used;

		assert_int_equal(r.type, TN_RREAD);
		assert_true(r.count <= count);
		if (r.count == 0)
			return n;
		for (; at < r.count; at += used, n++) {
			struct tn_stat st;
			char name[16];

			assert_int_equal(
			    tn_stat_decode(&st, TN_9P2000, r.data + at, r.count - at, &used),
			    TN_CODEC_OK);
			snprintf(name, sizeof(name), "e%03u", n);
			assert_memory_equal(st.name.s, name, 4);
		}
		off += r.count;
	}
}

static void open_dir(void)
{
	ADD(t_walk(1, 0, 5, "d"));
	ADD(t_open(1, 5, TN_OREAD));
	send_batch();
	got();
}

enum { ENTRY = 2 + 47 + 4 }; /* bytes of an entry with a name of four */

static void a_directory_is_read_in_whole_entries(void **state)
{
	static const uint32_t counts[] = { ENTRY, ENTRY + 1, 2 * ENTRY - 1, 2 * ENTRY, 1000, 8000 };

	(void)state;
	open_dir();
	for (size_t i = 0; i < TN_COUNT(counts); i++)
		assert_int_equal(read_dir(counts[i]), fake.n_entries);
	fake.n_entries = 0;
	assert_int_equal(read_dir(1000), 0);
}

static void a_directory_read_without_room_for_one_entry_fails(void **state)
{
	(void)state;
	open_dir();
	SAY(t_read(1, 5, 0, ENTRY - 1));
	assert_got("Rerror 1 bad count");
	SAY(t_read(1, 5, 0, 1));
	assert_got("Rerror 1 bad count");
	assert_int_equal(ASK(t_read(1, 5, 0, 0)).count, 0);
	assert_int_equal(read_dir(1000), fake.n_entries);
}

static void a_directory_is_read_from_the_start_or_where_the_last_read_ended(void **state)
{
	(void)state;
	open_dir();
	assert_int_equal(ASK(t_read(1, 5, 0, 3 * ENTRY)).count, 3 * ENTRY);
	SAY(t_read(1, 5, 3 * ENTRY + 1, 1000));
	assert_got("Rerror 1 bad offset in directory read");
	SAY(t_read(1, 5, 1, 1000));
	assert_got("Rerror 1 bad offset in directory read");
	SAY(t_read(1, 5, ENTRY, 1000));
	assert_got("Rerror 1 bad offset in directory read");
	assert_int_equal(ASK(t_read(1, 5, 3 * ENTRY, ENTRY)).count, ENTRY);
	assert_int_equal(ASK(t_read(1, 5, 4 * ENTRY, ENTRY)).count, ENTRY);
	assert_int_equal(read_dir(1000), fake.n_entries); /* from 0 again */
}

/* ---- clunk(5), remove(5), stat(5) ---- */

static void a_clunked_fid_is_gone_even_if_the_server_complains(void **state)
{
	(void)state;
	ASK(t_walk(1, 0, 5, "f"));
	fake.fail = TN_EIO;
	SAY(t_fid(TN_TCLUNK, 1, 5));
	assert_got("Rerror 1 i/o error");
	fake.fail = TN_OK;
	SAY(t_fid(TN_TCLUNK, 1, 5));
	assert_got("Rerror 1 fid unknown or out of range");
	ASK(t_walk(1, 0, 5, "f"));
}

static void a_remove_clunks_whatever_comes_of_it(void **state)
{
	static const enum tn_err errs[] = { TN_OK, TN_EACCES };

	(void)state;
	for (int late = 0; late < 4; late++) {
		for (size_t i = 0; i < TN_COUNT(errs); i++) {
			fake.late = 0;
			ASK(t_walk(1, 0, 5, "f"));
			fake.history[0] = '\0';
			fake.late = (late & 1 ? 1u << TN_REMOVE : 0) |
				    (late & 2 ? 1u << TN_CLUNK : 0);
			fake.fail = errs[i];
			SAY(t_fid(TN_TREMOVE, 1, 5));
			while (fake.n_held > 0) {
				assert_got("");
				answer(0);
				run_loop();
				fake.fail = errs[i];
			}
			fake.fail = TN_OK;
			assert_string_equal(got(),
			    errs[i] ? "Rerror 1 permission denied" : "Rremove 1");
			assert_history("remove clunk");
			SAY(t_fid(TN_TSTAT, 1, 5));
			assert_got("Rerror 1 fid unknown or out of range");
			assert_int_equal(fake.n_chans, 1);
		}
	}
}

static void a_failed_remove_keeps_its_words(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		fake.late = 0;
		ASK(t_walk(1, 0, 5, "f"));
		fake.late = late ? 1u << TN_CLUNK : 0;
		fake.fail = TN_EREMOTE;
		fake.words = "it is dear to me";
		SAY(t_fid(TN_TREMOVE, 1, 5));
		if (late)
			answer(0);
		assert_got("Rerror 1 it is dear to me");
		fake.fail = TN_OK;
	}
}

static void a_server_s_own_words_travel(void **state)
{
	struct tn_msg r;

	(void)state;
	fake.late = 1u << TN_STAT;
	SAY(t_fid(TN_TSTAT, 1, 0));
	tn_fail_words(fake.held[0], TN_EREMOTE, "the dog ate it", 14);
	tn_respond(held_take(0));
	assert_got("Rerror 1 the dog ate it");
	SAY(t_fid(TN_TSTAT, 1, 0));
	{
		char words[2000];

		for (size_t i = 0; i < sizeof(words); i += 2)
			memcpy(words + i, "\xc3\xa9", 2);
		tn_fail_words(fake.held[0], TN_EREMOTE, words, sizeof(words));
	}
	tn_respond(held_take(0));
	settle();
	assert_true(next_msg(&r)); /* cut, but not inside a character */
	assert_int_equal(r.type, TN_RERROR);
	assert_int_equal(r.ename.len % 2, 0);
	assert_true(r.ename.len > 400);
}

/* Every field is said; type is the device's letter, if the file is made up when it is read; dev is nobody's. */
static void a_stat_is_whole(void **state)
{
	struct tn_msg r = ASK(t_fid(TN_TSTAT, 1, 0));

	(void)state;
	assert_int_equal(r.type, TN_RSTAT);
	assert_int_equal(r.stat.mode, TN_DMDIR | 0644);
	assert_int_equal(r.stat.length, 0);
	assert_int_equal(r.stat.type, 7);
	assert_int_equal(r.stat.dev, 0);
	assert_int_equal(r.stat.atime_ns, 0);
	assert_true(r.stat.valid & TN_ST_ATIME);
	assert_memory_equal(r.stat.name.s, "name", 4);
}

static const struct {
	const char *what;
	bool dir;
	struct tn_stat st;
	const char *error;
} wstats[] = {
	{ "nothing: sync", false, { 0 }, "" },
	{ "mode", false, { .valid = TN_ST_MODE, .mode = 0600 }, "" },
	{ "mode of a directory", true, { .valid = TN_ST_MODE, .mode = TN_DMDIR | 0700 }, "" },
	{ "a file becomes a directory", false, { .valid = TN_ST_MODE, .mode = TN_DMDIR | 0700 },
	    "operation not permitted" },
	{ "a directory becomes a file", true, { .valid = TN_ST_MODE, .mode = 0700 },
	    "operation not permitted" },
	{ "mode bits that 9P2000 has not", false,
	    { .valid = TN_ST_MODE, .mode = TN_DMSYMLINK | 0700 }, "operation not permitted" },
	{ "length", false, { .valid = TN_ST_LENGTH, .length = 10 }, "" },
	{ "length beyond 63 bits", false, { .valid = TN_ST_LENGTH, .length = (uint64_t)1 << 63 },
	    "file too large" },
	{ "length 0 of a directory", true, { .valid = TN_ST_LENGTH }, "" },
	{ "length of a directory", true, { .valid = TN_ST_LENGTH, .length = 1 },
	    "file is a directory" },
	{ "type and dev as told", false, { .valid = TN_ST_DEV }, "" },
	{ "type: what a stat said, and nobody's to change", false,
	    { .valid = TN_ST_DEV, .type = 1, .dev = UINT32_MAX }, "" },
	{ "dev", false, { .valid = TN_ST_DEV, .type = UINT16_MAX, .dev = 1 },
	    "operation not permitted" },
	{ "the qid's type", false,
	    { .valid = TN_ST_QID, .qid = { UINT64_MAX, UINT32_MAX, TN_QTDIR } },
	    "operation not permitted" },
	{ "the qid's path", false, { .valid = TN_ST_QID, .qid = { 4711, UINT32_MAX, UINT8_MAX } },
	    "operation not permitted" },
	{ "name", false, { .valid = TN_ST_NAME, .name = { "new", 3 } }, "" },
	{ "name .", false, { .valid = TN_ST_NAME, .name = { ".", 1 } }, "file already exists" },
	{ "name ..", false, { .valid = TN_ST_NAME, .name = { "..", 2 } }, "file already exists" },
	{ "name with a slash", false, { .valid = TN_ST_NAME, .name = { "a/b", 3 } },
	    "bad character in file name" },
};

static void a_wstat_touches_only_what_it_may(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(wstats); i++) {
		struct tn_msg r;

		ASK(t_walk(1, 0, 5, wstats[i].dir ? "d" : "f"));
		fake.history[0] = '\0';
		r = ASK(t_wstat(1, 5, wstats[i].st));
		print_message("%s\n", wstats[i].what);
		assert_int_equal(r.type, *wstats[i].error ? TN_RERROR : TN_RWSTAT);
		if (*wstats[i].error)
			assert_memory_equal(r.ename.s, wstats[i].error, r.ename.len);
		assert_history(*wstats[i].error ? "" : "wstat");
		ASK(t_fid(TN_TCLUNK, 1, 5));
	}
}

static void a_wstat_that_is_kept_says_the_same(void **state)
{
	struct tn_stat st = { .valid = TN_ST_MODE | TN_ST_NAME | TN_ST_DEV | TN_ST_QID,
		.mode = 0600,
		.name = TN_STR("new"),
		.qid = qid_of_name(TN_STR("f")) };
	const struct tn_stat *kept;

	(void)state;
	ASK(t_walk(1, 0, 5, "f"));
	fake.late = 1u << TN_WSTAT;
	SAY(t_wstat(1, 5, st));
	SAY(t_fid(TN_TSTAT, 2, 0)); /* the in buffer is used anew */
	assert_got("Rstat 2");
	kept = fake.held[0]->u.wstat.st;
	assert_int_equal(kept->valid, TN_ST_MODE | TN_ST_NAME);
	assert_int_equal(kept->mode, 0600);
	assert_memory_equal(kept->name.s, "new", 3);
	answer(0);
	assert_got("Rwstat 1");
}

static void every_request_on_an_unknown_fid_is_refused(void **state)
{
	struct tn_msg all[] = { t_walk(1, 9, 5, "f"), t_open(1, 9, 0), t_create(1, 9, "a", 0, 0),
		t_read(1, 9, 0, 1), t_write(1, 9, 0, "a"), t_fid(TN_TCLUNK, 1, 9),
		t_fid(TN_TREMOVE, 1, 9), t_fid(TN_TSTAT, 1, 9),
		t_wstat(1, 9, (struct tn_stat){ 0 }) };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(all); i++) {
		say(&all[i]);
		assert_got("Rerror 1 fid unknown or out of range");
	}
	assert_history("");
}

/* ---- frames ---- */

static void malformed_messages_are_answered_by_an_error(void **state)
{
	static const struct {
		const char *what;
		uint8_t frame[16];
	} frames[] = {
		{ "type 0", { 7, 0, 0, 0, 0, 3 } },
		{ "Terror", { 7, 0, 0, 0, 106, 3 } },
		{ "type 255", { 7, 0, 0, 0, 255, 3 } },
		{ "Tlopen, which 9P2000 has not", { 15, 0, 0, 0, TN_TLOPEN, 3 } },
		{ "Rclunk, an answer", { 7, 0, 0, 0, TN_RCLUNK, 3 } },
		{ "Tclunk without its fid", { 7, 0, 0, 0, TN_TCLUNK, 3 } },
		{ "Tclunk with a byte too many", { 12, 0, 0, 0, TN_TCLUNK, 3 } },
		{ "Tversion that ends in its string",
		    { 14, 0, 0, 0, TN_TVERSION, 3, 0, 0, 32, 0, 0, 9, 0, '9' } },
	};

	(void)state;
	for (size_t i = 0; i < TN_COUNT(frames); i++) {
		print_message("%s\n", frames[i].what);
		push_all(frames[i].frame, frames[i].frame[0]);
		assert_got("Rerror 3 malformed message");
	}
	assert_int_equal(ASK(t_fid(TN_TSTAT, 1, 0)).type, TN_RSTAT);
}

static void a_frame_that_cannot_be_hangs_up(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 4, 6, 8193, 0x80000010, UINT32_MAX };

	(void)state;
	teardown(NULL);
	for (size_t i = 0; i < TN_COUNT(sizes); i++) {
		uint8_t frame[7] = { (uint8_t)sizes[i], (uint8_t)(sizes[i] >> 8),
			(uint8_t)(sizes[i] >> 16), (uint8_t)(sizes[i] >> 24), TN_TCLUNK, 1 };

		start_session(NULL);
		ADD(t_fid(TN_TSTAT, 1, 0)); /* what came before is answered */
		memcpy(batch.bytes + batch.len, frame, sizeof(frame));
		batch.len += sizeof(frame);
		send_batch();
		assert_null(peer.s);
		assert_true(peer.is_closed);
		assert_got("Rstat 1");
		hang_up();
	}
}

static void a_tag_in_flight_is_not_taken_again(void **state)
{
	(void)state;
	fake.late = 1u << TN_STAT;
	SAY(t_fid(TN_TSTAT, 7, 0));
	SAY(t_walk(7, 0, 5, ""));
	assert_got("Rerror 7 tag already in use");
	SAY(t_flush(7, 7));
	assert_got("Rerror 7 tag already in use");
	answer(0);
	assert_got("Rstat 7");
	SAY(t_walk(7, 0, 5, ""));
	assert_got("Rwalk 7");
	SAY(t_fid(TN_TCLUNK, TN_NOTAG, 5));
	assert_got("Rerror 65535 tag already in use");
}

/* intro(5): a message may come in pieces of any size; whatever the pieces, the answers are the same bytes. */
static void a_stream_may_be_cut_anywhere(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("new") };
	uint8_t *want = NULL;
	size_t n_want = 0, n = 0;

	(void)state;
	teardown(NULL);
	for (size_t split = 0; split == 0 || split <= n; split++) {
		start(NULL);
		ADD(t_version(8192, "9P2000"));
		ADD(t_attach(1, 0, TN_NOFID));
		ADD(t_walk(2, 0, 5, "d d"));
		ADD(t_create(3, 5, "new", 0644, TN_ORDWR));
		ADD(t_write(4, 5, 0, "hello"));
		ADD(t_read(5, 5, 0, 100));
		ADD(t_wstat(6, 5, st));
		ADD(t_fid(TN_TSTAT, 7, 5));
		ADD(t_flush(8, 1));
		ADD(t_fid(TN_TREMOVE, 9, 5));
		n = batch.len;
		if (split == 0) {
			push_all(batch.bytes, n);
		} else {
			/* one cut, at `split`; what is behind it byte by byte */
			push_all(batch.bytes, split);
			peer.split = 1;
			push_all(batch.bytes + split, n - split);
		}
		settle();
		if (split == 0) {
			n_want = peer.n_got;
			want = malloc(n_want);
			memcpy(want, peer.got, n_want);
		}
		assert_int_equal(peer.n_got, n_want);
		assert_memory_equal(peer.got, want, n_want);
		hang_up();
	}
	free(want);
}

/* House rule 3. */
static void what_came_in_one_read_leaves_in_one_write(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 60; i++)
		ADD(t_walk(i, 0, 100u + i, "d"));
	peer.writes = peer.pieces = 0;
	peer.split = 0;
	push_all(batch.bytes, batch.len);
	settle();
	/* The first read is small, the buffer has grown for the next; what matters: writes do not count messages. */
	assert_true(peer.writes <= 3);
	batch.len = 0;
	got();
	for (uint16_t i = 0; i < 60; i++)
		ADD(t_fid(TN_TSTAT, i, 100u + i));
	peer.writes = 0;
	push_all(batch.bytes, batch.len);
	settle();
	assert_int_equal(peer.writes, 1);
	batch.len = 0;
}

static void the_end_is_told_once_all_is_clunked(void **state)
{
	(void)state;
	fake.late = 1u << TN_READ | 1u << TN_CLUNK;
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_OREAD));
	ADD(t_read(3, 5, 0, 10));
	send_batch();
	fake.on_flush = FLUSH_IGNORED;
	tn_conn_end(peer.conn);
	settle();
	assert_false(peer.is_closed);
	answer(0); /* the read */
	run_loop();
	assert_int_equal(fake.n_held, 2); /* both fids are being clunked */
	assert_false(peer.is_closed);
	answer(1);
	answer(0);
	run_loop();
	assert_true(peer.is_closed);
}

static void an_ended_conn_sends_no_more(void **state)
{
	struct tn_vec vec;

	(void)state;
	peer.stuck = true;
	SAY(t_fid(TN_TSTAT, 1, 0));
	assert_int_equal(tn_stream_output(peer.s, &vec, 1), 1);
	tn_conn_end(peer.conn);
	assert_int_equal(tn_stream_output(peer.s, &vec, 1), 0);
	assert_true(peer.s->closing);
	run_loop();
	assert_true(peer.is_closed);
}

static void a_hundred_fids_are_clunked_a_few_at_a_time(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		ADD(t_walk(1, 0, 10 + i, ""));
	send_batch();
	got();
	fake.late = 1u << TN_CLUNK;
	SAY(t_version(8192, "9P2000"));
	assert_int_equal(fake.n_held, 64);
	while (fake.n_held > 0) {
		assert_got("");
		answer(0);
		run_loop();
	}
	assert_got("Rversion 65535");
}

static void stats_count(void **state)
{
	struct tn_conn_stats st;

	(void)state;
	fake.late = 1u << TN_STAT;
	SAY(t_fid(TN_TSTAT, 1, 0));
	SAY(t_fid(TN_TCLUNK, 2, 99));
	tn_conn_stats(peer.conn, &st);
	assert_int_equal(st.messages_in, 4);
	assert_int_equal(st.messages_out, 3);
	assert_int_equal(st.errors, 1);
	assert_int_equal(st.kept, 1);
	assert_int_equal(st.fids, 1);
	assert_int_equal(st.reqs, 1);
	assert_int_equal(st.bytes_in, (7 + 4 + 2 + 6) + (7 + 4 + 4 + 2 + 6 + 2) + 11 + 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE(a_version_is_answered_by_one_that_both_know),
		BARE(the_msize_is_the_lower_of_both),
		BARE(nothing_is_served_before_a_version),
		SESSION(a_version_ends_all_that_was),
		SESSION(a_version_waits_for_what_does_not_end_at_once),
		SESSION(no_authentication_is_asked_for),
		SESSION(a_failed_attach_makes_no_fid),
		SESSION(a_walk_makes_newfid_only_if_all_names_are_walked),
		SESSION(a_walk_onto_itself_moves_only_in_full),
		SESSION(a_walk_needs_a_free_newfid_and_an_unopened_directory),
		SESSION(an_open_mode_is_checked_before_the_server_is_asked),
		SESSION(a_fid_reads_and_writes_as_it_was_opened),
		SESSION(an_open_fid_is_not_opened_again),
		SESSION(a_create_is_checked_before_the_server_is_asked),
		SESSION(a_failed_create_or_open_leaves_the_fid),
		SESSION(a_read_fits_the_msize),
		SESSION(a_read_gives_the_bytes_at_its_offset),
		SESSION(no_offset_goes_beyond_63_bits),
		SESSION(a_directory_is_read_in_whole_entries),
		SESSION(a_directory_read_without_room_for_one_entry_fails),
		SESSION(a_directory_is_read_from_the_start_or_where_the_last_read_ended),
		SESSION(a_clunked_fid_is_gone_even_if_the_server_complains),
		SESSION(a_remove_clunks_whatever_comes_of_it),
		SESSION(a_failed_remove_keeps_its_words),
		SESSION(a_server_s_own_words_travel),
		SESSION(a_stat_is_whole),
		SESSION(a_wstat_touches_only_what_it_may),
		SESSION(a_wstat_that_is_kept_says_the_same),
		SESSION(every_request_on_an_unknown_fid_is_refused),
		SESSION(malformed_messages_are_answered_by_an_error),
		SESSION(a_frame_that_cannot_be_hangs_up),
		SESSION(a_tag_in_flight_is_not_taken_again),
		SESSION(a_stream_may_be_cut_anywhere),
		SESSION(what_came_in_one_read_leaves_in_one_write),
		SESSION(the_end_is_told_once_all_is_clunked),
		SESSION(an_ended_conn_sends_no_more),
		SESSION(a_hundred_fids_are_clunked_a_few_at_a_time),
		SESSION(stats_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
