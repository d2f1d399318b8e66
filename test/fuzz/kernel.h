/*
 * A small kernel for the FUSE door: it asks as Linux does (only of nodes and files that the door has told of, which it
 * forgets as often as it was told), and takes each answer, once. The messages are linux/fuse.h's.
 */
#ifndef TEST_FUZZ_KERNEL_H
#define TEST_FUZZ_KERNEL_H

#include "fuzz.h"

#include <linux/fuse.h>

enum { KERNEL_NODES = 24, KERNEL_FILES = 12, KERNEL_ASKS = 64, KERNEL_BODY = 8192 };

struct kernel_node {
	uint64_t ino, lookups; /* lookups 0: free; the root's are never given back */
	uint32_t mode;         /* as it was told */
	uint32_t uses;         /* files and questions under way that hold it */
};

struct kernel_file {
	struct kernel_node *node; /* NULL: free */
	uint64_t fh;
	bool is_dir;
	uint32_t flags, uses; /* as it was opened; questions under way */
};

/* A question. What it is about is chosen already. */
struct kernel_ask {
	uint32_t opcode;
	struct kernel_node *node, *node2;
	struct kernel_file *file, *file2;
	uint8_t body[KERNEL_BODY];
	size_t len;
	uint32_t flags; /* of an open */
};

struct tn_proc;
struct tn_host_loop;

/* A door to proc's name space, which the kernel has greeted. */
void kernel_begin(struct tn_host_loop *hl, struct tn_proc *proc);

/* All questions under way are interrupted, and answered within the patience of the door; then the door goes. */
void kernel_end(void);

/* Runs what is due. */
void kernel_turn(void);

/* One that is known; `n` is any number. The first is the root. Of files: NULL: there is none. */
struct kernel_node *kernel_node(unsigned n);
struct kernel_node *kernel_dir(unsigned n);
struct kernel_file *kernel_file(unsigned n, bool is_dir);

/* Sends it; false: too many are under way. Its answer is taken when it comes. */
bool kernel_send(const struct kernel_ask *a);

/* What needs no answer. */
void kernel_forget(struct kernel_node *node);
void kernel_interrupt(unsigned n); /* one that is under way */

#endif
