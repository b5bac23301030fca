// Threads, mutexes and conditions (pthread), and what the machine says of its processors and memory.
#ifndef ENCL_BASE_THREAD_H
#define ENCL_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef pthread_mutex_t encl_mutex;
typedef pthread_cond_t encl_condition;
#define ENCL_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER

encl_status encl_mutex_init(encl_mutex *mutex);
void encl_mutex_destroy(encl_mutex *mutex);
void encl_mutex_lock(encl_mutex *mutex);
void encl_mutex_unlock(encl_mutex *mutex);

encl_status encl_condition_init(encl_condition *condition); // waits on CLOCK_MONOTONIC
void encl_condition_destroy(encl_condition *condition);
void encl_condition_broadcast(encl_condition *condition);
void encl_condition_wait(encl_condition *condition, encl_mutex *mutex);
// Waits until encl_clock_ns() reaches deadline_ns; false when that time came.
bool encl_condition_wait_until(encl_condition *condition, encl_mutex *mutex, int64_t deadline_ns);

// Calls work(context, i) once for every i < count, on up to `threads` threads (the calling one included),
// and returns when all are done. A thread that cannot be started only lowers the number.
void encl_parallel(size_t count, size_t threads, void (*work)(void *context, size_t i), void *context);

// Processors this process may use, at least 1.
size_t encl_machine_threads(void);
// The processor's vendor, family, model, stepping and feature flags as one text, for cache keys
// ("" where the system does not tell). Lives as long as the process.
const char *encl_machine_cpu(void);
// True where the processor has a feature as Linux names it, e.g. "avx512_bf16".
bool encl_machine_has_feature(const char *feature);

#endif
