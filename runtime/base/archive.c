#include "runtime/base/archive.h"

#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "runtime/base/crc32.h"
#include "runtime/base/folder.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

enum {
    MEMBER_LIMIT = 100000,
    DEFLATE_RATIO = 1032, // a match of 258 bytes takes at least 2 bits
    DEFLATE_SLACK = 64,
    LOCAL_HEADER_BYTES = 30,   // then the name and extra fields
    CENTRAL_HEADER_BYTES = 46, // then the name, extra fields and a comment
    END64_BYTES = 56,
    END64_LOCATOR_BYTES = 20,
    TAIL_BYTES = 65535 + 22 + 20, // where the end records can be: behind them is a comment of 16 bits' length
    INFLATE_LOG_BYTES = 1 << 20,
    INFLATE_BYTES = 16 << 20, // at once
};

typedef struct member {
    const char *name; // libzip's
    uint64_t index;   // libzip's
    uint64_t size;
    uint64_t compressed;
    uint32_t crc;
    uint16_t method;
    bool encrypted;
} member;

// What libzip reads the file through. It tells where the bytes of a member lie: libzip itself does not.
typedef struct reader {
    const encl_file *file;
    uint64_t position;
    uint64_t first_read; // since reads was set to 0
    uint64_t last_read;
    uint64_t reads;
    zip_error_t error;
} reader;

struct encl_archive {
    const encl_file *file;
    char *place;
    zip_t *zip;
    reader reader;
    member *members;
    size_t count;
    encl_mutex mutex; // guards zip, reader, inflated
    uint64_t inflated;
};

static uint64_t little_endian(const uint8_t *bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    return value;
}

// ---- libzip's source --------------------------------------------------------------------------------------

static zip_int64_t read_source(reader *source, void *data, zip_uint64_t length) {
    const uint64_t left = source->file->size - source->position;
    const uint64_t taken = length < left ? length : left;
    if (source->reads++ == 0) {
        source->first_read = source->position;
    }
    source->last_read = source->position;
    memcpy(data, source->file->data + source->position, (size_t)taken);
    source->position += taken;
    return (zip_int64_t)taken;
}

static zip_int64_t stat_source(const reader *source, void *data, zip_uint64_t length) {
    if (length < sizeof(zip_stat_t)) {
        return -1;
    }
    zip_stat_t *stat = data;
    zip_stat_init(stat);
    stat->size = source->file->size;
    stat->valid = ZIP_STAT_SIZE;
    return sizeof *stat;
}

