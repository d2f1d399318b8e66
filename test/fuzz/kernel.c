#include "kernel.h"

#include "host/posix/loop.h"
#include "launch/door.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

static struct tn_host_loop *loop;
static struct launch_fuse *door;
static struct kernel_node nodes[KERNEL_NODES];
static struct kernel_file files[KERNEL_FILES];
static struct under_way {
	uint64_t unique; /* 0: free */
	bool interrupted;
	uint32_t opcode, flags;
	struct kernel_node *node, *node2;
	struct kernel_file *file, *file2;
} asks[KERNEL_ASKS];
static uint64_t last_unique;

/* ---- what is known ---- */

struct kernel_node *kernel_node(unsigned n)
{
	for (unsigned i = 0; i < KERNEL_NODES; i++) {
		if (nodes[(n + i) % KERNEL_NODES].lookups)
			return &nodes[(n + i) % KERNEL_NODES];
	}
	return &nodes[0];
}

struct kernel_node *kernel_dir(unsigned n)
{
	for (unsigned i = 0; i < KERNEL_NODES; i++) {
		struct kernel_node *node = &nodes[(n + i) % KERNEL_NODES];

		if (node->lookups && S_ISDIR(node->mode))
			return node;
	}
	return &nodes[0];
}

struct kernel_file *kernel_file(unsigned n, bool is_dir)
{
	for (unsigned i = 0; i < KERNEL_FILES; i++) {
		struct kernel_file *file = &files[(n + i) % KERNEL_FILES];

		if (file->node && file->is_dir == is_dir)
			return file;
	}
	return NULL;
}

static void send_frame(uint32_t opcode, uint64_t unique, uint64_t ino, const void *body, size_t len)
{
	struct fuse_in_header head = { .len = (uint32_t)(sizeof(head) + len),
		.opcode = opcode,
		.unique = unique,
		.nodeid = ino,
		.uid = 1000,
		.gid = 1000,
		.pid = 7 };
	struct fuse_buf buf = { .size = head.len, .mem = malloc(head.len) };

	must(buf.mem);
	memcpy(buf.mem, &head, sizeof(head));
	memcpy((uint8_t *)buf.mem + sizeof(head), body, len);
	fuse_session_process_buf(door->se, &buf);
	free(buf.mem);
}

static void forget(uint64_t ino, uint64_t n)
{
	struct fuse_forget_in body = { n };

	send_frame(FUSE_FORGET, ++last_unique, ino, &body, sizeof(body));
}

/* An entry that was told: one lookup more. NULL: it is none, or too many are known, and it is forgotten. */
static struct kernel_node *told(const struct fuse_entry_out *e)
{
	struct kernel_node *free_one = NULL;

	if (e->nodeid == 0)
		return NULL;
	must(e->nodeid != FUSE_ROOT_ID);
	for (unsigned i = 1; i < KERNEL_NODES; i++) {
		if (nodes[i].lookups && nodes[i].ino == e->nodeid) {
			nodes[i].lookups++;
			return &nodes[i];
		}
		if (!nodes[i].lookups)
			free_one = &nodes[i];
	}
	if (!free_one) {
		forget(e->nodeid, 1);
		return NULL;
	}
	*free_one = (struct kernel_node){ .ino = e->nodeid, .lookups = 1, .mode = e->attr.mode };
	return free_one;
}

static void release(uint64_t ino, uint64_t fh, bool is_dir)
{
	struct fuse_release_in body = { .fh = fh };

	send_frame(is_dir ? FUSE_RELEASEDIR : FUSE_RELEASE, ++last_unique, ino, &body,
	    sizeof(body));
}

static void opened(struct kernel_node *node, uint64_t fh, bool is_dir, uint32_t flags)
{
	for (unsigned i = 0; i < KERNEL_FILES; i++) {
		if (files[i].node)
			continue;
		files[i] = (struct kernel_file){ node, fh, is_dir, flags, 0 };
		node->uses++;
		return;
	}
	release(node->ino, fh, is_dir);
}

/* ---- answers ---- */

static bool is_dots(const char *name, uint32_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

static void take_entries(const uint8_t *at, size_t len)
{
	while (len > 0) {
		struct fuse_direntplus d;
		size_t used;
		const char *name = (const char *)at + sizeof(d);

		must(len >= sizeof(d));
		memcpy(&d, at, sizeof(d));
		used = FUSE_DIRENTPLUS_SIZE(&d);
		must(used <= len && d.dirent.namelen > 0 && d.dirent.namelen < 256);
		/* Of "." and ".." the kernel counts none. */
		if (!is_dots(name, d.dirent.namelen))
			told(&d.entry_out);
		at += used;
		len -= used;
	}
}

static void take_create(const struct under_way *ask, const uint8_t *body, size_t len)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} both;
	struct kernel_node *node;

	must(len == sizeof(both));
	memcpy(&both, body, len);
	node = told(&both.entry);
	if (node)
		opened(node, both.open.fh, false, ask->flags);
	else
		release(both.entry.nodeid, both.open.fh, false);
}

