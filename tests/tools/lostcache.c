/* lostcache.so, for LD_PRELOAD: remembers what a power cut would take away.
 *
 * kill -9 leaves the page cache alone, so files keep even what was never synced. This library writes
 * an undo record before each change of a regular file under LOSTCACHE_DIR, into
 * LOSTCACHE_UNDO/<inode>; after kill -9 a harness plays the records back, newest first, and the
 * files are as they were at their last fsync or fdatasync.
 *
 * A record is three u64 in the machine's order (offset, file size before, n), then the n bytes that
 * stood at the offset. With offset = 2^64 - 1 it is a mark: the records below the position in the
 * second field are synced. A mark is written after a sync has returned, with the position reached
 * before the sync began, so that a change made meanwhile is not taken for synced.
 *
 * With LOSTCACHE_DROP set, every sync returns at once, does nothing and leaves no mark.
 *
 * Not seen: stores through shared maps, io_uring, copies inside the kernel; and directory entries
 * are taken as durable. A hard link in LOSTCACHE_UNDO keeps each inode number from being used anew.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))
#define MARK UINT64_MAX

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
typedef ssize_t (*writev_fn)(int, const struct iovec *, int);
typedef ssize_t (*pwritev_fn)(int, const struct iovec *, int, off64_t);
typedef int (*truncate_fn)(int, off64_t);
typedef int (*fallocate_fn)(int, int, off64_t, off64_t);
typedef int (*sync_fn)(int);

struct record { uint64_t offset, size, length; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void give_up(const char *what) {
    perror(what);
    abort();
}

/* Whether the file is watched; its path and state if so. */
static int watched(int fd, char *path, struct stat *state) {
    const char *dir = getenv("LOSTCACHE_DIR");
    char link[64];
    if (!dir || !getenv("LOSTCACHE_UNDO")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, dir, strlen(dir)) == 0 && fstat(fd, state) == 0 && S_ISREG(state->st_mode);
}

static int undo_file(const char *path, const struct stat *state) {
    char name[PATH_MAX], kept[PATH_MAX + 8];
    const char *undo = getenv("LOSTCACHE_UNDO");
    snprintf(name, sizeof name, "%s/%llu", undo, (unsigned long long)state->st_ino);
    int fd = open(name, O_RDWR | O_APPEND | O_CLOEXEC);
    if (fd >= 0) return fd;
    fd = open(name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) give_up("lostcache: undo file");
    snprintf(kept, sizeof kept, "%s.kept", name);
    /* Fails for a file that has no name any more; then its records concern nobody. */
    (void)!link(path, kept);
    return fd;
}

static void append(int undo, uint64_t offset, uint64_t size, const void *bytes, uint64_t length) {
    struct record record = {offset, size, length};
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)bytes, length}};
    ssize_t whole = (ssize_t)(sizeof record + length);
    if (NEXT(writev_fn, "writev")(undo, parts, 2) != whole) give_up("lostcache: undo record");
}

/* Notes what `length` bytes at `offset` are before they change. Called with the lock held. */
static void note(int fd, const char *path, const struct stat *state, off64_t offset, size_t length) {
    uint64_t size = (uint64_t)state->st_size;
    uint64_t old = 0;
    char *bytes = NULL;
    if ((uint64_t)offset < size) {
        old = size - (uint64_t)offset < length ? size - (uint64_t)offset : length;
        bytes = malloc(old);
        /* The descriptor may be open for writing only. */
        int reader = open(path, O_RDONLY | O_CLOEXEC);
        if (reader < 0 || pread64(reader, bytes, old, offset) != (ssize_t)old) old = 0;
        if (reader >= 0) close(reader);
    }
    int undo = undo_file(path, state);
    append(undo, (uint64_t)offset, size, bytes, old);
    close(undo);
    free(bytes);
    (void)fd;
}

static off64_t position(int fd, const struct stat *state) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_APPEND) ? state->st_size : lseek64(fd, 0, SEEK_CUR);
}

static size_t total(const struct iovec *parts, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

/* Runs `change` under the lock, after noting `length` bytes at `at` (-1: where the file stands). */
#define NOTED(fd, at, length, change) do {                                          \
        char path[PATH_MAX];                                                        \
        struct stat state;                                                          \
        pthread_mutex_lock(&lock);                                                  \
        if (watched(fd, path, &state))                                              \
            note(fd, path, &state, (at) < 0 ? position(fd, &state) : (at), length); \
        long long done = (long long)(change);                                       \
        pthread_mutex_unlock(&lock);                                                \
        return done;                                                                \
    } while (0)

ssize_t write(int fd, const void *data, size_t length) {
    NOTED(fd, (off64_t)-1, length, NEXT(write_fn, "write")(fd, data, length));
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    NOTED(fd, at, length, NEXT(pwrite_fn, "pwrite64")(fd, data, length, at));
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
    NOTED(fd, at, length, NEXT(pwrite_fn, "pwrite64")(fd, data, length, at));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    NOTED(fd, (off64_t)-1, total(parts, count), NEXT(writev_fn, "writev")(fd, parts, count));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    NOTED(fd, at, total(parts, count), NEXT(pwritev_fn, "pwritev64")(fd, parts, count, at));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    NOTED(fd, at, total(parts, count), NEXT(pwritev_fn, "pwritev64")(fd, parts, count, at));
}
int ftruncate(int fd, off_t size) {
    NOTED(fd, size, SIZE_MAX, NEXT(truncate_fn, "ftruncate64")(fd, size));
}
int ftruncate64(int fd, off64_t size) {
    NOTED(fd, size, SIZE_MAX, NEXT(truncate_fn, "ftruncate64")(fd, size));
}
int fallocate(int fd, int mode, off_t at, off_t length) {
    NOTED(fd, at, (size_t)length, NEXT(fallocate_fn, "fallocate64")(fd, mode, at, length));
}
int fallocate64(int fd, int mode, off64_t at, off64_t length) {
    NOTED(fd, at, (size_t)length, NEXT(fallocate_fn, "fallocate64")(fd, mode, at, length));
}

static int synced(const char *name, int fd) {
    char path[PATH_MAX];
    struct stat state, undone;
    if (getenv("LOSTCACHE_DROP")) return 0;
    pthread_mutex_lock(&lock);
    int undo = watched(fd, path, &state) ? undo_file(path, &state) : -1;
    if (undo >= 0 && fstat(undo, &undone) != 0) give_up("lostcache: undo file");
    pthread_mutex_unlock(&lock);
    int result = NEXT(sync_fn, name)(fd);
    if (undo < 0) return result;
    pthread_mutex_lock(&lock);
    if (result == 0) append(undo, MARK, (uint64_t)undone.st_size, NULL, 0);
    pthread_mutex_unlock(&lock);
    close(undo);
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
int syncfs(int fd) { return getenv("LOSTCACHE_DROP") ? 0 : NEXT(sync_fn, "syncfs")(fd); }
int msync(void *at, size_t length, int flags) {
    typedef int (*msync_fn)(void *, size_t, int);
    return getenv("LOSTCACHE_DROP") ? 0 : NEXT(msync_fn, "msync")(at, length, flags);
}
