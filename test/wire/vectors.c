/*
 * Reads the records with jansson, and holds messages against them. See vectors.h.
 */
#include "vectors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const files[TN_DIALECTS] = {
	[TN_9P2000] = "frames-2000.json",
	[TN_9P2000_U] = "frames-2000u.json",
	[TN_9P2000_L] = "frames-2000L.json",
	[TN_9P2000_TENON] = NULL, /* our own: test/wire/msg.c */
};

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* ---- what the records call things ---- */

enum kind { NUMBER, STRING, A_QID, NAMES, QIDS, DATA, ENTRIES, A_STAT };

struct name {
	const char *key;
	const char *types; /* the messages in which the key means this; NULL: all others */
	enum kind kind;
	size_t off, width;
};

#define N(key, types, member)                                        \
	{                                                            \
		key, types, NUMBER, offsetof(struct tn_msg, member), \
		    sizeof(((struct tn_msg *)0)->member)             \
	}
#define S(key, types, member)                                          \
	{                                                              \
		key, types, STRING, offsetof(struct tn_msg, member), 0 \
	}
#define SAME(member) N(#member, NULL, member)
#define TEXT(member) S(#member, NULL, member)

/* clang-format off */
static const struct name names[] = {
	SAME(tag), SAME(oldtag), SAME(msize), SAME(afid), SAME(newfid), SAME(iounit), SAME(count), SAME(offset),
	SAME(perm), SAME(n_uname), SAME(flags), SAME(uid), SAME(gid), SAME(major), SAME(minor), SAME(valid),
	SAME(nlink), SAME(rdev), SAME(blksize), SAME(gen), SAME(data_version), SAME(start), SAME(length),
	SAME(proc_id), SAME(status),
	SAME(atime_sec), SAME(atime_nsec), SAME(mtime_sec), SAME(mtime_nsec),
	SAME(ctime_sec), SAME(ctime_nsec), SAME(btime_sec), SAME(btime_nsec),
	TEXT(version), TEXT(uname), TEXT(aname), TEXT(ename), TEXT(name), TEXT(newname), TEXT(extension), TEXT(target),
	TEXT(client_id),
	{ "qid", NULL, A_QID, offsetof(struct tn_msg, qid), 0 },
	{ "aqid", NULL, A_QID, offsetof(struct tn_msg, qid), 0 },
	{ "wname", NULL, NAMES, 0, 0 },
	{ "wqid", NULL, QIDS, 0, 0 },
	{ "data", NULL, DATA, 0, 0 },
	{ "entries", NULL, ENTRIES, 0, 0 },
	{ "stat", NULL, A_STAT, 0, 0 },
	N("errno", "Rerror", error),
	N("ecode", "Rlerror", error),
	N("mode", "Topen Tcreate", mode),
	N("mode", "Tlcreate Tmknod Tmkdir Tsetattr Rgetattr", perm),
	N("kind", "Rstatfs", statfs.type),
	N("kind", "Tlock Tgetlock Rgetlock", lock_type),
	N("bsize", "Rstatfs", statfs.bsize), N("blocks", "Rstatfs", statfs.blocks), N("bfree", "Rstatfs", statfs.bfree),
	N("bavail", "Rstatfs", statfs.bavail), N("files", "Rstatfs", statfs.files), N("ffree", "Rstatfs", statfs.ffree),
	N("fsid", "Rstatfs", statfs.fsid), N("namelen", "Rstatfs", statfs.namelen),
	N("blocks", "Rgetattr", blocks),
	N("request_mask", "Tgetattr", valid),
	N("size", "Rgetattr Tsetattr Rxattrwalk", length),
	N("attr_size", "Txattrcreate", length),
	N("datasync", "Tfsync", flags),
	S("symtgt", "Tsymlink", target),
	N("dfid", "Tsymlink Tmknod Tlink Tmkdir", fid),
	N("dfid", "Trename", newfid),
	N("fid", "Tlink", newfid),
	SAME(fid),
	N("olddirfid", "Trenameat", fid), S("oldname", "Trenameat", name), N("newdirfid", "Trenameat", newfid),
	N("dirfid", "Tunlinkat", fid),
};
/* clang-format on */

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

static const struct name *name_of(const char *key, const char *type)
{
	for (size_t i = 0; i < TN_COUNT(names); i++)
		if (!strcmp(names[i].key, key) &&
		    (!names[i].types || has_word(names[i].types, type)))
			return &names[i];
	die("%s: the test knows no field %s", type, key);
	return NULL;
}

/* ---- records to structs ---- */

static uint64_t number(const json_t *j)
{
	if (!json_is_integer(j))
		die("not a number");
	return (uint64_t)json_integer_value(j);
}

