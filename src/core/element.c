/*
 * Elements of names, and how symbolic links come in among them.
 */
#include "core/element.h"

#include "core/mem.h"

static bool is_dot(struct tn_str e)
{
	return e.len == 1 && e.s[0] == '.';
}

bool tn_is_dot_dot(struct tn_str e)
{
	return e.len == 2 && e.s[0] == '.' && e.s[1] == '.';
}

bool tn_ends_as_dir(struct tn_str name)
{
	uint32_t len = name.len;

	if (len == 0 || name.s[len - 1] == '/')
		return len > 0;
	return name.s[len - 1] == '.' && (len == 1 || name.s[len - 2] == '/');
}

/* ---- may it be resolved ---- */

static bool has_byte(struct tn_str s, char byte)
{
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.s[i] == byte)
			return true;
	}
	return false;
}

static enum tn_err check_elems(const struct tn_name *n)
{
	for (uint32_t i = 0; i < n->n_elems; i++) {
		struct tn_str e = n->elems[i];

		if (e.len == 0 || is_dot(e))
			return TN_ENOENT;
		if (has_byte(e, '/') || has_byte(e, '\0'))
			return TN_EBADCHAR;
	}
	return TN_OK;
}

enum tn_err tn_name_check(const struct tn_name *n)
{
	if (n->elems)
		return check_elems(n);
	if (!n->from && n->name.len == 0)
		return TN_EEMPTYNAME;
	return has_byte(n->name, '\0') ? TN_EBADCHAR : TN_OK;
}

/* ---- one after the other ---- */

static struct tn_str text_of(const struct tn_name *n)
{
	return n->w.text ? (struct tn_str){ n->w.text, n->w.text_len } : n->name;
}

static bool take_text(struct tn_str text, uint32_t *at, struct tn_str *e)
{
	for (;;) {
		uint32_t begin;

		while (*at < text.len && text.s[*at] == '/')
			++*at;
		if (*at == text.len)
			return false; /* without names there may be no text at all */
		begin = *at;
		while (*at < text.len && text.s[*at] != '/')
			++*at;
		*e = (struct tn_str){ text.s + begin, *at - begin };
		if (!is_dot(*e))
			return true;
	}
}

bool tn_name_take(const struct tn_name *n, uint32_t *at, struct tn_str *e)
{
	if (!n->elems || n->w.text)
		return take_text(text_of(n), at, e);
	if (*at == n->n_elems)
		return false;
	*e = n->elems[(*at)++];
	return true;
}

bool tn_name_has_more(const struct tn_name *n, uint32_t at)
{
	struct tn_str e;

	return tn_name_take(n, &at, &e);
}

/* Does the element lie behind the link's target that the name is in? */
static bool is_behind_link(const struct tn_name *n, struct tn_str e)
{
	return n->w.link_len > 0 && (size_t)(e.s - n->w.text) >= n->w.link_len;
}

uint16_t tn_name_gather(struct tn_name *n, uint16_t max)
{
	bool keep_last = n->want == TN_FOR_CREATE && !n->w.looking;
	uint32_t at = n->w.run_at;
	uint16_t k = 0;

	for (; k < max; k++) {
		struct tn_str *e = &n->w.names[k];

		if (!tn_name_take(n, &at, e) || tn_is_dot_dot(*e) || is_behind_link(n, *e))
			break;
		if (keep_last && !tn_name_has_more(n, at))
			break;
	}
	return k;
}

/* k: one at least. The names of the run point into the text, or are the elements themselves. */
void tn_name_advance(struct tn_name *n, uint32_t k)
{
	const struct tn_str *last = &n->w.names[k - 1];

	tn_assert(k > 0);
	if (n->w.link_len == 0)
		n->n_good += k;
	if (n->elems && !n->w.text)
		n->w.at = n->w.run_at + k;
	else
		n->w.at = (uint32_t)(last->s - text_of(n).s) + last->len;
}

/* ---- symbolic links ---- */

bool tn_name_link_done(const struct tn_name *n)
{
	uint32_t at = n->w.at;
	struct tn_str e;

	return !tn_name_take(n, &at, &e) || is_behind_link(n, e);
}

/* What is behind the element at run_at, as a text. Returns its length; puts it at `to`, if that is not NULL. */
static size_t put_rest(const struct tn_name *n, char *to)
{
	struct tn_str e, text = text_of(n);
	uint32_t at = n->w.run_at;
	size_t len = 0;

	tn_name_take(n, &at, &e);
	if (!n->elems || n->w.text) {
		if (to)
			memcpy(to, text.s + at, text.len - at);
		return text.len - at;
	}
	while (tn_name_take(n, &at, &e)) {
		if (to) {
			memcpy(to + len, e.s, e.len);
			to[len + e.len] = '/';
		}
		len += e.len + 1;
	}
	return len;
}

enum tn_err tn_name_splice(struct tn_name *n, struct tn_str target)
{
	uint32_t at = n->w.run_at, left = 0;
	size_t rest = put_rest(n, NULL);
	struct tn_str e;
	char *text;

	if (++n->w.n_links > TN_LINKS_MAX)
		return TN_ELOOP;
	if (target.len == 0)
		return TN_ENOENT;
	if (target.len >= TN_LINK_BYTES_MAX)
		return TN_ENAMETOOLONG;
	if (has_byte(target, '\0'))
		return TN_EBADCHAR;
	if (target.len + 1 + rest > TN_PATH_BYTES_MAX)
		return TN_ELIMIT_PATH;
	text = tn_alloc(target.len + 1 + rest);
	if (!text)
		return TN_ENOMEM;
	memcpy(text, target.s, target.len);
	text[target.len] = '/';
	put_rest(n, text + target.len + 1);
	/* A link in a link's target: what is left of the outer one's belongs to it still. */
	tn_name_take(n, &at, &e);
	if (n->w.link_len > at)
		left = n->w.link_len - at;
	tn_free(n->w.text);
	n->w.text = text;
	n->w.text_len = target.len + 1 + (uint32_t)rest;
	n->w.link_len = target.len + 1 + left;
	n->w.at = 0;
	return TN_OK;
}
