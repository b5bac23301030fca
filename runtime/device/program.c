#include "runtime/device/program.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/log.h"
#include "runtime/device/cache.h"
#include "runtime/device/log_message.h"
#include "runtime/device/sources.h"

static const char cache_kind[] = "programs";
// Part of every key: raised when what an entry holds, or how a program is put together, changes.
static const char cache_format[] = "encl program 1";
// A stored binary begins with its own key: what is not ours never reaches a driver's parser.
enum { KEY_BYTES = ENCL_HASH_TEXT - 1 };

static const size_t source_limit = (size_t)16 << 20;

static encl_status source_from_folder(const char *folder, const char *file, char **text) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    size_t length = 0;
    if (strchr(file, '/') != NULL) {
        return encl_fail(ENCL_INVALID, "kernel file '%s', expected a name without a folder", file);
    }
    ENCL_TRY(encl_path_join(folder, file, &path));
    ENCL_TRY(encl_file_read(path, source_limit, text, &length));
    if (strlen(*text) != length) {
        status = encl_fail(ENCL_FORMAT, "%s: byte %zu is NUL, expected text", path, strlen(*text));
        free(*text);
        *text = NULL;
    }

cleanup:
    free(path);
    if (status != ENCL_OK) {
        encl_fail_context(status, "ENCL_KERNEL_DIR");
    }
    return status;
}

encl_status encl_program_source(const char *file, char **text) {
    *text = NULL;
    const char *folder = getenv("ENCL_KERNEL_DIR");
    if (folder != NULL && *folder != '\0') {
        return source_from_folder(folder, file, text);
    }
    for (size_t i = 0; i < encl_kernel_file_count; i++) {
        if (strcmp(encl_kernel_files[i].name, file) == 0) {
            return encl_copy_text(encl_kernel_files[i].text, encl_kernel_files[i].length, text);
        }
    }
    return encl_fail(ENCL_NOT_FOUND, "kernel file '%s' is not among the %zu in this binary", file,
                     encl_kernel_file_count);
}

// Appends a file after a mark with its name. Its lines `#include "name"` (at the start of a line, one floor deep) are
// replaced by that file, because an OpenCL compiler has no folder to look in.
static encl_status append_file(encl_string *source, const char *file, bool expand) {
    static const char directive[] = "#include \"";
    encl_status status = ENCL_OK;
    char *text = NULL;
    char *name = NULL;
    int number = 1;
    ENCL_TRY(encl_program_source(file, &text));
    ENCL_TRY(encl_string_format(source, "#line 1 \"%s\"\n", file));
    for (const char *line = text; *line != '\0'; number++) {
        const char *end = strchr(line, '\n');
        const size_t length = end != NULL ? (size_t)(end - line) : strlen(line);
        if (expand && strncmp(line, directive, strlen(directive)) == 0) {
            const char *first = line + strlen(directive);
            ENCL_TRY(encl_copy_text(first, strcspn(first, "\"\n"), &name));
            ENCL_TRY(append_file(source, name, false));
            ENCL_TRY(encl_string_format(source, "#line %d \"%s\"", number + 1, file));
            free(name);
            name = NULL;
        } else {
            ENCL_TRY(encl_string_append(source, line, length));
        }
        ENCL_TRY(encl_string_append(source, "\n", 1));
        line += length + (end != NULL);
    }

cleanup:
    free(name);
    free(text);
    return status;
}

static encl_status whole_source(const char *file, encl_string *source) {
    encl_status status = append_file(source, "prelude.h", false);
    return status == ENCL_OK ? append_file(source, file, true) : status;
}

// The options as the compiler gets them: OpenCL C 1.2 unless the caller asks for another, and no warnings, which some
// drivers print to standard error by themselves.
static encl_status whole_options(const char *options, char **whole) {
    encl_string text = {0};
    encl_status status = ENCL_OK;
    *whole = NULL;
    bool standard = options != NULL && strstr(options, "-cl-std") != NULL;
    ENCL_TRY(encl_string_format(&text, "%s%s%s", standard ? "-w" : "-cl-std=CL1.2 -w",
                                options == NULL || *options == '\0' ? "" : " ", options != NULL ? options : ""));
    *whole = text.text;

cleanup:
    return status;
}

