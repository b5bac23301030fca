// Files in a zip (APPNOTE.TXT, PKWARE), read by libzip. What is stored is used where it lies; what is deflated is
// inflated when it is mapped. Sizes are checked against the file before memory is taken, names before they are used:
// relative, without "..", backslashes and control characters, none twice. May be shared by threads.
#ifndef ENCL_BASE_ARCHIVE_H
#define ENCL_BASE_ARCHIVE_H

#include "runtime/base/file.h"

typedef struct encl_archive encl_archive;

// Whether the file begins as a zip does: with a member.
bool encl_archive_detect(const encl_file *file);
// `file` must outlive the archive, and the files mapped from it, at the same address; `place` names it in messages.
// FORMAT for what is no zip or not a sound one.
encl_status encl_archive_open(const encl_file *file, const char *place, encl_archive **archive);
void encl_archive_close(encl_archive *archive); // NULL is allowed

// Members are sorted by name (bytewise). A name that ends in '/' is a folder's.
size_t encl_archive_count(const encl_archive *archive);
const char *encl_archive_name(const encl_archive *archive, size_t index); // lives as long as the archive
int64_t encl_archive_find(const encl_archive *archive, const char *name); // -1: none
// The first member whose name is not less than `name`; count where there is none.
size_t encl_archive_lower_bound(const encl_archive *archive, const char *name);
bool encl_archive_is_stored(const encl_archive *archive, size_t index); // neither compressed nor encrypted
uint64_t encl_archive_size(const encl_archive *archive, size_t index);  // as the archive says: checked when mapped

// A stored member: a view of the archive's file, whose checksum is not compared. A deflated one: memory that
// encl_file_unmap frees, its checksum compared. UNSUPPORTED for other compressions and encryption. A mapped file may
// outlive the archive, not the archive's file.
encl_status encl_archive_map(const encl_archive *archive, size_t index, encl_file *file);
// Reads the member and compares its checksum: FORMAT where it differs.
encl_status encl_archive_verify(const encl_archive *archive, size_t index);
uint64_t encl_archive_inflated_bytes(const encl_archive *archive); // by encl_archive_map so far

#endif
