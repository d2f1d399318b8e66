#include "cmd/facts.h"

#include "cmd/say.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* clang-format off */
static const struct kind {
	uint32_t bit;
	char letter;
	const char *word;
} kinds[] = {
	{ TN_DMDIR,       'd', "directory" },
	{ TN_DMSYMLINK,   'l', "symbolic link" },
	{ TN_DMNAMEDPIPE, 'p', "fifo" },
	{ TN_DMSOCKET,    's', "socket" },
	{ TN_DMDEVICE,    'D', "device" },
	{ TN_DMAUTH,      'A', "authentication file" },
	{ TN_DMAPPEND,    'a', "append-only file" },
	{ 0,              '-', "file" }, /* the last: what has none of the bits */
};
/* clang-format on */

static const struct kind *kind_of(const struct tn_stat *st)
{
	const struct kind *k = kinds;

	while (k->bit && !(st->mode & k->bit))
		k++;
	return k;
}

const char *cmd_kind(const struct tn_stat *st)
{
	return kind_of(st)->word;
}

void cmd_mode_text(const struct tn_stat *st, char text[11])
{
	static const char letters[] = "rwxrwxrwx";

	text[0] = kind_of(st)->letter;
	for (int i = 0; i < 9; i++)
		text[i + 1] = st->mode & (1u << (8 - i)) ? letters[i] : '-';
	if (st->mode & TN_DMSETUID)
		text[3] = text[3] == 'x' ? 's' : 'S';
	if (st->mode & TN_DMSETGID)
		text[6] = text[6] == 'x' ? 's' : 'S';
	if (st->mode & TN_DMSETVTX)
		text[9] = text[9] == 'x' ? 't' : 'T';
	text[10] = '\0';
}

