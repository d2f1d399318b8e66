#include "link/extension.h"

#include "core/mem.h"

#define NOT_PLAIN (TN_DMDIR | TN_DMSYMLINK | TN_DMLINK | TN_DMDEVICE | TN_DMNAMEDPIPE | TN_DMSOCKET)

static const struct tn_str links_word = { "HARDLINKCOUNT", 13 };

char *tn_extension_put(char *to, uint64_t number)
{
	char digits[TN_NUMBER_CHARS], *at = digits + sizeof(digits);
	size_t n;

	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	n = (size_t)(digits + sizeof(digits) - at);
	memcpy(to, at, n);
	return to + n;
}

bool tn_extension_take(struct tn_str *text, uint32_t *out)
{
	uint64_t n = 0;
	uint32_t i = 0;

	for (; i < text->len && text->s[i] >= '0' && text->s[i] <= '9'; i++) {
		n = n * 10 + (uint64_t)(text->s[i] - '0');
		if (n > UINT32_MAX)
			return false;
	}
	text->s += i;
	text->len -= i;
	*out = (uint32_t)n;
	return i > 0;
}

struct tn_str tn_extension_links(const struct tn_stat *st, char text[TN_LINKS_CHARS])
{
	const struct tn_str none = { NULL, 0 };
	char *at = text + links_word.len;

	if (st->mode & NOT_PLAIN || st->valid & TN_ST_EXTENSION || !(st->valid & TN_ST_NLINK) ||
	    st->nlink < 2 || st->nlink > UINT32_MAX)
		return none;
	memcpy(text, links_word.s, links_word.len);
	*at++ = ' ';
	at = tn_extension_put(at, st->nlink);
	return (struct tn_str){ text, (uint32_t)(at - text) };
}

void tn_extension_take_links(struct tn_stat *st)
{
	struct tn_str text = st->extension;
	uint32_t nlink;

	if (st->mode & NOT_PLAIN || !(st->valid & TN_ST_EXTENSION) || text.len <= links_word.len ||
	    memcmp(text.s, links_word.s, links_word.len) != 0)
		return;
	text.s += links_word.len;
	text.len -= links_word.len;
	while (text.len > 0 && text.s[0] == ' ') {
		text.s++;
		text.len--;
	}
	if (!tn_extension_take(&text, &nlink) || text.len > 0)
		return;
	st->valid = (st->valid & ~(uint32_t)TN_ST_EXTENSION) | TN_ST_NLINK;
	st->extension = (struct tn_str){ NULL, 0 };
	st->nlink = nlink;
}
