/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one chosen step of a program fail: for tests only, preloaded into a daemon or linked into a
 * test program.
 *
 * Two families of steps are counted while armed (fault.h). Durable steps: calls that change what a
 * restart finds, on regular files above stderr (a log is not a record), and what is sent to the
 * database server whose port FAULT_DATABASE_PORT names. Allocations: whatever asks
 * the C library for memory, the libraries underneath included, for they call the same symbols.
 */
#include "tests/fault/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define EARLY_SIZE   65536 /* what dlsym() itself may want before it has found malloc() */
#define TRACE_FRAMES 48

static struct fault_control own;
static struct fault_control *control = &own;
static int trace_fd = -1;
static in_port_t database_port; /* in network order; 0: none */

struct fault_control *fault_control(void)
{
	return control;
}

/* ---- the C library's own functions ---- */

#define NEXT(name) ((__typeof__(&name))next_of(&real_##name, #name))
#define REAL(name) static void *_Atomic real_##name

static void *next_of(void *_Atomic *slot, const char *name)
{
	void *found = atomic_load_explicit(slot, memory_order_relaxed);

	if (!found) {
		found = dlsym(RTLD_NEXT, name);
		if (!found)
			abort();
		atomic_store_explicit(slot, found, memory_order_relaxed);
	}
	return found;
}

/* ---- which step is it? ---- */

static bool is_armed(uint64_t kind, bool memory)
{
	return kind != FAULT_OFF && (kind == FAULT_MEMORY) == memory;
}

/* True when this step is to fail; *number is its place in the count. */
static bool is_due(bool memory, uint64_t *number)
{
	uint64_t at;

	if (!is_armed(atomic_load_explicit(&control->kind, memory_order_acquire), memory))
		return false;
	*number = atomic_fetch_add(&control->count, 1) + 1;
	at = atomic_load(&control->at);
	if (at == 0 || (*number != at && !(control->sticky && *number > at)))
		return false;
	atomic_fetch_add(&control->hits, 1);
	return true;
}

static void note(uint64_t number, const char *call, int fd, const char *path)
{
	char link[64], target[FAULT_NAME_MAX] = "";
	ssize_t n;

	if (number == 0 || number > FAULT_NAMES_MAX)
		return;
	if (!path) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		path = target;
	}
	snprintf(control->names[number - 1], FAULT_NAME_MAX, "%s %.*s", call, FAULT_NAME_MAX - 16,
		path);
}

static bool is_record(int fd)
{
	struct stat st;

	return fd > STDERR_FILENO && fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* A connection to the database. */
static bool is_database(int fd)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);

	return database_port && getpeername(fd, (struct sockaddr *)&to, &len) == 0 &&
	       to.sin_family == AF_INET && to.sin_port == database_port;
}

/* Making what is there, or removing what is not, changes nothing. */
static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* What becomes of a durable step: done as asked, failed with errno set, or the end. For TEAR the
 * caller does its half and then calls die(), for FINISH all of it. */
enum fate { DO, TEAR, FINISH, FAIL };

static void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static enum fate fate_of(const char *call, int fd, const char *path)
{
	uint64_t number = 0;
	bool due;

	if (control->kind == FAULT_OFF || (!path && !is_record(fd) && !is_database(fd)))
		return DO;
	due = is_due(false, &number);
	note(number, call, fd, path);
	if (!due)
		return DO;
	switch ((enum fault_kind)control->kind) {
	case FAULT_KILL:
		die();
		return FAIL;
	case FAULT_TORN:
		return TEAR;
	case FAULT_DONE:
		return FINISH;
	case FAULT_EIO:
		errno = EIO;
		return FAIL;
	case FAULT_ENOSPC:
		errno = ENOSPC;
		return FAIL;
	case FAULT_OFF:
	case FAULT_MEMORY:
		return DO;
	}
	return DO;
}

/* ---- durable steps ---- */

#define STEP(call, fd, path, doing)                                                                \
	do {                                                                                       \
		enum fate fate = fate_of(call, fd, path);                                          \
                                                                                                   \
		if (fate == FAIL)                                                                  \
			return -1;                                                                 \
		if (fate == TEAR || fate == FINISH) {                                              \
			(void)!(doing);                                                            \
			die();                                                                     \
		}                                                                                  \
		return doing;                                                                      \
	} while (0)

