/* fs DIR BYTES MODE SECONDS: how many fdatasync calls a second the file system makes for one writer.
 * MODE a appends; MODE p overwrites a preallocated 64 MiB file.
 * cc -O2 fs.c -o fs && ./fs DIR 256 a 2 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SYNCS_MAX 2000000
#define FILE_BYTES (64 << 20)

static double latency[SYNCS_MAX];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void must(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void preallocate(int fd) {
    static char zeros[1 << 16];
    for (int i = 0; i < FILE_BYTES / (int)sizeof zeros; i++)
        must(write(fd, zeros, sizeof zeros) == sizeof zeros, "write");
    must(fsync(fd) == 0, "fsync");
}

int main(int count, char **argument) {
    if (count != 5) {
        fprintf(stderr, "usage: fs DIR BYTES a|p SECONDS\n");
        return 2;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/fs.dat", argument[1]);
    size_t bytes = strtoul(argument[2], NULL, 10);
    int overwrite = argument[3][0] == 'p';
    double seconds = atof(argument[4]);
    int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
    must(fd >= 0, path);
    char *block = malloc(bytes);
    must(block != NULL, "malloc");
    memset(block, 'x', bytes);
    if (overwrite)
        preallocate(fd);

    long syncs = 0;
    off_t offset = 0;
    double start = now();
    while (now() - start < seconds && syncs < SYNCS_MAX) {
        double before = now();
        ssize_t written = overwrite ? pwrite(fd, block, bytes, offset) : write(fd, block, bytes);
        must(written == (ssize_t)bytes, "write");
        offset = (offset + bytes) % FILE_BYTES;
        must(fdatasync(fd) == 0, "fdatasync");
        latency[syncs++] = now() - before;
    }
    double spent = now() - start;
    qsort(latency, syncs, sizeof *latency, compare);
    printf("%s %zuB %c: %.0f syncs/s p50=%.0fus p99=%.0fus max=%.1fms\n", argument[1], bytes,
           argument[3][0], syncs / spent, latency[syncs / 2] * 1e6,
           latency[(long)(syncs * .99)] * 1e6, latency[syncs - 1] * 1e3);
    unlink(path);
    return 0;
}