static void take_body(const struct under_way *ask, const uint8_t *body, size_t len)
{
	struct fuse_entry_out entry;
	struct fuse_open_out open;

	switch (ask->opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		must(len == sizeof(entry));
		memcpy(&entry, body, len);
		told(&entry);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		must(len == sizeof(open));
		memcpy(&open, body, len);
		opened(ask->node, open.fh, ask->opcode == FUSE_OPENDIR, ask->flags);
		break;
	case FUSE_CREATE: take_create(ask, body, len); break;
	case FUSE_READDIRPLUS: take_entries(body, len); break;
	default: break;
	}
}

static void let_go(struct under_way *ask)
{
	ask->node->uses--;
	if (ask->node2)
		ask->node2->uses--;
	if (ask->file)
		ask->file->uses--;
	if (ask->file2)
		ask->file2->uses--;
	ask->unique = 0;
}

/* Each question has one answer; what was released or forgotten has none. */
static void answer(const uint8_t *frame, size_t len)
{
	struct fuse_out_header head;

	must(len >= sizeof(head));
	memcpy(&head, frame, sizeof(head));
	must(head.len == len && head.error <= 0 && head.error > -1000);
	for (unsigned i = 0; i < KERNEL_ASKS; i++) {
		struct under_way ask = asks[i];

		if (ask.unique != head.unique)
			continue;
		asks[i].unique = 0;
		if (head.error == 0)
			take_body(&ask, frame + sizeof(head), len - sizeof(head));
		let_go(&ask);
		return;
	}
}

static ssize_t from_door(int fd, struct iovec *iov, int count, void *data)
{
	static uint8_t frame[1 << 20];
	size_t len = 0;

	(void)fd, (void)data;
	for (int i = 0; i < count; i++) {
		must(len + iov[i].iov_len <= sizeof(frame));
		memcpy(frame + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	answer(frame, len);
	return (ssize_t)len;
}

static ssize_t to_door(int fd, void *buf, size_t len, void *data)
{
	(void)fd, (void)buf, (void)len, (void)data;
	return 0;
}

/* ---- questions ---- */

static void hold(const struct under_way *ask)
{
	ask->node->uses++;
	if (ask->node2)
		ask->node2->uses++;
	if (ask->file)
		ask->file->uses++;
	if (ask->file2)
		ask->file2->uses++;
}

bool kernel_send(const struct kernel_ask *a)
{
	for (unsigned i = 0; i < KERNEL_ASKS; i++) {
		if (asks[i].unique)
			continue;
		asks[i] = (struct under_way){ .unique = ++last_unique,
			.opcode = a->opcode,
			.flags = a->flags,
			.node = a->node,
			.node2 = a->node2,
			.file = a->file,
			.file2 = a->file2 };
		hold(&asks[i]);
		send_frame(a->opcode, asks[i].unique, a->node->ino, a->body, a->len);
		return true;
	}
	return false;
}

void kernel_forget(struct kernel_node *node)
{
	uint64_t n = node->lookups;

	if (node == &nodes[0] || node->uses)
		return;
	node->lookups = 0;
	forget(node->ino, n);
}

void kernel_interrupt(unsigned n)
{
	struct under_way *ask = &asks[n % KERNEL_ASKS];
	struct fuse_interrupt_in body = { ask->unique };

	if (!ask->unique || ask->interrupted)
		return;
	ask->interrupted = true;
	send_frame(FUSE_INTERRUPT, ++last_unique, 0, &body, sizeof(body));
}

void kernel_turn(void)
{
	struct tn_loop *core = tn_host_loop_core(loop);

	do
		tn_loop_run(core);
	while (tn_loop_next_ns(core) <= fuzz_now);
}

/* ---- the beginning and the end ---- */

static void greet(void)
{
	struct fuse_init_in body = { .major = FUSE_KERNEL_VERSION,
		.minor = 36,
		.max_readahead = 131072,
		.flags = FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS | FUSE_BIG_WRITES |
			 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ATOMIC_O_TRUNC |
			 FUSE_PARALLEL_DIROPS };

	send_frame(FUSE_INIT, ++last_unique, 0, &body, sizeof(body));
}

void kernel_begin(struct tn_host_loop *hl, struct tn_proc *proc)
{
	static const struct fuse_custom_io io = { .writev = from_door, .read = to_door };
	struct launch_fuse_options o = { .fd = open("/dev/null", O_RDWR | O_CLOEXEC),
		.chans_max = 8 };

	loop = hl;
	memset(nodes, 0, sizeof(nodes));
	memset(files, 0, sizeof(files));
	memset(asks, 0, sizeof(asks));
	nodes[0] = (struct kernel_node){ FUSE_ROOT_ID, 1, S_IFDIR, 0 };
	last_unique = 0;
	must(o.fd >= 0);
	door = launch_fuse_new(hl, proc, &o);
	must(door && fuse_session_custom_io(door->se, &io, o.fd) == 0);
	greet();
}

void kernel_end(void)
{
	for (unsigned i = 0; i < KERNEL_ASKS; i++)
		kernel_interrupt(i);
	for (int i = 0; i < 4; i++) {
		kernel_turn();
		fuzz_now += 20 * FUZZ_SECOND;
	}
	kernel_turn();
	for (unsigned i = 0; i < KERNEL_ASKS; i++)
		must(!asks[i].unique);
	launch_fuse_free(door);
	kernel_turn();
}
