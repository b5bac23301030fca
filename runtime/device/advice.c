// What to tell someone whose machine shows no device.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/file.h"
#include "runtime/device/discovery.h"

// The numbers that Linux gives render nodes.
enum { FIRST_RENDER_NODE = 128, LAST_RENDER_NODE = 191 };

bool encl_device_file_opens(const char *path) {
    FILE *stream = fopen(path, "r+b");
    if (stream == NULL) {
        return errno != EACCES && errno != EPERM;
    }
    fclose(stream);
    return true;
}

// Looks for a render node that is there and may not be opened. *node is its path, NULL if there is none.
static encl_status closed_render_node(const char *folder, char **node) {
    *node = NULL;
    for (int number = FIRST_RENDER_NODE; number <= LAST_RENDER_NODE; number++) {
        char name[16];
        char *path = NULL;
        snprintf(name, sizeof name, "renderD%d", number);
        encl_status status = encl_path_join(folder, name, &path);
        if (status != ENCL_OK) {
            return status;
        }
        if (encl_path_exists(path) && !encl_device_file_opens(path)) {
            *node = path;
            return ENCL_OK;
        }
        free(path);
    }
    return ENCL_OK;
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
