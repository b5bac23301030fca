// Writing files: everything goes to a temporary file beside the target, which is renamed when it is complete.
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/output.h"

encl_status encl_output_fail(const char *path, const char *action, int error) {
    return encl_fail(error == ENOMEM ? ENCL_OUT_OF_MEMORY : ENCL_IO, "%s: cannot %s: %s", path, action,
                     strerror(error));
}

// The file that is to be replaced: what a link points to, not the link. Devices and folders are no targets
// (renaming over /dev/null as root would replace it).
static encl_status resolve_target(const char *path, char **target) {
    struct stat state;
    *target = NULL;
    if (path == NULL || path[0] == '\0') {
        return encl_fail(ENCL_INVALID, "no path: found an empty name, expected the name of a file to write");
    }
    if (stat(path, &state) != 0) {
        return encl_copy_text(path, strlen(path), target);
    }
    if (!S_ISREG(state.st_mode)) {
        return encl_fail(ENCL_IO, "%s: found a %s, expected a regular file or a new name", path,
                         S_ISDIR(state.st_mode) ? "folder" : "device or pipe");
    }
    *target = realpath(path, NULL);
    return *target != NULL ? ENCL_OK : encl_output_fail(path, "resolve", errno);
}

// Makes a new file in the target's folder, with the permissions that the user's umask gives new files
// (mkstemp would make it private). The name does not grow with the target's, which may be as long as is allowed.
static encl_status create_beside(const char *target, char **temporary, int *descriptor) {
    static _Atomic unsigned serial;
    encl_status status = ENCL_OK;
    char *folder = NULL;
    encl_string name = {0};

    ENCL_TRY(encl_path_folder(target, &folder));
    int error = EEXIST;
    for (int attempt = 0; attempt < 100 && error == EEXIST; attempt++) {
        encl_string_free(&name);
        ENCL_TRY(encl_string_format(&name, "%s%s.encl-%ld-%llx-%u.tmp", folder, strcmp(folder, "/") == 0 ? "" : "/",
                                    (long)getpid(), (unsigned long long)encl_clock_ns(), atomic_fetch_add(&serial, 1)));
        *descriptor = open(name.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        error = *descriptor >= 0 ? 0 : errno;
    }
    if (error != 0) {
        status = encl_output_fail(target, "create a temporary file beside it", error);
        goto cleanup;
    }
    *temporary = name.text;
    name = (encl_string){0};

cleanup:
    encl_string_free(&name);
    free(folder);
    return status;
}

encl_status encl_output_open(const char *path, encl_output *output) {
    encl_status status = ENCL_OK;
    encl_output fresh = {0};
    int descriptor = -1;

    *output = (encl_output){0};
    ENCL_TRY(resolve_target(path, &fresh.path));
    ENCL_TRY(create_beside(fresh.path, &fresh.temporary, &descriptor));
    fresh.stream = fdopen(descriptor, "w");
    if (fresh.stream == NULL) {
        status = encl_output_fail(path, "open", errno);
        goto cleanup;
    }
    descriptor = -1; // the stream's now
    *output = fresh;
    fresh = (encl_output){0};

cleanup:
    if (descriptor >= 0) {
        close(descriptor);
    }
    encl_output_abandon(&fresh);
    return status;
}

void encl_output_sync_folder(const char *folder) {
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
}

// The rename itself must reach the disk, too.
static void sync_parent(const char *path) {
    char *folder = NULL;
    if (encl_path_folder(path, &folder) == ENCL_OK) {
        encl_output_sync_folder(folder);
        free(folder);
    }
}

encl_status encl_output_commit(encl_output *output) {
    encl_status status = ENCL_OK;
    FILE *stream = output->stream;

    if (stream == NULL) {
        return encl_fail(ENCL_INVALID, "no output file is open");
    }
    if (ferror(stream) != 0 || fflush(stream) != 0 || fsync(fileno(stream)) != 0) {
        status = encl_output_fail(output->path, "write", errno != 0 ? errno : EIO);
        goto cleanup;
    }
    output->stream = NULL;
    if (fclose(stream) != 0) {
        status = encl_output_fail(output->path, "write", errno);
        goto cleanup;
    }
    if (rename(output->temporary, output->path) != 0) {
        status = encl_output_fail(output->path, "rename the finished file to this name", errno);
        goto cleanup;
    }
    free(output->temporary);
    output->temporary = NULL;
    sync_parent(output->path);

cleanup:
    encl_output_abandon(output); // closes and removes what is left
    return status;
}

void encl_output_abandon(encl_output *output) {
    if (output->stream != NULL) {
        fclose(output->stream);
    }
    if (output->temporary != NULL) {
        unlink(output->temporary);
    }
    free(output->temporary);
    free(output->path);
    *output = (encl_output){0};
}

encl_status encl_file_write(const char *path, const void *bytes, size_t length) {
    encl_status status = ENCL_OK;
    encl_output output = {0};

    ENCL_TRY(encl_output_open(path, &output));
    if (length > 0 && fwrite(bytes, 1, length, output.stream) != length) {
        status = encl_output_fail(path, "write", errno);
        goto cleanup;
    }
    status = encl_output_commit(&output);

cleanup:
    encl_output_abandon(&output);
    return status;
}
