// Another day for a process: the clock of the calendar goes 400 days ahead, that of waiting stays. (libfaketime moves both, or
// makes what sleeps by the second fail.) For tests/twice.py: cc -shared -fPIC -o later.so later.c, then LD_PRELOAD=later.so.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
/* Not for latexmk, which looks whether a file is younger than the start: those of the disk have the time of today. */
static time_t later(void) { return strcmp(program_invocation_short_name, "perl") ? 400 * 86400 : 0; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += later();
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec, now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *result) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (result) *result = exact.tv_sec;
    return exact.tv_sec;
}
