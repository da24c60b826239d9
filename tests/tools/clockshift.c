/* clockshift.so, for LD_PRELOAD: a machine whose clock is wrong.
 *
 * The time of day is CLOCKSHIFT_S seconds (may be negative) away from the true one, however it is
 * asked for; all other clocks, and so all waits, are as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

typedef int (*clock_gettime_fn)(clockid_t, struct timespec *);

static time_t shift_s(void) {
    const char *shift = getenv("CLOCKSHIFT_S");
    return shift ? (time_t)atoll(shift) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static clock_gettime_fn next;
    if (!next) next = (clock_gettime_fn)dlsym(RTLD_NEXT, "clock_gettime");
    int failed = next(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += shift_s();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    if (!failed) *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
    return failed;
}

time_t time(time_t *out) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return (time_t)-1;
    if (out) *out = exact.tv_sec;
    return exact.tv_sec;
}
