/* torn.so, for LD_PRELOAD: tears one write and kills the process.
 *
 * The TORN_AT-th write, pwrite, writev or pwritev to a file whose path contains TORN_MATCH is
 * written only in half (a vector: only its first part), then the process gets SIGKILL.
 * With SYNC_FAIL_AT=N and TORN_MATCH, the N-th and every later fsync or fdatasync of such a file
 * fails with EIO instead. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long writes, syncs;

static int matches(int fd) {
    const char *part = getenv("TORN_MATCH");
    char link[64], path[512];
    if (!part) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, part) != NULL;
}

static int torn(int fd) {
    const char *at = getenv("TORN_AT");
    return at && matches(fd) && ++writes == atol(at);
}

static int sync_fails(int fd) {
    const char *at = getenv("SYNC_FAIL_AT");
    return at && matches(fd) && ++syncs >= atol(at);
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))
#define DIE() kill(getpid(), SIGKILL)

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
typedef ssize_t (*writev_fn)(int, const struct iovec *, int);
typedef ssize_t (*pwritev_fn)(int, const struct iovec *, int, off64_t);
typedef int (*sync_fn)(int);

ssize_t write(int fd, const void *data, size_t length) {
    write_fn next = NEXT(write_fn, "write");
    if (torn(fd)) { next(fd, data, length / 2); DIE(); }
    return next(fd, data, length);
}
static ssize_t pwrite_any(const char *name, int fd, const void *data, size_t length, off64_t at) {
    pwrite_fn next = NEXT(pwrite_fn, name);
    if (torn(fd)) { next(fd, data, length / 2, at); DIE(); }
    return next(fd, data, length, at);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    return pwrite_any("pwrite", fd, data, length, at);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
    return pwrite_any("pwrite64", fd, data, length, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    writev_fn next = NEXT(writev_fn, "writev");
    if (torn(fd)) { next(fd, parts, 1); DIE(); }
    return next(fd, parts, count);
}
static ssize_t pwritev_any(const char *name, int fd, const struct iovec *parts, int count, off64_t at) {
    pwritev_fn next = NEXT(pwritev_fn, name);
    if (torn(fd)) { next(fd, parts, 1, at); DIE(); }
    return next(fd, parts, count, at);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    return pwritev_any("pwritev", fd, parts, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    return pwritev_any("pwritev64", fd, parts, count, at);
}
int fsync(int fd) {
    if (sync_fails(fd)) { errno = EIO; return -1; }
    return NEXT(sync_fn, "fsync")(fd);
}
int fdatasync(int fd) {
    if (sync_fails(fd)) { errno = EIO; return -1; }
    return NEXT(sync_fn, "fdatasync")(fd);
}
