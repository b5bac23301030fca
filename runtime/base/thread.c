#include "runtime/base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// ---- Mutexes and conditions -------------------------------------------------------------------------------

encl_status encl_mutex_init(encl_mutex *mutex) {
    const int error = pthread_mutex_init(mutex, NULL);
    return error == 0 ? ENCL_OK : encl_fail(ENCL_OUT_OF_MEMORY, "cannot make a mutex: %s", strerror(error));
}

void encl_mutex_destroy(encl_mutex *mutex) {
    pthread_mutex_destroy(mutex);
}

void encl_mutex_lock(encl_mutex *mutex) {
    pthread_mutex_lock(mutex);
}

void encl_mutex_unlock(encl_mutex *mutex) {
    pthread_mutex_unlock(mutex);
}

encl_status encl_condition_init(encl_condition *condition) {
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error == 0) {
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        error = pthread_cond_init(condition, &attributes);
        pthread_condattr_destroy(&attributes);
    }
    return error == 0 ? ENCL_OK : encl_fail(ENCL_OUT_OF_MEMORY, "cannot make a condition: %s", strerror(error));
}

void encl_condition_destroy(encl_condition *condition) {
    pthread_cond_destroy(condition);
}

void encl_condition_broadcast(encl_condition *condition) {
    pthread_cond_broadcast(condition);
}

void encl_condition_wait(encl_condition *condition, encl_mutex *mutex) {
    pthread_cond_wait(condition, mutex);
}

bool encl_condition_wait_until(encl_condition *condition, encl_mutex *mutex, int64_t deadline_ns) {
    if (deadline_ns < 0) {
        deadline_ns = 0; // long past; a negative tv_nsec would be refused
    }
    const struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                                      .tv_nsec = (long)(deadline_ns % 1000000000)};
    return pthread_cond_timedwait(condition, mutex, &deadline) != ETIMEDOUT;
}

// ---- Parallel loops ---------------------------------------------------------------------------------------

typedef struct parallel_loop {
    atomic_size_t next;
    size_t count;
    void (*work)(void *context, size_t i);
    void *context;
} parallel_loop;

static void *parallel_worker(void *argument) {
    parallel_loop *loop = argument;
    size_t i;
    while ((i = atomic_fetch_add_explicit(&loop->next, 1, memory_order_relaxed)) < loop->count) {
        loop->work(loop->context, i);
    }
    return NULL;
}

void encl_parallel(size_t count, size_t threads, void (*work)(void *context, size_t i), void *context) {
    enum { MOST_HELPERS = 255 };
    pthread_t helpers[MOST_HELPERS] = {0};
    size_t wanted = threads < count ? threads : count;
    wanted = wanted > 0 ? wanted - 1 : 0;
    wanted = wanted < MOST_HELPERS ? wanted : MOST_HELPERS;

    parallel_loop loop = {.count = count, .work = work, .context = context};
    // Signals stay with the threads that the program made itself.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    size_t started = 0;
    while (started < wanted && pthread_create(&helpers[started], NULL, parallel_worker, &loop) == 0) {
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    parallel_worker(&loop);
    for (size_t i = 0; i < started; i++) {
        pthread_join(helpers[i], NULL);
    }
}
