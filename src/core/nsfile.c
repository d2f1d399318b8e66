/*
 * Name space files: text to lines and back. A line is cut into words first, then variables are put in, then quotes are
 * taken away (namespace-semantics.md 12). All strings go into one arena, which moves while it grows: until the end they
 * are known by their offset.
 */
#include "core/nsfile.h"

#include "core/mem.h"

enum { WORDS_MAX = 16, LINES_FIRST = 16 };

/* ---- text that grows ---- */

struct text {
	char *s;
	size_t len, size;
	bool failed; /* no memory: what is added from then on is lost */
};

static void add(struct text *t, const char *s, size_t len)
{
	size_t size = t->size ? t->size : 256;
	char *moved;

	while (size - t->len < len && size < SIZE_MAX / 2)
		size *= 2;
	if (size - t->len < len)
		t->failed = true;
	if (!t->failed && size != t->size) {
		moved = tn_realloc(t->s, t->size, size);
		t->failed = !moved;
		t->s = moved ? moved : t->s;
		t->size = moved ? size : t->size;
	}
	if (t->failed)
		return;
	if (len > 0)
		memcpy(t->s + t->len, s, len);
	t->len += len;
}

static void add_text(struct text *t, const char *s)
{
	add(t, s, tn_strlen(s));
}

static void add_char(struct text *t, char c)
{
	add(t, &c, 1);
}

/* ---- the verbs ---- */

static const struct verb {
	const char *name;
	enum tn_ns_verb verb;
	bool has_flags;
	uint8_t min, max; /* arguments */
	const char *wrong;
} verbs[] = {
	{ "bind", TN_NS_BIND, true, 2, 2, "bind wants 2 arguments" },
	{ "mount", TN_NS_MOUNT, true, 2, 3, "mount wants 2 or 3 arguments" },
	{ "unmount", TN_NS_UNMOUNT, false, 1, 2, "unmount wants 1 or 2 arguments" },
	{ "cd", TN_NS_CD, false, 1, 1, "cd wants 1 argument" },
	{ "clear", TN_NS_CLEAR, false, 0, 0, "clear wants no argument" },
	{ ".", TN_NS_INCLUDE, false, 1, 1, ". wants 1 argument" },
	{ "import", TN_NS_IMPORT, true, 2, 3, "import wants 2 or 3 arguments" },
};

static const struct {
	char letter;
	uint32_t flag;
} flag_letters[] = {
	{ 'a', TN_AFTER },
	{ 'b', TN_BEFORE },
	{ 'c', TN_CREATE_HERE },
	{ 'C', TN_CACHE },
};

/* What a service begins with that is no file: then the order of mount's arguments does not matter. */
static const char *const nets[] = { "tcp", "unix", "exec", "fd", "tls", "ws", "wss", "uart" };

static bool is_text(const char *a, const char *b)
{
	size_t len = tn_strlen(a);

	return len == tn_strlen(b) && memcmp(a, b, len) == 0;
}

static bool is_service(const char *word)
{
	if (word[0] == '#')
		return true;
	for (size_t i = 0; i < TN_COUNT(nets); i++) {
		size_t len = tn_strlen(nets[i]);

		if (tn_strlen(word) > len && memcmp(word, nets[i], len) == 0 && word[len] == '!')
			return true;
	}
	return false;
}

/* ---- words ---- */

struct word {
	size_t at; /* offset in the arena; terminated there */
	uint32_t column;
};

