/*
 * The inside of raise.c (S: what is raised, one after the other), raisechild.c (the child that does it) and raised.c (what
 * the kernel then asks).
 */
#ifndef TN_LAUNCH_RAISE_IN_H
#define TN_LAUNCH_RAISE_IN_H

#include "launch/notify_in.h"

/* Where what leaves for elsewhere goes, and what comes from there was. */
#define LAUNCH_ASIDE LAUNCH_HIDDEN "aside"

enum launch_raise {
	RAISE_OPEN,
	RAISE_CLOSE,
	RAISE_MADE,
	RAISE_GONE,
	RAISE_WRITTEN,
	RAISE_STATUS,
	RAISE_MOVED
};

enum { RAISE_SLOTS = FOLLOWS_MAX + 1, RAISE_SLOT_ASIDE = FOLLOWS_MAX, RAISE_NAME_SIZE = 256 };

struct launch_command {
	uint8_t what; /* enum launch_raise */
	bool is_dir;
	uint16_t slot, slot2;
	char name[RAISE_NAME_SIZE], name2[RAISE_NAME_SIZE]; /* name2: of RAISE_MOVED */
	char path[4096]; /* of RAISE_OPEN, from the root, without a slash before it */
};

/* What the child will ask for by name: there, as `entry`, or not. */
struct launch_raised_name {
	struct launch_node *dir; /* borrowed */
	const char *name;
	bool is_there;
};

struct launch_raiser {
	uv_poll_t poll; /* first: freed by its close */
	struct launch_notify *n;
	pid_t pid;
	int sock;
	bool busy;   /* a command, or a question to a server, is under way */
	bool asking; /* it is the question */
	bool ended, has_obeyed;
	struct launch_follow *slots[FOLLOWS_MAX];
	bool closing[FOLLOWS_MAX]; /* the child has it open, and nobody wants it */
	bool has_aside;
	struct launch_node *aside; /* counted */
	/* the event that is being raised */
	struct launch_event *now;
	bool ready;                /* its entry is known */
	struct launch_node *entry; /* counted; NULL: a node of nobody's, when asked for */
	struct stat attr;
	struct launch_raised_name names[2];
	struct launch_command command;
};

/* Of what nobody asks the server about: what kind it is, and that it is the user's own. node: that the kernel knows, or NULL. */
void launch_raise_attr(const struct launch_node *node, bool is_dir, struct stat *attr);

/* ---- raisechild.c ---- */

/* In the forked child: takes a mount of the file system for itself, out of the name space mntns (-1: bare->dir), and obeys
 * what comes by sock. */
_Noreturn void launch_raise_child(int sock, int mntns, const struct launch_bare *bare);

#endif
