// What to tell someone whose machine shows no device.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/device/discovery.h"

// Looks for a render node that is there and may not be opened. *node is its path, NULL if there is none.
static encl_status closed_render_node(const char *folder, char **node) {
    encl_status status = ENCL_OK;
    const struct dirent *entry = NULL;
    *node = NULL;
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        return ENCL_OK;
    }
    while (*node == NULL && (entry = readdir(entries)) != NULL) {
        char *path = NULL;
        if (strncmp(entry->d_name, "renderD", strlen("renderD")) != 0) {
            continue;
        }
        ENCL_TRY(encl_path_join(folder, entry->d_name, &path));
        if (access(path, R_OK | W_OK) != 0 && errno == EACCES) {
            *node = path;
        } else {
            free(path);
        }
    }

cleanup:
    closedir(entries);
    return status;
}

encl_status encl_device_advice(const char *folder, encl_string *advice) {
    encl_status status = ENCL_OK;
    char *node = NULL;
    ENCL_TRY(encl_string_format(advice,
                                "A driver's package brings one: pocl-opencl-icd (any CPU), intel-opencl-icd (Intel "
                                "GPUs), mesa-opencl-icd (AMD GPUs), nvidia-opencl-icd (NVIDIA GPUs)"));
    ENCL_TRY(closed_render_node(folder, &node));
    if (node != NULL) {
        ENCL_TRY(encl_string_format(advice,
                                    ". There is a GPU, but this user may not open %s: join the groups render and "
                                    "video (usermod -a -G render,video USER) and log in again",
                                    node));
    }

cleanup:
    free(node);
    return status;
}