static void set_number(void *to, size_t width, uint64_t v)
{
	switch (width) {
	case 1: *(uint8_t *)to = (uint8_t)v; break;
	case 2: *(uint16_t *)to = (uint16_t)v; break;
	case 4: *(uint32_t *)to = (uint32_t)v; break;
	default: *(uint64_t *)to = v;
	}
}

static uint64_t get_number(const void *from, size_t width)
{
	switch (width) {
	case 1: return *(const uint8_t *)from;
	case 2: return *(const uint16_t *)from;
	case 4: return *(const uint32_t *)from;
	default: return *(const uint64_t *)from;
	}
}

static struct tn_str text(const json_t *j)
{
	return (struct tn_str){ json_string_value(j), (uint32_t)json_string_length(j) };
}

static struct tn_qid qid(const json_t *j)
{
	return (struct tn_qid){
		.type = (uint8_t)number(json_array_get(j, 0)),
		.version = (uint32_t)number(json_array_get(j, 1)),
		.path = number(json_array_get(j, 2)),
	};
}

static size_t unhex(const char *hex, uint8_t *to, size_t size)
{
	size_t n = strlen(hex) / 2;

	if (n > size)
		die("a record of %zu bytes", n);
	for (size_t i = 0; i < n; i++) {
		char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		to[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

static const json_t *member(const json_t *j, const char *key)
{
	const json_t *found = json_object_get(j, key);

	if (!found)
		die("a record without %s", key);
	return found;
}

/* stat(5): all ones and "" are "don't touch", which is: not known. */
static bool stat_number(const json_t *j, const char *key, uint64_t ones, uint64_t *to)
{
	*to = number(member(j, key)) & ones;
	return *to != ones;
}

static bool stat_text(const json_t *j, const char *key, struct tn_str *to)
{
	if (json_string_length(member(j, key)) == 0)
		return false;
	*to = text(member(j, key));
	return true;
}

static struct tn_stat stat_of(const json_t *j, enum tn_dialect dialect)
{
	struct tn_stat st = { 0 };
	uint64_t n, type;
	struct tn_qid q = qid(member(j, "qid"));

	if (stat_number(j, "dev", UINT32_MAX, &n) | stat_number(j, "type", UINT16_MAX, &type)) {
		st.valid |= TN_ST_DEV;
		st.type = (uint16_t)type;
		st.dev = (uint32_t)n;
	}
	if (q.type != UINT8_MAX || q.version != UINT32_MAX || q.path != UINT64_MAX) {
		st.valid |= TN_ST_QID;
		st.qid = q;
	}
	if (stat_number(j, "mode", UINT32_MAX, &n))
		st.valid |= TN_ST_MODE, st.mode = (uint32_t)n;
	if (stat_number(j, "atime", UINT32_MAX, &n))
		st.valid |= TN_ST_ATIME, st.atime_ns = (int64_t)n * 1000000000;
	if (stat_number(j, "mtime", UINT32_MAX, &n))
		st.valid |= TN_ST_MTIME, st.mtime_ns = (int64_t)n * 1000000000;
	if (stat_number(j, "length", UINT64_MAX, &n))
		st.valid |= TN_ST_LENGTH, st.length = n;
	st.valid |= stat_text(j, "name", &st.name) ? TN_ST_NAME : 0;
	st.valid |= stat_text(j, "uid", &st.uid) ? TN_ST_UID : 0;
	st.valid |= stat_text(j, "gid", &st.gid) ? TN_ST_GID : 0;
	st.valid |= stat_text(j, "muid", &st.muid) ? TN_ST_MUID : 0;
	if (dialect != TN_9P2000_U)
		return st;
	st.valid |= stat_text(j, "extension", &st.extension) ? TN_ST_EXTENSION : 0;
	if (stat_number(j, "n_uid", UINT32_MAX, &n))
		st.valid |= TN_ST_NUID, st.n_uid = (uint32_t)n;
	if (stat_number(j, "n_gid", UINT32_MAX, &n))
		st.valid |= TN_ST_NGID, st.n_gid = (uint32_t)n;
	if (stat_number(j, "n_muid", UINT32_MAX, &n))
		st.valid |= TN_ST_NMUID, st.n_muid = (uint32_t)n;
	return st;
}

static size_t put_entries(const json_t *entries, uint8_t *to, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *e = json_array_get(entries, i);
		struct tn_dirent d = {
			.qid = qid(json_array_get(e, 0)),
			.offset = number(json_array_get(e, 1)),
			.type = (uint8_t)number(json_array_get(e, 2)),
			.name = text(json_array_get(e, 3)),
		};
		size_t n = tn_dirent_encode(&d, to + used, size - used);

		if (!n)
			die("no room for an entry");
		used += n;
	}
	return used;
}

static void set_field(struct tn_msg *m, const struct name *name, const json_t *value,
    enum tn_dialect dialect, uint8_t *data, size_t size)
{
	void *to = (char *)m + name->off;

	switch (name->kind) {
	case NUMBER: set_number(to, name->width, number(value)); break;
	case STRING: *(struct tn_str *)to = text(value); break;
	case A_QID: *(struct tn_qid *)to = qid(value); break;
	case A_STAT: m->stat = stat_of(value, dialect); break;
	case NAMES:
		m->nwname = (uint16_t)json_array_size(value);
		for (size_t i = 0; i < m->nwname; i++)
			m->wname[i] = text(json_array_get(value, i));
		break;
	case QIDS:
		m->nwqid = (uint16_t)json_array_size(value);
		for (size_t i = 0; i < m->nwqid; i++)
			m->wqid[i] = qid(json_array_get(value, i));
		break;
	case DATA:
		m->count = (uint32_t)unhex(json_string_value(value), data, size);
		m->data = data;
		break;
	case ENTRIES: m->count = (uint32_t)put_entries(value, data, size); m->data = data;
	}
}

void msg_of_fields(struct tn_msg *m, const json_t *fields, enum tn_dialect dialect, uint8_t *data,
    size_t size)
{
	const char *type = json_string_value(member(fields, "type")), *key;
	json_t *value;

	for (unsigned t = 0; t < TN_MSG_TYPES; t++)
		if (!strcmp(tn_msg_name(t), type))
			m->type = (uint8_t)t;
	json_object_foreach((json_t *)fields, key, value) if (strcmp(key, "type") != 0)
	    set_field(m, name_of(key, type), value, dialect, data, size);
}

/* ---- structs compared ---- */

static bool same_text(struct tn_str a, struct tn_str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.s, b.s, a.len));
}