struct parse {
	struct text arena, word;
	struct tn_ns_line *lines;
	size_t n_lines, lines_size;
	const char *(*var)(void *arg, struct tn_str name);
	void *arg;
	bool lenient;
	struct tn_ns_where where;
	/* the line */
	struct word words[WORDS_MAX];
	uint32_t n_words;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool ends_var(char c)
{
	return c == '/' || c == '.' || c == '!' || c == '\'' || c == '$';
}

/* Puts the word with its variables into p->word; quotes stay. */
static void expand(struct parse *p, const char *s, size_t len)
{
	bool quoted = false;
	size_t i = 0, end;

	p->word.len = 0;
	while (i < len) {
		if (s[i] != '$' || quoted) {
			quoted = quoted != (s[i] == '\'');
			add_char(&p->word, s[i++]);
			continue;
		}
		for (end = i + 1; end < len && !ends_var(s[end]);)
			end++;
		if (p->var) {
			struct tn_str name = { s + i + 1, (uint32_t)(end - i - 1) };
			const char *value = p->var(p->arg, name);

			add_text(&p->word, value ? value : "");
		}
		i = end;
	}
}

/* Adds p->word to the arena without its quotes, terminated: '' within quotes is one. */
static void unquote(struct parse *p)
{
	const char *s = p->word.s;
	size_t len = p->word.len;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (s[i] != '\'') {
			add_char(&p->arena, s[i]);
		} else if (quoted && i + 1 < len && s[i + 1] == '\'') {
			add_char(&p->arena, '\'');
			i++;
		} else {
			quoted = !quoted;
		}
	}
	add_char(&p->arena, '\0');
}

static const char *wrong(struct parse *p, const char *what, uint32_t column)
{
	p->where.what = what;
	p->where.column = column;
	return what;
}

/* Cuts a line into words. Returns what is wrong, or NULL. */
static const char *split(struct parse *p, const char *s, size_t len)
{
	size_t i = 0, begin;
	bool quoted = false;

	p->n_words = 0;
	for (;;) {
		while (i < len && is_blank(s[i]))
			i++;
		if (i == len || (p->n_words == 0 && s[i] == '#'))
			return NULL;
		for (begin = i; i < len && (quoted || !is_blank(s[i])); i++) {
			quoted = quoted != (s[i] == '\'');
			if (s[i] == '\0')
				return wrong(p, "a zero byte", (uint32_t)i + 1);
		}
		if (quoted)
			return wrong(p, "a quote without its end", (uint32_t)begin + 1);
		if (p->n_words == WORDS_MAX)
			return wrong(p, "too many words", (uint32_t)begin + 1);
		p->words[p->n_words++] = (struct word){ p->arena.len, (uint32_t)begin + 1 };
		expand(p, s + begin, i - begin);
		unquote(p);
	}
}

/* ---- lines ---- */

static const char *word_at(const struct parse *p, uint32_t i)
{
	return p->arena.s + p->words[i].at;
}

/* The offset as it waits in a line's pointer for the arena's last move; 0 is NULL. */
static const char *later(size_t at)
{
	return (const char *)(uintptr_t)(at + 1);
}

static const char *now(const char *s, const char *later_s)
{
	return later_s ? s + ((uintptr_t)later_s - 1) : NULL;
}

/* Takes the flag words behind the verb out of the line. */
static const char *take_flags(struct parse *p, uint32_t *flags)
{
	uint32_t n = 0;

	*flags = 0;
	for (; 1 + n < p->n_words && word_at(p, 1 + n)[0] == '-'; n++) {
		for (const char *s = word_at(p, 1 + n) + 1; *s; s++) {
			size_t k = 0;

			while (k < TN_COUNT(flag_letters) && flag_letters[k].letter != *s)
				k++;
			if (k < TN_COUNT(flag_letters))
				*flags |= flag_letters[k].flag;
			else if (!p->lenient)
				return wrong(p, "unknown flag", p->words[1 + n].column);
		}
	}
	memmove(&p->words[1], &p->words[1 + n], (p->n_words - 1 - n) * sizeof(p->words[0]));
	p->n_words -= n;
	if ((*flags & TN_ORDER) == TN_ORDER && !p->lenient)
		return wrong(p, "before and after at once", p->words[0].column);
	return NULL;
}

static bool add_line(struct parse *p, const struct tn_ns_line *line)
{
	size_t size = p->lines_size ? 2 * p->lines_size : LINES_FIRST;
	struct tn_ns_line *moved;

	if (p->n_lines == p->lines_size) {
		moved = tn_realloc(p->lines, p->lines_size * sizeof(*line), size * sizeof(*line));
		if (!moved)
			return false;
		p->lines = moved;
		p->lines_size = size;
	}
	p->lines[p->n_lines++] = *line;
	return true;
}

