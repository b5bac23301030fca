// Writes a zip (APPNOTE.TXT, PKWARE) that archive.h reads and whose members are used where they lie: none is
// compressed, and each begins on a page of the file. Sizes and places are written in 64 bits (zip64) throughout, times
// are none: equal members give equal files.
#ifndef ENCL_BASE_ARCHIVE_WRITE_H
#define ENCL_BASE_ARCHIVE_WRITE_H

#include <stdint.h>

#include "runtime/base/status.h"

enum { ENCL_ARCHIVE_PAGE = 4096 };

typedef struct encl_archive_writer encl_archive_writer;

// The file gets its name when everything is written (encl_archive_commit). The caller closes.
encl_status encl_archive_create(const char *path, encl_archive_writer **writer);
// Begins the next member, which ends where another begins. Names are relative, with '/' between folders, each once.
encl_status encl_archive_begin(encl_archive_writer *writer, const char *name);
encl_status encl_archive_append(encl_archive_writer *writer, const void *bytes, size_t length);
// Bytes of the file so far; once it is committed, of all of it.
uint64_t encl_archive_written(const encl_archive_writer *writer);
// Writes the list of members and gives the file its name.
encl_status encl_archive_commit(encl_archive_writer *writer);
// Frees; what was not committed leaves nothing behind. NULL is allowed.
void encl_archive_writer_close(encl_archive_writer *writer);

#endif