REAL(write);
ssize_t write(int fd, const void *data, size_t len)
{
	enum fate fate = fate_of("write", fd, NULL);

	if (fate == FAIL)
		return -1;
	if (fate == TEAR || fate == FINISH) {
		(void)!NEXT(write)(fd, data, fate == TEAR ? len / 2 : len);
		die();
	}
	return NEXT(write)(fd, data, len);
}

REAL(pwrite64);
ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	enum fate fate = fate_of("pwrite", fd, NULL);

	if (fate == FAIL)
		return -1;
	if (fate == TEAR || fate == FINISH) {
		(void)!NEXT(pwrite64)(fd, data, fate == TEAR ? len / 2 : len, offset);
		die();
	}
	return NEXT(pwrite64)(fd, data, len, offset);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	return pwrite64(fd, data, len, offset);
}

/* Only to the database: what is sent to others changes nothing that a restart finds. */
REAL(send);
ssize_t send(int fd, const void *data, size_t len, int flags)
{
	enum fate fate = is_database(fd) ? fate_of("send", fd, NULL) : DO;

	if (fate == FAIL)
		return -1;
	if (fate == TEAR || fate == FINISH) {
		(void)!NEXT(send)(fd, data, fate == TEAR ? len / 2 : len, flags);
		die();
	}
	return NEXT(send)(fd, data, len, flags);
}

REAL(fsync);
int fsync(int fd)
{
	STEP("fsync", fd, NULL, NEXT(fsync)(fd));
}

REAL(fdatasync);
int fdatasync(int fd)
{
	STEP("fdatasync", fd, NULL, NEXT(fdatasync)(fd));
}

REAL(msync);
int msync(void *start, size_t len, int flags)
{
	STEP("msync", -1, "", NEXT(msync)(start, len, flags));
}

REAL(ftruncate64);
int ftruncate64(int fd, off64_t len)
{
	STEP("ftruncate", fd, NULL, NEXT(ftruncate64)(fd, len));
}

int ftruncate(int fd, off_t len)
{
	return ftruncate64(fd, len);
}

REAL(fallocate64);
int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
	STEP("fallocate", fd, NULL, NEXT(fallocate64)(fd, mode, offset, len));
}

REAL(fchmod);
int fchmod(int fd, mode_t mode)
{
	STEP("fchmod", fd, NULL, NEXT(fchmod)(fd, mode));
}

REAL(rename);
int rename(const char *from, const char *to)
{
	STEP("rename", -1, to, NEXT(rename)(from, to));
}

REAL(unlink);
int unlink(const char *path)
{
	if (!is_there(path))
		return NEXT(unlink)(path);
	STEP("unlink", -1, path, NEXT(unlink)(path));
}

REAL(unlinkat);
int unlinkat(int dir, const char *path, int flags)
{
	STEP("unlinkat", -1, path, NEXT(unlinkat)(dir, path, flags));
}

REAL(rmdir);
int rmdir(const char *path)
{
	if (!is_there(path))
		return NEXT(rmdir)(path);
	STEP("rmdir", -1, path, NEXT(rmdir)(path));
}

REAL(mkdir);
int mkdir(const char *path, mode_t mode)
{
	if (is_there(path))
		return NEXT(mkdir)(path, mode);
	STEP("mkdir", -1, path, NEXT(mkdir)(path, mode));
}

REAL(link);
int link(const char *from, const char *to)
{
	STEP("link", -1, to, NEXT(link)(from, to));
}

REAL(symlink);
int symlink(const char *target, const char *path)
{
	STEP("symlink", -1, path, NEXT(symlink)(target, path));
}

/* The C library opens the file inside mkostemp() without calling open() by its name. */
REAL(mkostemp64);
int mkostemp64(char *template, int flags)
{
	STEP("mkostemp", -1, template, NEXT(mkostemp64)(template, flags));
}

int mkostemp(char *template, int flags)
{
	return mkostemp64(template, flags);
}

REAL(open64);
int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (!(flags & O_CREAT))
		return NEXT(open64)(path, flags);
	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (is_there(path))
		return NEXT(open64)(path, flags, mode);
	STEP("create", -1, path, NEXT(open64)(path, flags, mode));
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return open64(path, flags, mode);
}

/* ---- allocations ---- */