static zip_int64_t serve_source(void *context, void *data, zip_uint64_t length, zip_source_cmd_t command) {
    reader *source = context;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_SEEKABLE;
    case ZIP_SOURCE_OPEN:
        source->position = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return read_source(source, data, length);
    case ZIP_SOURCE_STAT:
        return stat_source(source, data, length);
    case ZIP_SOURCE_SEEK: {
        const zip_int64_t position =
            zip_source_seek_compute_offset(source->position, source->file->size, data, length, &source->error);
        source->position = position < 0 ? source->position : (uint64_t)position;
        return position < 0 ? -1 : 0;
    }
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)source->position;
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&source->error, data, length);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: // it is a part of the archive
        return 0;
    default:
        zip_error_set(&source->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static encl_status fail_zip(const encl_archive *archive, const char *name, zip_error_t *error) {
    const bool memory = zip_error_code_zip(error) == ZIP_ER_MEMORY;
    return encl_fail(memory ? ENCL_OUT_OF_MEMORY : ENCL_FORMAT, "%s%s%s: %s: %s", archive->place,
                     name[0] == '\0' ? "" : "/", name, memory ? "cannot read the zip" : "found a damaged zip",
                     zip_error_strerror(error));
}

// ---- Opening ----------------------------------------------------------------------------------------------

bool encl_archive_detect(const encl_file *file) {
    return file->size >= LOCAL_HEADER_BYTES && memcmp(file->data, "PK\3\4", 4) == 0;
}

// Some versions of libzip take memory for as many members as the file says it has, up to 2⁶⁴.
static encl_status check_count(const encl_archive *archive) {
    const uint8_t *data = archive->file->data;
    const size_t size = archive->file->size;
    for (size_t i = size > TAIL_BYTES ? size - TAIL_BYTES : 0; i + END64_LOCATOR_BYTES <= size; i++) {
        if (memcmp(data + i, "PK\6\7", 4) != 0) {
            continue;
        }
        const uint64_t end = little_endian(data + i + 8, 8);
        if (size < END64_BYTES || end > size - END64_BYTES || memcmp(data + end, "PK\6\6", 4) != 0) {
            continue;
        }
        const uint64_t here = little_endian(data + end + 24, 8);
        const uint64_t all = little_endian(data + end + 32, 8);
        const uint64_t count = here > all ? here : all;
        if (count > size / CENTRAL_HEADER_BYTES || count > MEMBER_LIMIT) {
            return encl_fail(ENCL_FORMAT, "%s: found %llu files in a zip of %zu bytes, expected at most %d that fit",
                             archive->place, (unsigned long long)count, size, MEMBER_LIMIT);
        }
    }
    return ENCL_OK;
}

static encl_status open_zip(encl_archive *archive) {
    zip_error_t error;
    zip_error_init(&error);
    zip_error_init(&archive->reader.error);
    archive->reader.file = archive->file;
    zip_source_t *source = zip_source_function_create(serve_source, &archive->reader, &error);
    encl_status status = ENCL_OK;
    if (source != NULL) {
        archive->zip = zip_open_from_source(source, ZIP_RDONLY, &error);
        if (archive->zip == NULL) {
            zip_source_free(source);
        }
    }
    if (archive->zip == NULL) {
        status = fail_zip(archive, "", &error);
    }
    zip_error_fini(&error);
    return status;
}

static bool is_plain_name(const char *name) {
    bool part_begins = true;
    for (const char *at = name; *at != '\0'; at++) {
        const bool dot = *at == '.' && (at[1] == '/' || at[1] == '\0');
        if ((uint8_t)*at < 0x20 || *at == 0x7f || (part_begins && (*at == '/' || dot))) {
            return false;
        }
        part_begins = *at == '/';
    }
    return name[0] != '\0' && encl_path_is_inside(name);
}

// Text of a member's name that can be printed: up to the first byte that is not.
static int printable_length(const char *name) {
    int length = 0;
    while (length < 200 && (uint8_t)name[length] >= 0x20 && name[length] != 0x7f) {
        length++;
    }
    return length;
}

static encl_status read_member(encl_archive *archive, uint64_t index, member *read) {
    const uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
    zip_stat_t stat;
    zip_stat_init(&stat);
    // Raw: names in old code pages stay the bytes that they are.
    const char *name = zip_get_name(archive->zip, index, ZIP_FL_ENC_RAW);
    if (name == NULL || zip_stat_index(archive->zip, index, ZIP_FL_ENC_RAW, &stat) != 0) {
        return fail_zip(archive, "", zip_get_error(archive->zip));
    }
    if (!is_plain_name(name)) {
        return encl_fail(ENCL_FORMAT, "%s: found a file named '%.*s' in the zip, expected a plain relative name",
                         archive->place, printable_length(name), name);
    }
    if ((stat.valid & needed) != needed) {
        return encl_fail(ENCL_FORMAT, "%s/%s: found a zip member without size, checksum or compression, expected them",
                         archive->place, name);
    }
    const bool encrypted = (stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE;
    *read = (member){name, index, stat.size, stat.comp_size, stat.crc, stat.comp_method, encrypted};
    return ENCL_OK;
}

static int compare_members(const void *a, const void *b) {
    return strcmp(((const member *)a)->name, ((const member *)b)->name);
}

// Members that shared bytes could inflate to far more than the file's size times the ratio.
static encl_status check_members(const encl_archive *archive) {
    uint64_t left = archive->file->size;
    for (size_t i = 0; i < archive->count; i++) {
        const member *found = &archive->members[i];
        if (i > 0 && strcmp(found[-1].name, found->name) == 0) {
            return encl_fail(ENCL_FORMAT, "%s/%s: found twice in the zip, expected once", archive->place, found->name);
        }
        if (found->compressed > left) {
            return encl_fail(ENCL_FORMAT,
                             "%s/%s: found %llu more bytes in the zip, expected at most %llu: the file has %zu",
                             archive->place, found->name, (unsigned long long)found->compressed,
                             (unsigned long long)left, archive->file->size);
        }
        left -= found->compressed;
    }
    return ENCL_OK;
}

static encl_status read_members(encl_archive *archive) {
    const zip_int64_t count = zip_get_num_entries(archive->zip, 0);
    if (count < 0 || count > MEMBER_LIMIT) {
        return encl_fail(ENCL_FORMAT, "%s: found %lld files in the zip, expected at most %d", archive->place,
                         (long long)count, MEMBER_LIMIT);
    }
    encl_status status = encl_allocate((size_t)count, sizeof *archive->members, (void **)&archive->members);
    for (; status == ENCL_OK && archive->count < (size_t)count; archive->count++) {
        status = read_member(archive, archive->count, &archive->members[archive->count]);
    }
    if (status != ENCL_OK) {
        return status;
    }
    qsort(archive->members, archive->count, sizeof *archive->members, compare_members);
    return check_members(archive);
}

encl_status encl_archive_open(const encl_file *file, const char *place, encl_archive **archive) {
    encl_status status = ENCL_OK;
    encl_archive *opened = NULL;
    *archive = NULL;
    if (!encl_archive_detect(file)) {
        return encl_fail(ENCL_FORMAT, "%s: found no zip, expected one that begins with a file", place);
    }
    ENCL_TRY(encl_allocate(1, sizeof *opened, (void **)&opened));
    opened->file = file;
    status = encl_mutex_init(&opened->mutex);
    if (status != ENCL_OK) {
        free(opened);
        return status;
    }
    ENCL_TRY(encl_copy_text(place, strlen(place), &opened->place));
    ENCL_TRY(check_count(opened));
    ENCL_TRY(open_zip(opened));
    ENCL_TRY(read_members(opened));
    *archive = opened;
    opened = NULL;
cleanup:
    encl_archive_close(opened);
    return status;
}

void encl_archive_close(encl_archive *archive) {
    if (archive == NULL) {
        return;
    }
    if (archive->zip != NULL) {
        zip_discard(archive->zip);
    }
    zip_error_fini(&archive->reader.error);
    encl_mutex_destroy(&archive->mutex);
    free(archive->members);
    free(archive->place);
    free(archive);
}

// ---- Members ----------------------------------------------------------------------------------------------

size_t encl_archive_count(const encl_archive *archive) {
    return archive->count;
}

const char *encl_archive_name(const encl_archive *archive, size_t index) {
    return archive->members[index].name;
}

size_t encl_archive_lower_bound(const encl_archive *archive, const char *name) {
    size_t first = 0;
    for (size_t left = archive->count; left > 0;) {
        const size_t half = left / 2;
        if (strcmp(archive->members[first + half].name, name) < 0) {
            first += half + 1;
            left -= half + 1;
        } else {
            left = half;
        }
    }
    return first;
}

int64_t encl_archive_find(const encl_archive *archive, const char *name) {
    const size_t index = encl_archive_lower_bound(archive, name);
    const bool found = index < archive->count && strcmp(archive->members[index].name, name) == 0;
    return found ? (int64_t)index : -1;
}

bool encl_archive_is_stored(const encl_archive *archive, size_t index) {
    return archive->members[index].method == ZIP_CM_STORE && !archive->members[index].encrypted;
}

uint64_t encl_archive_size(const encl_archive *archive, size_t index) {
    return archive->members[index].size;
}

uint64_t encl_archive_inflated_bytes(const encl_archive *archive) {
    encl_mutex *mutex = (encl_mutex *)&archive->mutex;
    encl_mutex_lock(mutex);
    const uint64_t inflated = archive->inflated;
    encl_mutex_unlock(mutex);
    return inflated;
}

// ---- Mapping ----------------------------------------------------------------------------------------------

// Whether a local header stands at `at` that belongs to the member and ends where its bytes begin.
static bool is_header_of(const encl_archive *archive, const member *found, uint64_t at, uint64_t data_place) {
    const size_t size = archive->file->size;
    if (size < LOCAL_HEADER_BYTES || at > size - LOCAL_HEADER_BYTES) {
        return false;
    }
    const uint8_t *header = archive->file->data + at;
    const uint64_t name_length = little_endian(header + 26, 2);
    const uint64_t extra_length = little_endian(header + 28, 2);
    return memcmp(header, "PK\3\4", 4) == 0 && data_place <= size &&
           at + LOCAL_HEADER_BYTES + name_length + extra_length == data_place && name_length == strlen(found->name) &&
           memcmp(header + LOCAL_HEADER_BYTES, found->name, name_length) == 0;
}

static encl_status map_stored(encl_archive *archive, const member *found, encl_file *file) {
    enum { LENGTHS_OFFSET = 26 }; // in a local header; libzip reads it from its begin or only its lengths
    uint8_t byte;
    if (found->size != found->compressed) {
        return encl_fail(ENCL_FORMAT, "%s/%s: found %llu bytes stored as %llu, expected equal sizes", archive->place,
                         found->name, (unsigned long long)found->size, (unsigned long long)found->compressed);
    }
    if (found->size == 0) {
        encl_file_view(archive->file, 0, 0, file);
        return ENCL_OK;
    }
    archive->reader.reads = 0;
    zip_file_t *opened = zip_fopen_index(archive->zip, found->index, ZIP_FL_COMPRESSED);
    if (opened == NULL) {
        return fail_zip(archive, found->name, zip_get_error(archive->zip));
    }
    const bool read = zip_fread(opened, &byte, 1) == 1;
    zip_fclose(opened);
    const uint64_t first = archive->reader.first_read;
    const uint64_t place = archive->reader.last_read;
    const bool sound =
        read && (is_header_of(archive, found, first, place) ||
                 (first >= LENGTHS_OFFSET && is_header_of(archive, found, first - LENGTHS_OFFSET, place)));
    if (!sound || found->size > archive->file->size - place) {
        return encl_fail(ENCL_FORMAT, "%s/%s: found a damaged zip: the file is not where the zip's list says",
                         archive->place, found->name);
    }
    encl_file_view(archive->file, (size_t)place, (size_t)found->size, file);
    return ENCL_OK;
}

// Fills exactly `size` bytes; one more read lets libzip compare the checksum, and finds what is too long. What was read
// of the zip is not needed again, so that memory holds the member but not its compressed form beside it.
static encl_status inflate_all(const encl_archive *archive, const member *found, zip_file_t *opened, uint8_t *bytes) {
    uint64_t filled = 0;
    uint64_t dropped = archive->reader.position;
    for (;;) {
        uint8_t beyond;
        const bool full = filled == found->size;
        const uint64_t left = found->size - filled;
        const uint64_t wanted = left < INFLATE_BYTES ? left : INFLATE_BYTES;
        const zip_int64_t got = zip_fread(opened, full ? &beyond : bytes + filled, full ? 1 : wanted);
        if (archive->reader.last_read > dropped) {
            encl_file_advise_drop(archive->file, (size_t)dropped, (size_t)(archive->reader.last_read - dropped));
            dropped = archive->reader.last_read;
        }
        if (got < 0) {
            return fail_zip(archive, found->name, zip_file_get_error(opened));
        }
        if (got == 0 && full) {
            return ENCL_OK;
        }
        if (got == 0 || full) {
            return encl_fail(ENCL_FORMAT, "%s/%s: found a damaged zip: %s %llu bytes, expected %llu", archive->place,
                             found->name, full ? "more than" : "only", (unsigned long long)filled,
                             (unsigned long long)found->size);
        }
        filled += (uint64_t)got;
    }
}

static encl_status map_deflated(encl_archive *archive, const member *found, encl_file *file) {
    encl_status status = ENCL_OK;
    zip_file_t *opened = NULL;
    uint8_t *bytes = NULL;
    if (found->size > found->compressed * DEFLATE_RATIO + DEFLATE_SLACK || found->size > PTRDIFF_MAX) {
        return encl_fail(ENCL_FORMAT, "%s/%s: found %llu bytes deflated to %llu, which deflate cannot do",
                         archive->place, found->name, (unsigned long long)found->size,
                         (unsigned long long)found->compressed);
    }
    opened = zip_fopen_index(archive->zip, found->index, 0);
    if (opened == NULL) {
        return fail_zip(archive, found->name, zip_get_error(archive->zip));
    }
    ENCL_TRY(encl_file_allocate((size_t)found->size, file, &bytes));
    ENCL_TRY(inflate_all(archive, found, opened, bytes));
    archive->inflated += found->size;
    if (found->size > INFLATE_LOG_BYTES) {
        encl_info("%s/%s: inflated %.1f MB into memory; stored, it would be read where it lies", archive->place,
                  found->name, (double)found->size / 1e6);
    }
cleanup:
    zip_fclose(opened);
    return status;
}

static encl_status fail_method(const encl_archive *archive, const member *found) {
    static const struct {
        uint16_t method;
        const char *name;
    } methods[] = {{9, "Deflate64"}, {12, "bzip2"}, {14, "LZMA"}, {93, "Zstandard"}, {95, "XZ"}};
    const char *name = "an unknown method";
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        name = methods[i].method == found->method ? methods[i].name : name;
    }
    return encl_fail(ENCL_UNSUPPORTED, "%s/%s: found compression by %s (%d), expected stored or deflated",
                     archive->place, found->name, name, found->method);
}

encl_status encl_archive_map(const encl_archive *archive, size_t index, encl_file *file) {
    *file = (encl_file){0};
    const member *found = &archive->members[index];
    if (found->encrypted) {
        return encl_fail(ENCL_UNSUPPORTED, "%s/%s: found an encrypted file, expected a plain one", archive->place,
                         found->name);
    }
    if (found->method != ZIP_CM_STORE && found->method != ZIP_CM_DEFLATE) {
        return fail_method(archive, found);
    }
    encl_archive *guarded = (encl_archive *)archive; // the mutex makes calls one after another
    encl_mutex_lock(&guarded->mutex);
    encl_status status =
        found->method == ZIP_CM_STORE ? map_stored(guarded, found, file) : map_deflated(guarded, found, file);
    encl_mutex_unlock(&guarded->mutex);
    if (status != ENCL_OK) {
        encl_file_unmap(file);
    }
    return status;
}

encl_status encl_archive_verify(const encl_archive *archive, size_t index) {
    const member *found = &archive->members[index];
    encl_file file;
    encl_status status = encl_archive_map(archive, index, &file);
    if (status == ENCL_OK && found->method == ZIP_CM_STORE) {
        const uint32_t crc = encl_crc32(0, file.data, file.size);
        if (crc != found->crc) {
            status = encl_fail(ENCL_FORMAT,
                               "%s/%s: found bytes with the checksum %08x, the zip's list says %08x: "
                               "the file is damaged",
                               archive->place, found->name, (unsigned)crc, (unsigned)found->crc);
        }
        encl_file_advise_drop(&file, 0, file.size);
    }
    encl_file_unmap(&file);
    return status;
}