static bool same_qid(struct tn_qid a, struct tn_qid b)
{
	return a.path == b.path && a.version == b.version && a.type == b.type;
}

/* Equal in all but the addresses of strings, whose texts are compared. */
static bool same_stat(const struct tn_stat *a, const struct tn_stat *b)
{
	struct tn_stat x = *a, y = *b;

	x.name = x.uid = x.gid = x.muid = x.extension = (struct tn_str){ NULL, 0 };
	y.name = y.uid = y.gid = y.muid = y.extension = x.name;
	return same_qid(x.qid, y.qid) && x.valid == y.valid && x.mode == y.mode &&
	       x.length == y.length && x.atime_ns == y.atime_ns && x.mtime_ns == y.mtime_ns &&
	       x.ctime_ns == y.ctime_ns && x.btime_ns == y.btime_ns && x.n_uid == y.n_uid &&
	       x.n_gid == y.n_gid && x.n_muid == y.n_muid && x.true_uid == y.true_uid &&
	       x.true_gid == y.true_gid && x.blksize == y.blksize && x.blocks == y.blocks &&
	       x.nlink == y.nlink && x.rdev == y.rdev && x.gen == y.gen &&
	       x.data_version == y.data_version && x.dev == y.dev && x.type == y.type &&
	       same_text(a->name, b->name) && same_text(a->uid, b->uid) &&
	       same_text(a->gid, b->gid) && same_text(a->muid, b->muid) &&
	       same_text(a->extension, b->extension);
}

static bool same_member(const struct tn_msg *a, const struct tn_msg *b, const struct name *name)
{
	const void *x = (const char *)a + name->off, *y = (const char *)b + name->off;

	switch (name->kind) {
	case NUMBER: return get_number(x, name->width) == get_number(y, name->width);
	case STRING: return same_text(*(const struct tn_str *)x, *(const struct tn_str *)y);
	case A_QID: return same_qid(*(const struct tn_qid *)x, *(const struct tn_qid *)y);
	case A_STAT: return same_stat(&a->stat, &b->stat);
	case NAMES:
		for (size_t i = 0; i < a->nwname && i < b->nwname; i++)
			if (!same_text(a->wname[i], b->wname[i]))
				return false;
		return a->nwname == b->nwname;
	case QIDS:
		for (size_t i = 0; i < a->nwqid && i < b->nwqid; i++)
			if (!same_qid(a->wqid[i], b->wqid[i]))
				return false;
		return a->nwqid == b->nwqid;
	case DATA:
	case ENTRIES:
		return !a->data == !b->data &&
		       (!a->data || (a->count == b->count && !memcmp(a->data, b->data, a->count)));
	}
	return false;
}

const char *msg_differs(const struct tn_msg *a, const struct tn_msg *b)
{
	if (a->type != b->type)
		return "type";
	for (size_t i = 0; i < TN_COUNT(names); i++)
		if (!same_member(a, b, &names[i]))
			return names[i].key;
	return NULL;
}

