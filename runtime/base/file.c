// Reading files: mapped or as text.
#include "runtime/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static encl_status fail_errno(const char *path, const char *action, int error) {
    const encl_status status = error == ENOENT || error == ENOTDIR ? ENCL_NOT_FOUND
                               : error == ENOMEM                   ? ENCL_OUT_OF_MEMORY
                                                                   : ENCL_IO;
    return encl_fail(status, "%s: cannot %s: %s", path, action, strerror(error));
}

// O_NONBLOCK: opening a pipe that nobody writes to must not hang.
static encl_status open_for_reading(const char *path, int *descriptor, struct stat *state) {
    *descriptor = -1;
    if (path == NULL) {
        return encl_fail(ENCL_INVALID, "no path: found NULL, expected the name of a file");
    }
    const int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) {
        return fail_errno(path, "open", errno);
    }
    encl_status status = ENCL_OK;
    if (fstat(opened, state) != 0) {
        status = fail_errno(path, "examine", errno);
    } else if (S_ISDIR(state->st_mode)) {
        status = encl_fail(ENCL_IO, "%s: found a folder, expected a file", path);
    }
    if (status != ENCL_OK) {
        close(opened);
        return status;
    }
    *descriptor = opened;
    return ENCL_OK;
}

// ---- Mapping ----------------------------------------------------------------------------------------------

static const uint8_t nothing[1];

encl_status encl_file_map(const char *path, encl_file *file) {
    encl_status status = ENCL_OK;
    int descriptor = -1;
    struct stat state;

    *file = (encl_file){0};
    ENCL_TRY(open_for_reading(path, &descriptor, &state));
    if (!S_ISREG(state.st_mode)) {
        status = encl_fail(ENCL_IO, "%s: found a pipe or device, expected a regular file", path);
        goto cleanup;
    }
    if ((uint64_t)state.st_size > PTRDIFF_MAX) {
        status = encl_fail(ENCL_UNSUPPORTED, "%s: found %lld bytes, more than this machine can address", path,
                           (long long)state.st_size);
        goto cleanup;
    }
    if (state.st_size == 0) {
        file->data = nothing;
        goto cleanup;
    }
    void *mapping = mmap(NULL, (size_t)state.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapping == MAP_FAILED) {
        status = fail_errno(path, "map", errno);
        goto cleanup;
    }
    *file = (encl_file){.data = mapping, .size = (size_t)state.st_size, .mapping = mapping};

cleanup:
    if (descriptor >= 0) {
        close(descriptor);
    }
    return status;
}

void encl_file_view(const encl_file *container, size_t offset, size_t size, encl_file *view) {
    *view = (encl_file){.data = container->data + offset, .size = size, .container = container};
}

encl_status encl_file_allocate(size_t size, encl_file *file, uint8_t **bytes) {
    *file = (encl_file){0};
    *bytes = NULL;
    if (size == 0) {
        file->data = nothing;
        return ENCL_OK;
    }
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return encl_fail_memory(size);
    }
    *file = (encl_file){.data = mapping, .size = size, .mapping = mapping, .is_memory = true};
    *bytes = mapping;
    return ENCL_OK;
}

void encl_file_unmap(encl_file *file) {
    if (file->mapping != NULL) {
        munmap(file->mapping, file->size);
    }
    *file = (encl_file){0};
}

// Whole pages that hold the range (outward) or lie within it (inward), clipped to the file.
static void advise(const encl_file *file, size_t offset, size_t length, int advice, bool outward) {
    while (offset < file->size && file->container != NULL) {
        length = length < file->size - offset ? length : file->size - offset;
        offset += (size_t)(file->data - file->container->data);
        file = file->container;
    }
    if (file->mapping == NULL || file->is_memory || offset >= file->size) {
        return;
    }
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const bool to_end = length >= file->size - offset;
    const size_t end = to_end ? file->size : offset + length;
    const size_t first = outward ? offset / page * page : (offset + page - 1) / page * page;
    const size_t last = outward || to_end ? end : end / page * page;
    if (first < last) {
        const int saved_errno = errno;
        madvise((uint8_t *)file->mapping + first, last - first, advice);
        errno = saved_errno; // a hint: whether it was taken does not matter
    }
}

void encl_file_advise_ahead(const encl_file *file, size_t offset, size_t length) {
    advise(file, offset, length, MADV_WILLNEED, true);
}

void encl_file_advise_drop(const encl_file *file, size_t offset, size_t length) {
    advise(file, offset, length, MADV_DONTNEED, false);
}

// ---- Reading ----------------------------------------------------------------------------------------------

// Reads to the end, at most limit + 1 bytes: one more tells that the limit is exceeded.
static encl_status read_all(const char *path, int descriptor, size_t expected, size_t limit, encl_string *text) {
    encl_status status = ENCL_OK;
    size_t room = expected < limit ? expected : limit;
    for (;;) {
        // One byte beyond what is expected lets a file of the expected size end in one more read, and a NUL follows.
        void *bytes = text->text;
        status = encl_reserve(&bytes, &text->capacity, text->length + room + 2, 1);
        text->text = bytes;
        if (status != ENCL_OK) {
            return status;
        }
        size_t wanted = text->capacity - text->length - 1;
        wanted = wanted > limit - text->length ? limit - text->length + 1 : wanted;
        const ssize_t got = read(descriptor, text->text + text->length, wanted);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno(path, "read", errno);
        }
        if (got == 0) {
            text->text[text->length] = '\0';
            return ENCL_OK;
        }
        text->length += (size_t)got;
        if (text->length > limit) {
            return encl_fail(ENCL_FORMAT, "%s: found more than %zu bytes, expected at most that many", path, limit);
        }
        const size_t left = limit - text->length;
        room = text->length < expected ? expected - text->length : text->length / 2 + 4096;
        room = room < left ? room : left;
    }
}

encl_status encl_file_read(const char *path, size_t limit, char **text, size_t *length) {
    encl_status status = ENCL_OK;
    int descriptor = -1;
    struct stat state;
    encl_string string = {0};

    *text = NULL;
    *length = 0;
    limit = limit < PTRDIFF_MAX - 4096 ? limit : PTRDIFF_MAX - 4096; // sums below do not overflow
    ENCL_TRY(open_for_reading(path, &descriptor, &state));

    const bool regular = S_ISREG(state.st_mode);
    if (regular && (uint64_t)state.st_size > limit) {
        status =
            encl_fail(ENCL_FORMAT, "%s: found %lld bytes, expected at most %zu", path, (long long)state.st_size, limit);
        goto cleanup;
    }
    if (!regular) {
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK); // wait for a pipe's writer
    }
    ENCL_TRY(read_all(path, descriptor, regular ? (size_t)state.st_size : 0, limit, &string));
    *text = string.text;
    *length = string.length;
    string = (encl_string){0};

cleanup:
    encl_string_free(&string);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return status;
}