/* A time as ISO 8601 has it: UTC with nanoseconds, or local to the minute. */
static void time_text(int64_t ns, bool exact, char *text, size_t size)
{
	int64_t second = ns / 1000000000 - (ns % 1000000000 < 0);
	time_t t = (time_t)second;
	struct tm tm;
	size_t n;

	if (!(exact ? gmtime_r(&t, &tm) : localtime_r(&t, &tm))) {
		snprintf(text, size, "%" PRId64, second);
		return;
	}
	n = strftime(text, size, exact ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
	if (exact)
		snprintf(text + n, size - n, ".%09" PRId64 "Z", ns - second * 1000000000);
}

/* Who it belongs to: the name, else the number, else a question mark. */
static void owner_text(const struct tn_stat *st, bool is_group, char *text, size_t size)
{
	struct tn_str name = is_group ? st->gid : st->uid;
	uint32_t number = is_group ? st->n_gid : st->n_uid;

	if (name.len)
		snprintf(text, size, "%.*s", (int)name.len, name.s);
	else if (st->valid & (is_group ? TN_ST_NGID : TN_ST_NUID))
		snprintf(text, size, "%" PRIu32, number);
	else
		snprintf(text, size, "?");
}

void cmd_print_long(FILE *to, const struct tn_stat *st)
{
	char mode[11], when[40], owner[64], group[64];

	cmd_mode_text(st, mode);
	time_text(st->mtime_ns, false, when, sizeof(when));
	owner_text(st, false, owner, sizeof(owner));
	owner_text(st, true, group, sizeof(group));
	fprintf(to, "%s ", mode);
	cmd_print_name(to, cmd_str(owner));
	fputc(' ', to);
	cmd_print_name(to, cmd_str(group));
	fprintf(to, " %*" PRIu64 " %s ", 8, st->length, when);
}

static void print_owner(FILE *to, const char *what, struct tn_str name, bool has_number,
    uint32_t number)
{
	if (!name.len && !has_number)
		return;
	fprintf(to, "  %-8s", what);
	if (name.len)
		cmd_print_name(to, name);
	if (has_number)
		fprintf(to, "%s%" PRIu32, name.len ? " " : "", number);
	fputc('\n', to);
}

static void print_time(FILE *to, const char *what, bool is_known, int64_t ns)
{
	char text[40];

	time_text(ns, true, text, sizeof(text));
	if (is_known)
		fprintf(to, "  %-8s%s\n", what, text);
}

void cmd_print_facts(FILE *to, const char *name, const struct tn_stat *st)
{
	char mode[11];

	cmd_mode_text(st, mode);
	cmd_print_name(to, cmd_str(name));
	fprintf(to, "\n  %-8s%s\n  %-8s%04o %s\n  %-8s%" PRIu64 "\n", "kind", cmd_kind(st), "mode",
	    st->mode & 0777, mode, "length", st->length);
	fprintf(to, "  %-8s%#" PRIx64 " version %" PRIu32 " type %#x\n", "qid", st->qid.path,
	    st->qid.version, st->qid.type);
	print_owner(to, "owner", st->uid, st->valid & TN_ST_NUID, st->n_uid);
	print_owner(to, "group", st->gid, st->valid & TN_ST_NGID, st->n_gid);
	print_owner(to, "changer", st->muid, st->valid & TN_ST_NMUID, st->n_muid);
	if (st->valid & TN_ST_TRUE_OWNER)
		fprintf(to, "  %-8s%" PRIu32 " %" PRIu32 "\n", "true", st->true_uid, st->true_gid);
	print_time(to, "read", st->valid & TN_ST_ATIME, st->atime_ns);
	print_time(to, "changed", st->valid & TN_ST_MTIME, st->mtime_ns);
	print_time(to, "status", st->valid & TN_ST_CTIME, st->ctime_ns);
	print_time(to, "born", st->valid & TN_ST_BTIME, st->btime_ns);
	if (st->extension.len) {
		fprintf(to, "  %-8s", "target");
		cmd_print_name(to, st->extension);
		fputc('\n', to);
	}
}

/* ---- JSON ---- */

static void set_text(json_t *o, const char *key, struct tn_str text)
{
	json_t *as_text = json_stringn(text.s ? text.s : "", text.len); /* NULL: no UTF-8 */
	char bytes_key[32];
	char *hex;

	if (as_text) {
		json_object_set_new(o, key, as_text);
		return;
	}
	hex = malloc((size_t)text.len * 2 + 1);
	if (!hex)
		return;
	for (uint32_t i = 0; i < text.len; i++)
		sprintf(hex + (size_t)i * 2, "%02x", (unsigned char)text.s[i]);
	snprintf(bytes_key, sizeof(bytes_key), "%sBytes", key);
	json_object_set_new(o, key, json_null());
	json_object_set_new(o, bytes_key, json_string(hex));
	free(hex);
}

static void set_time(json_t *o, const char *key, bool is_known, int64_t ns)
{
	char text[40];

	time_text(ns, true, text, sizeof(text));
	if (is_known)
		json_object_set_new(o, key, json_string(text));
}

static void set_owner(json_t *o, const char *key, struct tn_str name, bool has_number,
    uint32_t number)
{
	char number_key[32];

	snprintf(number_key, sizeof(number_key), "%sNumber", key);
	if (name.len)
		set_text(o, key, name);
	if (has_number)
		json_object_set_new(o, number_key, json_integer(number));
}

json_t *cmd_facts_json(const char *name, const struct tn_stat *st)
{
	char path[24], mode[8];
	json_t *o = json_object();

	/* 64-bit numbers that are names, not quantities, are strings: readers of JSON have 53 bits. */
	snprintf(path, sizeof(path), "%#" PRIx64, st->qid.path);
	snprintf(mode, sizeof(mode), "%04o", st->mode & 0777);
	set_text(o, "name", cmd_str(name));
	json_object_set_new(o, "kind", json_string(cmd_kind(st)));
	json_object_set_new(o, "mode", json_string(mode));
	json_object_set_new(o, "length", json_integer((json_int_t)st->length));
	json_object_set_new(o, "qid",
	    json_pack("{s:s, s:I, s:i}", "path", path, "version", (json_int_t)st->qid.version,
		"type", (int)st->qid.type));
	set_owner(o, "owner", st->uid, st->valid & TN_ST_NUID, st->n_uid);
	set_owner(o, "group", st->gid, st->valid & TN_ST_NGID, st->n_gid);
	set_owner(o, "changer", st->muid, st->valid & TN_ST_NMUID, st->n_muid);
	if (st->valid & TN_ST_TRUE_OWNER)
		json_object_set_new(o, "trueOwner",
		    json_pack("{s:I, s:I}", "owner", (json_int_t)st->true_uid, "group",
			(json_int_t)st->true_gid));
	set_time(o, "read", st->valid & TN_ST_ATIME, st->atime_ns);
	set_time(o, "changed", st->valid & TN_ST_MTIME, st->mtime_ns);
	set_time(o, "status", st->valid & TN_ST_CTIME, st->ctime_ns);
	set_time(o, "born", st->valid & TN_ST_BTIME, st->btime_ns);
	if (st->extension.len)
		set_text(o, "target", st->extension);
	return o;
}

void cmd_print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(json);
}