static bool inside(const void *p, size_t n, const uint8_t *frame, size_t len)
{
	uintptr_t at = (uintptr_t)p, from = (uintptr_t)frame;

	return n == 0 || (at >= from && n <= len && at - from <= len - n);
}

const char *msg_points_outside(const struct tn_msg *m, const uint8_t *frame, size_t len)
{
	const struct tn_stat *st = &m->stat;

	for (size_t i = 0; i < TN_COUNT(names); i++) {
		const struct tn_str *s = (const void *)((const char *)m + names[i].off);

		if (names[i].kind == STRING && !inside(s->s, s->len, frame, len))
			return names[i].key;
	}
	if (m->nwname > TN_WNAME_MAX || m->nwqid > TN_WNAME_MAX)
		return "counts";
	for (size_t i = 0; i < m->nwname; i++)
		if (!inside(m->wname[i].s, m->wname[i].len, frame, len))
			return "wname";
	if (m->data && !inside(m->data, m->count, frame, len))
		return "data";
	if (!inside(st->name.s, st->name.len, frame, len) ||
	    !inside(st->uid.s, st->uid.len, frame, len) ||
	    !inside(st->gid.s, st->gid.len, frame, len) ||
	    !inside(st->muid.s, st->muid.len, frame, len) ||
	    !inside(st->extension.s, st->extension.len, frame, len))
		return "stat";
	return NULL;
}

uint8_t *exactly(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		die("no memory");
	if (len)
		memcpy(copy, bytes, len);
	return copy;
}

void set_size(uint8_t *frame, size_t len)
{
	for (size_t i = 0; i < 4; i++)
		frame[i] = (uint8_t)(len >> 8 * i);
}

/* ---- files ---- */

/* jansson's numbers are signed: 2^64-1, "don't touch", is written as -1, which is the same 64 bits. */
static json_t *load(const char *path)
{
	static const char big[] = "18446744073709551615";
	char *all = NULL, *at;
	size_t size = 0;
	json_error_t error;
	json_t *j;
	FILE *f = fopen(path, "r");

	if (!f)
		return NULL;
	if (getdelim(&all, &size, '\0', f) < 0)
		die("%s is empty", path);
	fclose(f);
	for (at = all; (at = strstr(at, big)); at += sizeof(big) - 1)
		if (strspn(at, "0123456789") == sizeof(big) - 1 && strchr(" [,:", at[-1]))
			memcpy(at, "-1                  ", sizeof(big) - 1);
	j = json_loads(all, 0, &error);
	if (!j)
		die("%s:%d: %s", path, error.line, error.text);
	free(all);
	return j;
}

static struct vector vector_of(const json_t *j, enum tn_dialect dialect)
{
	uint8_t frame[4096];
	struct vector v = { .dialect = dialect, .fields = json_object_get(j, "fields") };
	char *what;

	v.len = unhex(json_string_value(member(j, "hex")), frame, sizeof(frame));
	v.frame = exactly(frame, v.len);
	if (asprintf(&what, "%s %s of %s", tn_dialect_name(dialect),
		v.fields ? json_string_value(member(v.fields, "type")) : "odd frame",
		json_string_value(member(j, "from"))) < 0)
		die("no memory");
	v.what = what;
	return v;
}

static void add_all(struct vector **list, size_t *n, const json_t *from, enum tn_dialect dialect)
{
	size_t more = json_array_size(from);

	*list = realloc(*list, (*n + more + 1) * sizeof(**list));
	if (!*list)
		die("no memory");
	for (size_t i = 0; i < more; i++)
		(*list)[(*n)++] = vector_of(json_array_get(from, i), dialect);
}

static json_t *roots[TN_DIALECTS];

bool vectors_load(struct vectors *v)
{
	const char *folder = getenv("TENON_VECTORS");

	*v = (struct vectors){ 0 };
	for (enum tn_dialect d = 0; d < TN_DIALECTS; d++) {
		char path[4096];

		if (!files[d])
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder ? folder : ".", files[d]);
		roots[d] = load(path);
		if (!roots[d]) {
			fprintf(stderr, "SKIPPED: no recorded frames: %s: %s\n", path,
			    strerror(errno));
			vectors_free(v);
			return false;
		}
		add_all(&v->list, &v->n, member(roots[d], "frames"), d);
		add_all(&v->odd, &v->n_odd, json_object_get(roots[d], "odd"), d);
	}
	return true;
}

void vectors_free(struct vectors *v)
{
	for (size_t i = 0; i < v->n + v->n_odd; i++) {
		struct vector *x = i < v->n ? &v->list[i] : &v->odd[i - v->n];

		free(x->frame);
		free((char *)x->what);
	}
	free(v->list);
	free(v->odd);
	for (size_t d = 0; d < TN_DIALECTS; d++)
		json_decref(roots[d]);
}
