#include "runtime/base/archive_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/crc32.h"
#include "runtime/base/output.h"

enum {
    LOCAL_BYTES = 30,   // of a member's header before its name
    CENTRAL_BYTES = 46, // of its row in the list, likewise
    CRC_PLACE = 14,     // in a header
    LOCAL_SIZES = 20,   // its extra field with both sizes
    PADDING_HEAD = 6,   // the least extra field that pads: identity, length, alignment
    CENTRAL_SIZES = 28, // the list's extra field: sizes and place
    END64_BYTES = 56,
    END64_LOCATOR_BYTES = 20,
    END_BYTES = 22,
    VERSION = 45,         // of the zip64 form
    UNIX = 3,             // whose permissions the list has
    UTF8_NAMES = 1 << 11, // a flag
    FIRST_DAY = 0x21,     // 1980-01-01, the first that a zip can say
    MOST_NAME = 1024,
};
static const uint32_t in_extra_field = 0xffffffff; // where the value does not stand
static const uint32_t regular_file = 0100644u << 16;

typedef struct written_member {
    char *name;
    uint64_t place; // of its header
    uint64_t size;
    uint32_t crc;
} written_member;

struct encl_archive_writer {
    encl_output output;
    uint64_t at; // in the file
    written_member *members;
    size_t count, capacity;
};

// ---- Bytes ------------------------------------------------------------------------------------------------

// A record in the making, little-endian.
typedef struct record {
    uint8_t *at;
} record;

static void put(record *r, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        *r->at++ = (uint8_t)(value >> 8 * i);
    }
}

static encl_status write_bytes(encl_archive_writer *writer, const void *bytes, size_t length) {
    errno = 0;
    if (length > 0 && fwrite(bytes, 1, length, writer->output.stream) != length) {
        return encl_output_fail(writer->output.path, "write", errno != 0 ? errno : EIO);
    }
    writer->at += length;
    return ENCL_OK;
}

// ---- Members ----------------------------------------------------------------------------------------------

encl_status encl_archive_create(const char *path, encl_archive_writer **writer) {
    encl_status status = ENCL_OK;
    encl_archive_writer *made = NULL;
    *writer = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *made, (void **)&made));
    ENCL_TRY(encl_output_open(path, &made->output));
    *writer = made;
    made = NULL;
cleanup:
    encl_archive_writer_close(made);
    return status;
}

// Writes the checksum of the last member, which is known at its end, into its header.
static encl_status end_member(encl_archive_writer *writer) {
    const written_member *last = writer->count > 0 ? &writer->members[writer->count - 1] : NULL;
    FILE *stream = writer->output.stream;
    uint8_t crc[4];
    record r = {crc};
    if (last == NULL) {
        return ENCL_OK;
    }
    put(&r, last->crc, 4);
    uint8_t sizes[16];
    r.at = sizes;
    put(&r, last->size, 8);
    put(&r, last->size, 8);
    const uint64_t sizes_place = last->place + LOCAL_BYTES + strlen(last->name) + 4;
    errno = 0;
    if (fseeko(stream, (off_t)(last->place + CRC_PLACE), SEEK_SET) != 0 ||
        fwrite(crc, 1, sizeof crc, stream) != sizeof crc || fseeko(stream, (off_t)sizes_place, SEEK_SET) != 0 ||
        fwrite(sizes, 1, sizeof sizes, stream) != sizeof sizes || fseeko(stream, 0, SEEK_END) != 0) {
        return encl_output_fail(writer->output.path, "write", errno != 0 ? errno : EIO);
    }
    return ENCL_OK;
}

// The header of a member whose bytes begin at the next page, with its checksum and sizes still to be written.
static encl_status write_header(encl_archive_writer *writer, const char *name) {
    uint8_t header[LOCAL_BYTES + MOST_NAME + LOCAL_SIZES + PADDING_HEAD + ENCL_ARCHIVE_PAGE] = {0};
    const size_t length = strlen(name);
    const uint64_t least = writer->at + LOCAL_BYTES + length + LOCAL_SIZES + PADDING_HEAD;
    const uint64_t padding = (ENCL_ARCHIVE_PAGE - least % ENCL_ARCHIVE_PAGE) % ENCL_ARCHIVE_PAGE;
    record r = {header};
    put(&r, 0x04034b50, 4);
    put(&r, VERSION, 2);
    put(&r, UTF8_NAMES, 2);
    put(&r, 0, 2); // stored
    put(&r, 0, 2);
    put(&r, FIRST_DAY, 2);
    put(&r, 0, 4); // checksum
    put(&r, in_extra_field, 4);
    put(&r, in_extra_field, 4);
    put(&r, length, 2);
    put(&r, LOCAL_SIZES + PADDING_HEAD + padding, 2);
    memcpy(r.at, name, length);
    r.at += length;
    put(&r, 0x0001, 2); // zip64
    put(&r, LOCAL_SIZES - 4, 2);
    put(&r, 0, 8);
    put(&r, 0, 8);
    put(&r, 0xd935, 2); // padding, as Android's zipalign identifies it
    put(&r, PADDING_HEAD - 4 + padding, 2);
    put(&r, ENCL_ARCHIVE_PAGE, 2);
    return write_bytes(writer, header, (size_t)(r.at - header + (ptrdiff_t)padding));
}

