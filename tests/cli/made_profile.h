// Hand-made profiles, for what real runs do not show at will: clocks that cannot be aligned, commands that overlap,
// times out of order, odd names, thousands of commands.
#ifndef ENCL_TEST_MADE_PROFILE_H
#define ENCL_TEST_MADE_PROFILE_H

#include <math.h>
#include <string.h>

#include "host/cli/profile/profile.h"
#include "test.h"

enum { MADE_RUNS = 12 };

// What a made case is like. Zero means: one run of 16 commands, one after the other, clocks aligned.
typedef struct made_options {
    const char *name;
    const char *op; // of every command; NULL: what an encoder does
    size_t commands, runs;
    bool unaligned;
    int64_t duration_ns, overlap_ns; // a command ends so long after the next one's START
    bool backwards;                  // the last command ends before it starts, and starts before it is queued
    bool whole;                      // runs differ: sums, as of a whole command
} made_options;

static const struct {
    const char *op, *kernel, *fused;
    double flops, bytes;
} made_commands[] = {
    {"embed", "embed_tile", "", 6e6, 3e6},           {"linear", "linear_tile_6", "bias", 9e7, 4e6},
    {"attention", "attention_tile", "", 8e6, 1e6},   {"linear", "linear_tile_6", "bias+residual", 6e7, 3e6},
    {"layer_norm", "layer_norm_tile", "", 1e6, 1e6}, {"linear", "linear_tile_4", "bias+gelu", 2.4e8, 1.1e7},
    {"normalize", "normalize_plain", "", 1e3, 4e3},  {"download", "", "", 0, 4e5},
};

static inline void *made_memory(size_t count, size_t size) {
    void *memory = NULL;
    assert_ok(encl_allocate(count, size, &memory));
    return memory;
}

static inline char *made_text(const char *text) {
    char *copy = NULL;
    assert_ok(encl_copy_text(text, strlen(text), &copy));
    return copy;
}

// The device's clock stands so far from the host's.
static const int64_t made_offset_ns = 7000000000;

static inline void made_run(const made_options *as, int64_t begin, encl_profile_timeline *drawn) {
    const size_t count = as->commands > 0 ? as->commands : 16;
    const int64_t duration = as->duration_ns > 0 ? as->duration_ns : 40000;
    encl_profile_record *records = made_memory(count, sizeof *records);
    int64_t start = begin + 30000 - made_offset_ns;
    for (size_t i = 0; i < count; i++) {
        const size_t kind = i % (sizeof made_commands / sizeof made_commands[0]);
        const int64_t enqueue = begin + 10000 + 2000 * (int64_t)i;
        const int64_t queued = enqueue + 700 - made_offset_ns;
        start = start > queued + 900 ? start : queued + 900;
        records[i] = (encl_profile_record){.layer = (int32_t)(count > 20 ? 5 * i / count : i / 4),
                                           .op = as->op != NULL ? as->op : made_commands[kind].op,
                                           .kernel = made_commands[kind].kernel,
                                           .why = "best of 2 rows",
                                           .fused = made_commands[kind].fused,
                                           .rows = 128,
                                           .columns = 768,
                                           .depth = kind % 2 == 1 ? 768 : 0,
                                           .queued_ns = queued,
                                           .submit_ns = queued + 300,
                                           .start_ns = start,
                                           .end_ns = start + duration + as->overlap_ns,
                                           .enqueue_begin_ns = enqueue,
                                           .enqueue_end_ns = enqueue + 1500,
                                           .flops = made_commands[kind].flops,
                                           .bytes = made_commands[kind].bytes};
        start += duration;
    }
    if (as->backwards) {
        records[count - 1].start_ns = records[count - 1].queued_ns - 5000;
        records[count - 1].end_ns = records[count - 1].start_ns - 5000;
    }
    *drawn =
        (encl_profile_timeline){.run = {.records = records,
                                        .count = count,
                                        .begin_ns = begin,
                                        .end_ns = start + made_offset_ns + as->overlap_ns + 20000,
                                        .tokens = 128,
                                        .sequences = 1},
                                .clock = {.aligned = !as->unaligned, .offset_ns = made_offset_ns, .width_ns = 700}};
}

