// A clock that goes wrong by CLOCK_AWAY seconds, for processes that are started with it in LD_PRELOAD: only what shows the
// time of day does, so that whatever waits goes on waiting as long as it should.
// A moment until which something waits was reckoned from this clock, so it is told to the kernel on the kernel's own: else one
// that is past would end each wait at once, and the idle threads of Arrow's allocator, jemalloc, would never rest.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long away(void) {
    const char *told = getenv("CLOCK_AWAY");
    return told ? atol(told) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += away();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec found;
    if (clock_gettime(CLOCK_REALTIME, &found)) return -1;
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (into) *into = found.tv_sec;
    return found.tv_sec;
}

// A monotonic moment counts from the machine's start: it has a few years at most, and is left as it is.
static struct timespec kernels(const struct timespec *until) {
    struct timespec moment = *until;
    if (moment.tv_sec > 500000000) moment.tv_sec -= away();
    return moment;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    static int (*wait)(sem_t *restrict, const struct timespec *restrict);
    if (!wait) wait = (int (*)(sem_t *restrict, const struct timespec *restrict))dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec moment = kernels(until);
    return wait(semaphore, &moment);
}

typedef int (*wait_of_condition)(pthread_cond_t *restrict, pthread_mutex_t *restrict, const struct timespec *restrict);

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    static wait_of_condition wait;
    // The C library of x86-64 has an older function of that name, for programs of another age, which dlsym may give.
    if (!wait) wait = (wait_of_condition)dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!wait) wait = (wait_of_condition)dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec moment = kernels(until);
    return wait(condition, mutex, &moment);
}