static void make_key(const encl_device *device, const char *file, const char *options, const char *source,
                     char key[ENCL_HASH_TEXT]) {
    encl_hash hash;
    encl_hash_start(&hash);
    encl_hash_add_text(&hash, cache_format);
    encl_hash_add_text(&hash, source);
    encl_hash_add_text(&hash, file);
    encl_hash_add_text(&hash, options);
    encl_hash_add_text(&hash, device->cache_identity);
    encl_hash_finish(&hash, key);
}

// The compiler's log for this program; *log is NULL where it has none to give. Caller frees.
static encl_status build_log(const encl_program *program, char **log) {
    encl_status status = ENCL_OK;
    size_t length = 0;
    void *memory = NULL;
    *log = NULL;
    cl_device_id id = program->device->id;
    ENCL_CL_TRY(clGetProgramBuildInfo(program->program, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &length));
    ENCL_TRY(encl_allocate(length + 1, 1, &memory));
    ENCL_CL_TRY(clGetProgramBuildInfo(program->program, id, CL_PROGRAM_BUILD_LOG, length, memory, NULL));
    *log = memory;
    memory = NULL;

cleanup:
    free(memory);
    return status;
}

// Adreno's compiler reports exhausted resources now and then while work is queued; waiting for that work helps.
static cl_int build(const encl_program *program) {
    enum { ATTEMPTS = 3 };
    cl_int error = CL_SUCCESS;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        error = clBuildProgram(program->program, 1, &program->device->id, program->options, NULL, NULL);
        const bool may_pass = error == CL_OUT_OF_RESOURCES || error == CL_OUT_OF_HOST_MEMORY;
        if (!may_pass || attempt + 1 == ATTEMPTS) {
            break;
        }
        encl_warn("%s: clBuildProgram: %s (%d) on %s; tried again", program->file, encl_cl_error_name(error),
                  (int)error, program->device->info.name);
        clFinish(encl_device_queue(program->device));
    }
    return error;
}

static encl_status fail_build(const encl_program *program, const char *source, cl_int error) {
    encl_string message = {0};
    char *log = NULL;
    encl_status status = build_log(program, &log);
    if (status == ENCL_OK) {
        status = encl_build_log_message(log, source, &message);
    }
    if (status == ENCL_OK) {
        encl_debug("%s (%s) on %s:\n%s", program->file, program->options, program->device->info.name, log);
    }
    // Out of memory while compiling is that, whatever the log says; everything else is the source's failure.
    status = encl_cl_fail(error, "clBuildProgram");
    if (status == ENCL_OUT_OF_MEMORY || status == ENCL_DEVICE_MEMORY) {
        encl_fail_context(status, "%s (device %s)", program->file, program->device->info.name);
    } else {
        status =
            encl_fail(ENCL_BUILD, "%s (device %s, options %s, %s)", message.length > 0 ? message.text : program->file,
                      program->device->info.name, program->options, encl_cl_error_name(error));
    }
    encl_string_free(&message);
    free(log);
    return status;
}

static encl_status build_from_source(encl_program *program, const char *source) {
    cl_int error = CL_SUCCESS;
    program->program = clCreateProgramWithSource(encl_device_context(program->device), 1, &source, NULL, &error);
    if (error != CL_SUCCESS) {
        return encl_cl_fail(error, "clCreateProgramWithSource");
    }
    error = build(program);
    return error == CL_SUCCESS ? ENCL_OK : fail_build(program, source, error);
}

// A binary that a driver no longer takes is not an error: the source is there.
static bool build_from_binary(encl_program *program, const unsigned char *binary, size_t length) {
    cl_int error = CL_SUCCESS;
    cl_int binary_error = CL_SUCCESS;
    cl_device_id id = program->device->id;
    program->program = clCreateProgramWithBinary(encl_device_context(program->device), 1, &id, &length, &binary,
                                                 &binary_error, &error);
    if (error == CL_SUCCESS) {
        error = binary_error;
    }
    if (error == CL_SUCCESS) {
        error = build(program);
    }
    if (error != CL_SUCCESS) {
        encl_debug("%s: cached binary refused by %s: %s; built again", program->file, program->device->info.name,
                   encl_cl_error_name(error));
        if (program->program != NULL) {
            clReleaseProgram(program->program);
            program->program = NULL;
        }
    }
    return error == CL_SUCCESS;
}