/* The arguments of a line go where its verb has them. */
static void place_words(struct parse *p, struct tn_ns_line *line)
{
	uint32_t n = p->n_words - 1;
	const char *w[4] = { NULL };

	for (uint32_t i = 0; i < n; i++)
		w[i] = later(p->words[1 + i].at);
	switch (line->verb) {
	case TN_NS_BIND:
		line->src = w[0];
		line->place = w[1];
		break;
	case TN_NS_MOUNT:
		line->src = w[0];
		line->place = w[1];
		line->spec = w[2];
		if (is_service(word_at(p, 2)) && !is_service(word_at(p, 1))) {
			line->src = w[1];
			line->place = w[0];
		}
		break;
	case TN_NS_UNMOUNT:
		line->src = n == 2 ? w[0] : NULL;
		line->place = w[n - 1];
		break;
	case TN_NS_CD: line->place = w[0]; break;
	case TN_NS_CLEAR: break;
	case TN_NS_INCLUDE: line->src = w[0]; break;
	case TN_NS_IMPORT:
		line->src = w[0];
		line->spec = n == 3 ? w[1] : NULL;
		line->place = w[n - 1];
		break;
	}
}

/* One line of the text. Returns what is wrong with it, or NULL. */
static const char *parse_line(struct parse *p, const char *s, size_t len)
{
	const struct verb *v = verbs;
	struct tn_ns_line line = { .line = p->where.line };
	const char *bad = split(p, s, len);

	if (bad || p->n_words == 0 || p->arena.failed || p->word.failed)
		return bad;
	while (v < verbs + TN_COUNT(verbs) && !is_text(v->name, word_at(p, 0)))
		v++;
	if (v == verbs + TN_COUNT(verbs))
		return wrong(p, "unknown verb", p->words[0].column);
	if (v->has_flags || p->lenient)
		bad = take_flags(p, &line.flags);
	if (bad)
		return bad;
	if (p->n_words - 1 < v->min || p->n_words - 1 > v->max)
		return wrong(p, v->wrong, p->words[0].column);
	line.verb = v->verb;
	line.column = p->words[0].column;
	place_words(p, &line);
	if (!add_line(p, &line))
		p->arena.failed = true;
	return NULL;
}

/* The arena does not move any more: offsets become pointers. It begins with the file's name. */
static void settle(struct parse *p, struct tn_ns_script *out)
{
	for (size_t i = 0; i < p->n_lines; i++) {
		struct tn_ns_line *line = &p->lines[i];

		line->src = now(p->arena.s, line->src);
		line->place = now(p->arena.s, line->place);
		line->spec = now(p->arena.s, line->spec);
		line->file = p->arena.s;
	}
	*out = (struct tn_ns_script){ p->lines, p->n_lines, p->arena.s };
}

enum tn_err tn_ns_parse(struct tn_ns_script *out, const char *file, const char *text, size_t len,
    const char *(*var)(void *arg, struct tn_str name), void *arg, bool lenient,
    void (*bad)(void *arg, const struct tn_ns_where *where), struct tn_ns_where *where)
{
	struct parse p = { .var = var, .arg = arg, .lenient = lenient, .where.file = file };
	enum tn_err err = TN_OK;
	size_t at = 0, end;

	*out = (struct tn_ns_script){ 0 };
	add(&p.arena, file, tn_strlen(file) + 1);
	for (; at < len && err == TN_OK; at = end + 1) {
		for (end = at; end < len && text[end] != '\n';)
			end++;
		p.where.line++;
		if (parse_line(&p, text + at, end - at)) {
			if (!lenient)
				err = TN_EINVAL;
			else if (bad)
				bad(arg, &p.where);
		}
		if (p.arena.failed || p.word.failed)
			err = TN_ENOMEM;
	}
	tn_free(p.word.s);
	if (err == TN_OK && !p.arena.failed) {
		settle(&p, out);
		return TN_OK;
	}
	tn_free(p.arena.s);
	tn_free(p.lines);
	if (where)
		*where = p.where;
	return err == TN_OK ? TN_ENOMEM : err;
}