encl_status encl_archive_begin(encl_archive_writer *writer, const char *name) {
    encl_status status = ENCL_OK;
    char *copy = NULL;
    if (name[0] == '\0' || strlen(name) > MOST_NAME) {
        return encl_fail(ENCL_INVALID, "%s: found a name of %zu bytes for a member, expected 1 … %d",
                         writer->output.path, strlen(name), MOST_NAME);
    }
    ENCL_TRY(end_member(writer));
    ENCL_TRY(encl_reserve((void **)&writer->members, &writer->capacity, writer->count + 1, sizeof *writer->members));
    ENCL_TRY(encl_copy_text(name, strlen(name), &copy));
    writer->members[writer->count++] = (written_member){.name = copy, .place = writer->at};
    status = write_header(writer, name);
cleanup:
    return status;
}

encl_status encl_archive_append(encl_archive_writer *writer, const void *bytes, size_t length) {
    if (writer->count == 0) {
        return encl_fail(ENCL_INVALID, "%s: no member was begun", writer->output.path);
    }
    written_member *member = &writer->members[writer->count - 1];
    member->crc = encl_crc32(member->crc, bytes, length);
    member->size += length;
    return write_bytes(writer, bytes, length);
}

uint64_t encl_archive_written(const encl_archive_writer *writer) {
    return writer->at;
}

// ---- The end ----------------------------------------------------------------------------------------------

static encl_status write_row(encl_archive_writer *writer, const written_member *member) {
    uint8_t row[CENTRAL_BYTES + MOST_NAME + CENTRAL_SIZES] = {0};
    const size_t length = strlen(member->name);
    record r = {row};
    put(&r, 0x02014b50, 4);
    put(&r, UNIX << 8 | VERSION, 2);
    put(&r, VERSION, 2);
    put(&r, UTF8_NAMES, 2);
    put(&r, 0, 2); // stored
    put(&r, 0, 2);
    put(&r, FIRST_DAY, 2);
    put(&r, member->crc, 4);
    put(&r, in_extra_field, 4);
    put(&r, in_extra_field, 4);
    put(&r, length, 2);
    put(&r, CENTRAL_SIZES, 2);
    put(&r, 0, 2); // comment
    put(&r, 0, 2); // disk
    put(&r, 0, 2); // internal attributes
    put(&r, regular_file, 4);
    put(&r, in_extra_field, 4);
    memcpy(r.at, member->name, length);
    r.at += length;
    put(&r, 0x0001, 2);
    put(&r, CENTRAL_SIZES - 4, 2);
    put(&r, member->size, 8);
    put(&r, member->size, 8);
    put(&r, member->place, 8);
    return write_bytes(writer, row, (size_t)(r.at - row));
}

static encl_status write_end(encl_archive_writer *writer, uint64_t list) {
    uint8_t end[END64_BYTES + END64_LOCATOR_BYTES + END_BYTES] = {0};
    const uint64_t place = writer->at;
    record r = {end};
    put(&r, 0x06064b50, 4);
    put(&r, END64_BYTES - 12, 8);
    put(&r, UNIX << 8 | VERSION, 2);
    put(&r, VERSION, 2);
    put(&r, 0, 4); // this disk, and the list's
    put(&r, 0, 4);
    put(&r, writer->count, 8);
    put(&r, writer->count, 8);
    put(&r, place - list, 8);
    put(&r, list, 8);
    put(&r, 0x07064b50, 4);
    put(&r, 0, 4);
    put(&r, place, 8);
    put(&r, 1, 4); // disks
    put(&r, 0x06054b50, 4);
    put(&r, 0, 2);
    put(&r, 0, 2);
    put(&r, 0xffff, 2); // members: in the record before
    put(&r, 0xffff, 2);
    put(&r, in_extra_field, 4);
    put(&r, in_extra_field, 4);
    put(&r, 0, 2); // comment
    return write_bytes(writer, end, (size_t)(r.at - end));
}

encl_status encl_archive_commit(encl_archive_writer *writer) {
    encl_status status = ENCL_OK;
    uint64_t list = 0;
    ENCL_TRY(end_member(writer));
    list = writer->at;
    for (size_t i = 0; i < writer->count; i++) {
        ENCL_TRY(write_row(writer, &writer->members[i]));
    }
    ENCL_TRY(write_end(writer, list));
    status = encl_output_commit(&writer->output);
cleanup:
    return status;
}

void encl_archive_writer_close(encl_archive_writer *writer) {
    if (writer == NULL) {
        return;
    }
    encl_output_abandon(&writer->output);
    for (size_t i = 0; i < writer->count; i++) {
        free(writer->members[i].name);
    }
    free(writer->members);
    free(writer);
}
