/* torn.so, for LD_PRELOAD: breaks the writes and syncs of some files.
 *
 * Only files whose path contains TORN_MATCH count; writes are write, pwrite, writev and pwritev,
 * syncs fsync and fdatasync, each numbered from 1 in the order they are made.
 *
 *   TORN_AT=N        of the N-th write only TORN_PERCENT (50) is done, then the process gets SIGKILL
 *   FULL_AT=N        the N-th and later writes fail with ENOSPC, until the file FULL_UNTIL exists
 *   SYNC_FAIL_AT=N   the N-th and later syncs fail with EIO and do nothing
 *   TORN_REPORT=P    one line in the file P about the first of these: what, CLOCK_MONOTONIC in
 *                    microseconds, bytes of the write, bytes of it done, path
 *   TORN_COUNT=P     at the end of the process, the number of writes and of syncs in the file P
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
typedef ssize_t (*writev_fn)(int, const struct iovec *, int);
typedef ssize_t (*pwritev_fn)(int, const struct iovec *, int, off64_t);
typedef int (*sync_fn)(int);

static atomic_long writes, syncs;
static atomic_int reported;

/* What is to become of a write. */
enum fate { WHOLE, TORN, FULL };

static long number(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value ? atol(value) : otherwise;
}

static int matches(int fd, char *path) {
    const char *part = getenv("TORN_MATCH");
    char link[64];
    if (!part) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, part) != NULL;
}

static void put(const char *variable, const char *line) {
    const char *path = getenv(variable);
    if (!path) return;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    if (NEXT(write_fn, "write")(fd, line, strlen(line)) < 0) perror("torn: report");
    close(fd);
}

static void report(const char *what, const char *path, size_t length, size_t done) {
    char line[PATH_MAX + 128];
    struct timespec now;
    if (atomic_exchange(&reported, 1)) return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long us = (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    snprintf(line, sizeof line, "%s %lld %zu %zu %s\n", what, us, length, done, path);
    put("TORN_REPORT", line);
}

__attribute__((destructor)) static void count(void) {
    char line[64];
    snprintf(line, sizeof line, "%ld %ld\n", atomic_load(&writes), atomic_load(&syncs));
    put("TORN_COUNT", line);
}

static size_t part_of(size_t length) {
    return length * (size_t)number("TORN_PERCENT", 50) / 100;
}

/* Counts a write; a torn or refused one is reported. */
static enum fate fate(int fd, size_t length) {
    char path[PATH_MAX];
    if (!matches(fd, path)) return WHOLE;
    long at = ++writes, full_at = number("FULL_AT", 0);
    const char *until = getenv("FULL_UNTIL");
    if (at == number("TORN_AT", 0)) {
        report("torn", path, length, part_of(length));
        return TORN;
    }
    if (full_at && at >= full_at && !(until && access(until, F_OK) == 0)) {
        report("full", path, length, 0);
        return FULL;
    }
    return WHOLE;
}

static ssize_t full(void) {
    errno = ENOSPC;
    return -1;
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

static size_t total(const struct iovec *parts, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

/* Writes the first bytes of a vector, at `at` or where the file stands (-1), and dies. */
static void tear(int fd, const struct iovec *parts, int count, off64_t at) {
    size_t left = part_of(total(parts, count));
    for (int i = 0; i < count && left > 0; i++) {
        size_t now = parts[i].iov_len < left ? parts[i].iov_len : left;
        ssize_t done = at < 0 ? NEXT(write_fn, "write")(fd, parts[i].iov_base, now)
                              : NEXT(pwrite_fn, "pwrite64")(fd, parts[i].iov_base, now, at);
        if (done < 0) break;
        if (at >= 0) at += done;
        left -= now;
    }
    die();
}

#define JUDGED(fd, parts, count, at, whole) do {         \
        enum fate it = fate(fd, total(parts, count));    \
        if (it == FULL) return full();                   \
        if (it == TORN) tear(fd, parts, count, at);      \
        return whole;                                    \
    } while (0)

ssize_t write(int fd, const void *data, size_t length) {
    struct iovec one = {(void *)data, length};
    JUDGED(fd, &one, 1, (off64_t)-1, NEXT(write_fn, "write")(fd, data, length));
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    struct iovec one = {(void *)data, length};
    JUDGED(fd, &one, 1, at, NEXT(pwrite_fn, "pwrite64")(fd, data, length, at));
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
    struct iovec one = {(void *)data, length};
    JUDGED(fd, &one, 1, at, NEXT(pwrite_fn, "pwrite64")(fd, data, length, at));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    JUDGED(fd, parts, count, (off64_t)-1, NEXT(writev_fn, "writev")(fd, parts, count));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    JUDGED(fd, parts, count, at, NEXT(pwritev_fn, "pwritev64")(fd, parts, count, at));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    JUDGED(fd, parts, count, at, NEXT(pwritev_fn, "pwritev64")(fd, parts, count, at));
}

static int synced(const char *name, int fd) {
    char path[PATH_MAX];
    long at = number("SYNC_FAIL_AT", 0);
    if (matches(fd, path) && ++syncs >= at && at) {
        report("sync", path, 0, 0);
        errno = EIO;
        return -1;
    }
    return NEXT(sync_fn, name)(fd);
}
int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
