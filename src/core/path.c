/*
 * Paths. A chain is freed in a loop: a path may be as long as a peer likes to walk.
 */
#include "core/path.h"

#include "core/chan.h"
#include "core/mem.h"

static struct tn_path *path_new(struct tn_path *up, struct tn_str name)
{
	struct tn_path *p;

	if (name.len > UINT16_MAX)
		return NULL;
	p = tn_alloc(sizeof(*p) + name.len);
	if (!p)
		return NULL;
	p->refs = 1;
	p->len = (uint16_t)name.len;
	p->up = up ? tn_path_get(up) : NULL;
	if (name.len > 0)
		memcpy(p->name, name.s, name.len);
	return p;
}

struct tn_path *tn_path_root(struct tn_str name)
{
	struct tn_path *p = path_new(NULL, name);

	if (p)
		p->text_len = name.len;
	return p;
}

struct tn_path *tn_path_get(struct tn_path *p)
{
	tn_count_up(&p->refs);
	return p;
}

void tn_path_put(struct tn_path *p)
{
	struct tn_path *up;

	for (; p && tn_count_down(&p->refs) == 0; p = up) {
		up = p->up;
		tn_chan_put(p->under);
		tn_free(p);
	}
}

static bool ends_in_slash(const struct tn_path *p)
{
	return p->len > 0 && p->name[p->len - 1] == '/';
}

struct tn_path *tn_path_add(struct tn_path *p, struct tn_str name)
{
	uint32_t slash = ends_in_slash(p) ? 0 : 1;
	struct tn_path *new;

	if (p->depth == UINT16_MAX || p->text_len + slash + name.len > TN_PATH_BYTES_MAX)
		return NULL;
	new = path_new(p, name);
	if (!new)
		return NULL;
	new->depth = (uint16_t)(p->depth + 1);
	new->text_len = p->text_len + slash + name.len;
	return new;
}

struct tn_path *tn_path_with_under(struct tn_path *p, struct tn_chan *under)
{
	struct tn_path *new = path_new(p->up, (struct tn_str){ p->name, p->len });

	if (!new)
		return NULL;
	new->depth = p->depth;
	new->text_len = p->text_len;
	new->under = under ? tn_chan_get(under) : NULL;
	return new;
}

/* Puts what of [at, at + len) lies below size. */
static void put_at(char *buf, size_t size, size_t at, const char *s, size_t len)
{
	for (size_t i = 0; i < len && at + i < size; i++)
		buf[at + i] = s[i];
}

size_t tn_path_text(const struct tn_path *p, char *buf, size_t size)
{
	size_t len = p->text_len, end = len;

	for (; p; p = p->up) {
		end -= p->len;
		put_at(buf, size, end, p->name, p->len);
		if (p->up && !ends_in_slash(p->up))
			put_at(buf, size, --end, "/", 1);
	}
	if (size > 0)
		buf[len < size ? len : size - 1] = '\0';
	return len;
}

struct tn_str tn_path_last(const struct tn_path *p)
{
	if (!p->up)
		return (struct tn_str){ "", 0 };
	return (struct tn_str){ p->name, p->len };
}