void tn_ns_script_free(struct tn_ns_script *s)
{
	tn_free(s->lines);
	tn_free(s->arena);
	*s = (struct tn_ns_script){ 0 };
}

/* ---- printing ---- */

struct print {
	struct text text, path;
	bool true_specs;
	const char *(*server)(void *arg, const struct tn_chan *c);
	void (*line)(void *arg, const char *text);
	void *arg;
	bool failed;
};

static bool needs_quotes(const char *word)
{
	if (*word == '\0')
		return true;
	for (; *word; word++) {
		if ((unsigned char)*word <= ' ' || *word == '\'' || *word == '$')
			return true;
	}
	return false;
}

static size_t put(char *buf, size_t size, size_t at, char c)
{
	if (at < size)
		buf[at] = c;
	return at + 1;
}

size_t tn_quote(const char *word, char *buf, size_t size)
{
	bool quotes = needs_quotes(word);
	size_t n = 0;

	if (quotes)
		n = put(buf, size, n, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			n = put(buf, size, n, '\'');
		n = put(buf, size, n, *word);
	}
	if (quotes)
		n = put(buf, size, n, '\'');
	if (size > 0)
		buf[n < size ? n : size - 1] = '\0';
	return n;
}

static void add_word(struct print *p, const char *word)
{
	size_t len = tn_quote(word, NULL, 0), at;

	add_char(&p->text, ' ');
	at = p->text.len;
	for (size_t i = 0; i <= len; i++)
		add_char(&p->text, '\0');
	if (p->text.failed)
		return;
	tn_quote(word, p->text.s + at, len + 1);
	p->text.len--; /* the next word comes over the end */
}

static void add_path(struct print *p, const struct tn_path *path)
{
	size_t len = path->text_len;

	p->path.len = 0;
	for (size_t i = 0; i <= len; i++)
		add_char(&p->path, '\0');
	if (p->path.failed)
		return;
	tn_path_text(path, p->path.s, len + 1);
	add_word(p, p->path.s);
}

/* The letters in the order in which 9front prints them. */
static void add_flags(struct print *p, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		char letter;
	} letters[] = {
		{ TN_BEFORE, 'b' },
		{ TN_AFTER, 'a' },
		{ TN_CREATE_HERE, 'c' },
		{ TN_CACHE, 'C' },
	};

	if ((flags & TN_MOUNT_FLAGS) == 0)
		return;
	add_text(&p->text, " -");
	for (size_t i = 0; i < TN_COUNT(letters); i++) {
		if (flags & letters[i].flag)
			add_char(&p->text, letters[i].letter);
	}
}

static void end_line(struct print *p)
{
	add_char(&p->text, '\0');
	p->failed |= p->text.failed || p->path.failed;
	if (!p->failed)
		p->line(p->arg, p->text.s);
	p->text.len = 0;
}

static void print_member(void *arg, struct tn_chan *under, const struct tn_member *m)
{
	struct print *p = arg;
	bool mounted = m->to->flags & TN_CF_MOUNTED;

	add_text(&p->text, mounted ? "mount" : "bind");
	add_flags(p, m->flags);
	if (mounted)
		add_word(p, p->server(p->arg, m->to));
	else
		add_path(p, m->to->path);
	add_path(p, under->path);
	if (mounted && m->spec && m->spec[0] && (p->true_specs || !m->spec_of_source))
		add_word(p, m->spec);
	end_line(p);
}

enum tn_err tn_ns_lines(struct tn_proc *proc, bool true_specs,
    const char *(*server)(void *arg, const struct tn_chan *c),
    void (*line)(void *arg, const char *text), void *arg)
{
	struct print p = { .true_specs = true_specs, .server = server, .line = line, .arg = arg };

	tn_ns_each(proc->ns, print_member, &p);
	add_text(&p.text, "cd");
	add_path(&p, proc->dot->path);
	end_line(&p);
	tn_free(p.text.s);
	tn_free(p.path.s);
	return p.failed ? TN_ENOMEM : TN_OK;
}