/* Where FAULT_TRACE points, who asked. */
static void trace(void)
{
	void *frames[TRACE_FRAMES];
	uint64_t kind = control->kind;

	if (trace_fd < 0)
		return;
	control->kind = FAULT_OFF;
	backtrace_symbols_fd(frames, backtrace(frames, TRACE_FRAMES), trace_fd);
	(void)!write(trace_fd, "\n", 1);
	control->kind = kind;
}

/* A sanitizer asks for the stack of each thread that starts, and gives up when it is not told. None
 * of ours asks. */
static __thread volatile bool sparing;
REAL(pthread_getattr_np);
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
	int rc;

	sparing = true;
	rc = NEXT(pthread_getattr_np)(thread, attr);
	sparing = false;
	return rc;
}

static bool no_memory(void)
{
	uint64_t number;

	if (sparing || !is_due(true, &number))
		return false;
	trace();
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	if (p)
		atomic_fetch_add_explicit(&control->live, 1, memory_order_relaxed);
	return p;
}

/* dlsym() may allocate while it looks for malloc(): that comes from here and is never freed. */
static _Alignas(max_align_t) char early[EARLY_SIZE];
static size_t early_used;
static __thread volatile bool resolving; /* volatile: dlsym() is declared not to call back here */

static void *early_alloc(size_t size)
{
	void *p = early + early_used;

	size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	if (size > EARLY_SIZE - early_used)
		abort();
	early_used += size;
	return p;
}

static bool is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + EARLY_SIZE;
}

static void *resolve(void *_Atomic *slot, const char *name)
{
	void *found;

	resolving = true;
	found = next_of(slot, name);
	resolving = false;
	return found;
}
#define NEXT_ALLOC(name) ((__typeof__(&name))resolve(&real_##name, #name))

REAL(malloc);
void *malloc(size_t size)
{
	if (resolving)
		return early_alloc(size);
	return no_memory() ? NULL : counted(NEXT_ALLOC(malloc)(size));
}

REAL(calloc);
void *calloc(size_t count, size_t size)
{
	if (resolving)
		return early_alloc(count * size);
	return no_memory() ? NULL : counted(NEXT_ALLOC(calloc)(count, size));
}

REAL(realloc);
void *realloc(void *old, size_t size)
{
	void *p;

	if (resolving || is_early(old))
		abort(); /* dlsym() does not */
	if (size > 0 && no_memory())
		return NULL;
	p = NEXT_ALLOC(realloc)(old, size);
	if (!old)
		counted(p);
	return p;
}

void *reallocarray(void *old, size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, all);
}

REAL(posix_memalign);
int posix_memalign(void **out, size_t alignment, size_t size)
{
	int rc;

	if (no_memory())
		return ENOMEM;
	rc = NEXT_ALLOC(posix_memalign)(out, alignment, size);
	if (rc == 0)
		counted(*out);
	return rc;
}

REAL(aligned_alloc);
void *aligned_alloc(size_t alignment, size_t size)
{
	return no_memory() ? NULL : counted(NEXT_ALLOC(aligned_alloc)(alignment, size));
}

REAL(free);
void free(void *p)
{
	int saved = errno;

	if (!p || is_early(p) || resolving)
		return; /* the little that dlsym() gives back is not worth a second of it */
	atomic_fetch_sub_explicit(&control->live, 1, memory_order_relaxed);
	NEXT_ALLOC(free)(p);
	errno = saved;
}

/* The leak sanitizer knows the dynamic linker's own allocations by their caller, which is now us.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:_dl_\nleak:dl_open\n";
}

/* ---- the control page ---- */

__attribute__((constructor)) static void attach(void)
{
	const char *path = getenv("FAULT_CONTROL"), *trace_path = getenv("FAULT_TRACE");
	const char *port = getenv("FAULT_DATABASE_PORT");
	void *warm[1], *page;
	int fd;

	backtrace(warm, 1); /* it loads a library the first time */
	if (trace_path)
		trace_fd = open(trace_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	database_port = htons((in_port_t)(port ? strtoul(port, NULL, 10) : 0));
	if (!path)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	page = fd < 0 ? MAP_FAILED
		      : mmap(NULL, sizeof(own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		perror(path);
		abort();
	}
	close(fd);
	control = page;
	control->live = own.live;
}
