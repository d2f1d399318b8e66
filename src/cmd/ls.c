/* tenon ls: lists directories. Sorted and without duplicates, as people want it; -u as the name space has it. */
#include "cmd/command.h"
#include "cmd/facts.h"
#include "cmd/place.h"
#include "cmd/say.h"
#include "core/host.h"

struct ls {
	struct cmd_place place;
	const struct cmd_args *a;
	json_t *json; /* the array of all files, or NULL */
	int status;
};

static void show(struct ls *ls, struct tn_str name, const struct tn_stat *st)
{
	if (cmd_has(ls->a, OPT_LONG))
		cmd_print_long(stdout, st);
	cmd_print_name(stdout, name);
	putchar('\n');
}

static void show_json(struct ls *ls, const char *name, const struct tn_stat *st)
{
	json_array_append_new(ls->json, cmd_facts_json(name, st));
}

static void list_directory(struct ls *ls, const char *name)
{
	bool with_stats = ls->json || cmd_has(ls->a, OPT_LONG);
	struct cmd_files files;

	if (cmd_files_read(&ls->place, name, with_stats, &files) < 0)
		ls->status = cmd_say_call("ls", name);
	if (!cmd_has(ls->a, OPT_UNION))
		cmd_files_sort(&files);
	if (files.no_memory) {
		cmd_say("ls", name, "no memory");
		ls->status = CMD_FAILED;
	}
	for (size_t i = 0; i < files.n; i++) {
		if (ls->json)
			show_json(ls, files.file[i]->st.name.s, &files.file[i]->st);
		else
			show(ls, files.file[i]->st.name, &files.file[i]->st);
	}
	cmd_files_free(&files);
}

static void list(struct ls *ls, const char *name, bool is_one_of_many)
{
	struct tn_call_stat got;
	bool is_dir;

	if (tn_call_stat(ls->place.proc, name, &got) < 0) {
		ls->status = cmd_say_call("ls", name);
		return;
	}
	is_dir = cmd_is_dir(&got.st) && !cmd_has(ls->a, OPT_SELF);
	if (is_dir && is_one_of_many && !ls->json) {
		cmd_print_name(stdout, cmd_str(name));
		puts(":");
	}
	if (is_dir)
		list_directory(ls, name);
	else if (ls->json)
		show_json(ls, name, &got.st);
	else
		show(ls, cmd_str(name), &got.st);
	tn_free(got.text);
}

int cmd_ls(const struct cmd_args *a)
{
	struct ls ls = { .a = a };

	if (cmd_place_open(&ls.place, a, 0, CMD_NAMES_MAX, &ls.status)) {
		ls.json = cmd_has(a, OPT_JSON) ? json_array() : NULL;
		for (int i = 0; i < ls.place.n_names; i++)
			list(&ls, ls.place.names[i], ls.place.n_names > 1);
		if (ls.place.n_names == 0)
			list(&ls, ".", false);
		if (ls.json)
			cmd_print_json(ls.json);
	}
	cmd_place_close(&ls.place);
	return ls.status;
}
