// Files and paths. Every message names the path and the operating system's reason.
#ifndef ENCL_BASE_FILE_H
#define ENCL_BASE_FILE_H

#include <stdint.h>

#include "runtime/base/memory.h"

// Read-only bytes: a whole file (mmap, pages are read when touched), a part of one, or memory that stands for a file.
// An empty file gives data != NULL, size 0.
typedef struct encl_file {
    const uint8_t *data;
    size_t size;
    void *mapping;                     // private: what encl_file_unmap gives back; NULL: nothing
    const struct encl_file *container; // private: the file that this is a part of
    bool is_memory;                    // private: not backed by a file, so that dropping would lose its bytes
} encl_file;
encl_status encl_file_map(const char *path, encl_file *file);
// Bytes [offset, offset + size) of a file, which must hold them, outlive the view and stay where its struct is.
void encl_file_view(const encl_file *container, size_t offset, size_t size, encl_file *view);
// Zeroed memory that stands for a file; the caller writes it through *bytes.
encl_status encl_file_allocate(size_t size, encl_file *file, uint8_t **bytes);
void encl_file_unmap(encl_file *file); // a zeroed file is allowed

// Tells the system that [offset, offset+length) will be read soon (ahead) or no more (drop). Hints only.
void encl_file_advise_ahead(const encl_file *file, size_t offset, size_t length);
void encl_file_advise_drop(const encl_file *file, size_t offset, size_t length);

// Reads a whole file of at most `limit` bytes; adds a NUL after the last byte. Caller frees *text.
encl_status encl_file_read(const char *path, size_t limit, char **text, size_t *length);

// Writes a temporary file beside `path`, then renames it: readers see the old bytes or the new, never half.
encl_status encl_file_write(const char *path, const void *bytes, size_t length);

// An output file under a temporary name, for writing in pieces. Commit renames it; abandon removes it.
// One of the two must be called. `stream` is seekable.
typedef struct encl_output {
    void *stream; // FILE *
    char *path;
    char *temporary;
} encl_output;
encl_status encl_output_open(const char *path, encl_output *output);
encl_status encl_output_commit(encl_output *output); // on failure the temporary file is removed too
void encl_output_abandon(encl_output *output);       // a zeroed output is allowed

bool encl_path_exists(const char *path);
bool encl_path_is_folder(const char *path);
// "a" + "b" → "a/b" (no double slash; an absolute name replaces the folder). Caller frees.
encl_status encl_path_join(const char *folder, const char *name, char **path);
// The folder part: "a/b" → "a", "b" → ".". Caller frees.
encl_status encl_path_folder(const char *path, char **folder);
// Makes the folder and its parents (mode 0700 for those it makes).
encl_status encl_path_make_folder(const char *path);
// $ENCL_CACHE_DIR, else $XDG_CACHE_HOME/encl, else $HOME/.cache/encl; not made. NOT_FOUND where none is set.
encl_status encl_path_cache(char **folder);

#endif