// Adds a case to a profile that is freed by free_made.
static inline void made_case(encl_profile *profile, const made_options *as) {
    profile->cases = realloc(profile->cases, (profile->case_count + 1) * sizeof(encl_profile_case));
    assert_non_null(profile->cases);
    encl_profile_case *of = &profile->cases[profile->case_count];
    const size_t runs = as->runs > 0 ? as->runs : 1;
    const int64_t begin = 1000000000000 + 400000000 * (int64_t)profile->case_count++;
    *of = (encl_profile_case){.name = made_text(as->name != NULL ? as->name : "made 1x128"),
                              .sequences = 1,
                              .tokens = 128,
                              .length = 128,
                              .repeated = !as->whole,
                              .runs = as->whole ? (int64_t)runs : MADE_RUNS,
                              .plain_runs = as->whole ? 0 : MADE_RUNS,
                              .create_ns = 9000000,
                              .first_ns = 3000000,
                              .timeline_count = runs,
                              .executable_count = 1};
    of->timeline = made_memory(runs, sizeof *of->timeline);
    int64_t next = begin + 10000000;
    for (size_t i = 0; i < runs; i++) {
        made_run(as, next, &of->timeline[i]);
        next = of->timeline[i].run.end_ns + 100000;
    }
    const encl_run_profile *first = &of->timeline[0].run;
    of->row_count = first->count;
    of->rows = made_memory(first->count, sizeof *of->rows);
    for (size_t i = 0; i < runs; i++) {
        encl_profile_walk(&of->timeline[i].run, &of->timeline[i].clock, &of->parts, of->rows);
        of->wall += (double)(of->timeline[i].run.end_ns - of->timeline[i].run.begin_ns);
    }
    for (size_t i = 0; i < first->count; i++) {
        of->rows[i].record = first->records[i];
        of->rows[i].exec_p50 = of->rows[i].exec / (double)runs;
    }
    of->wall_ns = made_memory((size_t)of->runs, sizeof(int64_t));
    of->plain_ns = as->whole ? NULL : made_memory(MADE_RUNS, sizeof(int64_t));
    for (int64_t i = 0; i < of->runs; i++) {
        of->wall_ns[i] = (int64_t)of->wall / (int64_t)runs + 1000 * i;
    }
    for (int64_t i = 0; i < of->plain_runs; i++) {
        of->plain_ns[i] = (int64_t)of->wall - 5000 + 1000 * i;
    }
    assert_ok(encl_statistics_of(of->wall_ns, (size_t)of->runs, &of->profiled));
    assert_ok(encl_statistics_of(of->plain_ns, (size_t)of->plain_runs, &of->plain));
    of->reconciled = of->parts.clamped == 0 && of->parts.overlap == 0;
    of->executables = made_memory(1, sizeof *of->executables);
    of->executables[0].info = (encl_executable_info){.created_ns = begin,
                                                     .build_ns = 6000000,
                                                     .upload_ns = 2000000,
                                                     .programs = 5,
                                                     .programs_from_cache = 3,
                                                     .quarantined = 1,
                                                     .weight_bytes = 90000000,
                                                     .arena_bytes = 3000000,
                                                     .device_bytes = 95000000,
                                                     .gemm = "tile"};
}

// The profile's head. The device's texts are hostile on purpose where asked for.
static inline void made_head(encl_profile *profile, encl_device_info *device, bool hostile) {
    *device = (encl_device_info){.index = 0,
                                 .type = ENCL_DEVICE_CPU,
                                 .platform = "Made Platform",
                                 .platform_version = "OpenCL 3.0",
                                 .name = hostile ? "</script><b title=\"x\" onload='alert(1)'>\x01\xff\xc3\n& more"
                                                 : "Made Device",
                                 .vendor = "nobody",
                                 .driver = "1.0",
                                 .opencl_c = "OpenCL C 1.2",
                                 .compute_units = 8,
                                 .clock_mhz = 2000,
                                 .global_memory = (uint64_t)8 << 30,
                                 .max_allocation = (uint64_t)2 << 30,
                                 .local_memory = 32768,
                                 .max_group = 1024,
                                 .timer_resolution_ns = 1};
    *profile = (encl_profile){.device = device, .layers = 3, .command = made_text("encl profile --shape made")};
}

static inline void made_peaks(encl_profile *profile) {
    profile->peaks_known = true;
    profile->peaks = (encl_peaks){.fp32_gflops = 8000,
                                  .fp16_gflops = NAN,
                                  .bf16_gflops = NAN,
                                  .int8_gops = NAN,
                                  .bandwidth = {{32768, 900, 700, 800}, {1 << 26, 120, 90, 100}},
                                  .bandwidth_count = 2,
                                  .memory_gbs = 120,
                                  .launch_us = 2,
                                  .enqueue_us = 1,
                                  .finish_us = 6,
                                  .upload_gbs = 10,
                                  .download_gbs = 10,
                                  .measured_at = 1700000000};
}

static inline void free_made(encl_profile *profile) {
    for (size_t i = 0; i < profile->case_count; i++) {
        encl_profile_case *of = &profile->cases[i];
        for (size_t k = 0; k < of->timeline_count; k++) {
            free((void *)of->timeline[k].run.records);
        }
        free(of->name);
        free(of->wall_ns);
        free(of->plain_ns);
        free(of->rows);
        free(of->timeline);
        free(of->executables);
    }
    free(profile->cases);
    free(profile->command);
    *profile = (encl_profile){0};
}

#endif