static bool load_from_cache(encl_program *program) {
    void *bytes = NULL;
    size_t length = 0;
    bool loaded = false;
    if (encl_cache_load(cache_kind, program->key, &bytes, &length) != ENCL_OK) {
        return false;
    }
    if (length > KEY_BYTES && memcmp(bytes, program->key, KEY_BYTES) == 0) {
        loaded = build_from_binary(program, (const unsigned char *)bytes + KEY_BYTES, length - KEY_BYTES);
    }
    if (!loaded) {
        encl_program_forget(program);
    }
    free(bytes);
    return loaded;
}

encl_status encl_program_key(const encl_device *device, const char *file, const char *options,
                             char key[ENCL_HASH_TEXT]) {
    encl_status status = ENCL_OK;
    encl_string source = {0};
    char *whole = NULL;
    key[0] = '\0';
    ENCL_TRY(whole_options(options, &whole));
    ENCL_TRY(whole_source(file, &source));
    make_key(device, file, whole, source.text, key);

cleanup:
    encl_string_free(&source);
    free(whole);
    return status;
}

encl_status encl_program_build(const encl_device *device, const char *file, const char *options,
                               encl_program **program) {
    encl_status status = ENCL_OK;
    encl_string source = {0};
    void *memory = NULL;
    encl_program *made = NULL;
    *program = NULL;
    ENCL_TRY(encl_allocate(1, sizeof(encl_program), &memory));
    made = memory;
    made->device = device;
    ENCL_TRY(encl_copy_text(file, strlen(file), &made->file));
    ENCL_TRY(whole_options(options, &made->options));
    ENCL_TRY(whole_source(file, &source));
    make_key(device, file, made->options, source.text, made->key);
    made->from_cache = load_from_cache(made);
    if (!made->from_cache) {
        ENCL_TRY(build_from_source(made, source.text));
    }
    *program = made;
    made = NULL;

cleanup:
    encl_program_destroy(made);
    encl_string_free(&source);
    return status;
}

void encl_program_destroy(encl_program *program) {
    if (program == NULL) {
        return;
    }
    if (program->program != NULL) {
        clReleaseProgram(program->program);
    }
    free(program->file);
    free(program->options);
    free(program);
}

// The driver's binary after the key, as it is stored. Caller frees.
static encl_status read_binary(const encl_program *program, unsigned char **payload, size_t *length) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    size_t size = 0;
    unsigned char *binary = NULL;
    *payload = NULL;
    *length = 0;
    // One context holds one device, so there is one binary.
    ENCL_CL_TRY(clGetProgramInfo(program->program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL));
    if (size == 0) {
        status = encl_fail(ENCL_UNSUPPORTED, "%s: the driver gives no binary", program->file);
        goto cleanup;
    }
    ENCL_TRY(encl_allocate(KEY_BYTES + size, 1, &memory));
    binary = (unsigned char *)memory + KEY_BYTES;
    memcpy(memory, program->key, KEY_BYTES);
    ENCL_CL_TRY(clGetProgramInfo(program->program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL));
    *payload = memory;
    *length = KEY_BYTES + size;
    memory = NULL;

cleanup:
    free(memory);
    return status;
}

void encl_program_keep(const encl_program *program) {
    unsigned char *payload = NULL;
    size_t length = 0;
    if (program->from_cache) {
        return;
    }
    if (read_binary(program, &payload, &length) != ENCL_OK) {
        encl_debug("%s is not kept: %s", program->file, encl_status_detail());
        return;
    }
    encl_cache_store(cache_kind, program->key, payload, length);
    free(payload);
}

void encl_program_forget(const encl_program *program) {
    encl_cache_remove(cache_kind, program->key);
}

encl_status encl_program_kernel(const encl_program *program, const char *name, cl_kernel *kernel) {
    cl_int error = CL_SUCCESS;
    *kernel = NULL;
    cl_kernel made = clCreateKernel(program->program, name, &error);
    if (error != CL_SUCCESS) {
        encl_status status = encl_cl_fail(error, "clCreateKernel");
        return encl_fail_context(status, "%s: kernel '%s'", program->file, name);
    }
    *kernel = made;
    return ENCL_OK;
}
