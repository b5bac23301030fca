// The files in /dev through which drivers reach devices.
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "runtime/device/discovery.h"
#include "runtime/device/installation.h"

typedef struct file_kind {
    const char *path;
    int first, last; // numbers that follow the path; −1: none does
    const char *what;
} file_kind;

static const file_kind kinds[] = {
    {"/dev/dri/renderD", 128, 191, "Intel, AMD and Mali GPUs"},
    {"/dev/kfd", -1, -1, "AMD's ROCm"},
    {"/dev/nvidiactl", -1, -1, "NVIDIA GPUs"},
    {"/dev/nvidia", 0, 15, "NVIDIA GPUs"},
    {"/dev/nvidia-uvm", -1, -1, "NVIDIA GPUs"},
    {"/dev/mali", 0, 3, "Mali GPUs, Arm's driver"},
    {"/dev/kgsl-3d", 0, 1, "Adreno GPUs"},
};

static bool read_file(const char *root, const file_kind *kind, int number, encl_device_file *file) {
    struct stat state;
    struct group group;
    struct group *found = NULL;
    char names[1024];
    char digits[16] = "";
    *file = (encl_device_file){.what = kind->what};
    if (number >= 0) {
        snprintf(digits, sizeof digits, "%d", number);
    }
    const int length = snprintf(file->path, sizeof file->path, "%s%s%s", root, kind->path, digits);
    if (length < 0 || (size_t)length >= sizeof file->path || stat(file->path, &state) != 0) {
        return false;
    }
    if (getgrgid_r(state.st_gid, &group, names, sizeof names, &found) == 0 && found != NULL) {
        snprintf(file->group, sizeof file->group, "%s", group.gr_name);
    } else {
        snprintf(file->group, sizeof file->group, "%u", (unsigned)state.st_gid);
    }
    file->opens = encl_device_file_opens(file->path);
    return true;
}

size_t encl_device_files(const char *root, encl_device_file *files, size_t capacity) {
    size_t count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int number = kinds[i].first; number <= kinds[i].last && count < capacity; number++) {
            count += read_file(root, &kinds[i], number, &files[count]) ? 1 : 0;
        }
    }
    return count;
}
