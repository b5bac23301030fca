// What this machine has for OpenCL besides devices: the loader, the drivers it is told of, platforms, device files. For
// finding out why something does not work; encl_devices needs none of it.
#ifndef ENCL_DEVICE_INSTALLATION_H
#define ENCL_DEVICE_INSTALLATION_H

#include <stdint.h>

#include "runtime/base/memory.h"

// ---- The loader -------------------------------------------------------------------------------------------

// A shared library of this process whose file name begins with `beginning`, without links: "/usr/lib/…/libOpenCL.so.1".
// *path is NULL where there is none. Caller frees.
encl_status encl_loaded_library(const char *beginning, char **path);

// "ocl-icd 2.3.1"; NULL where the loader does not say. Loads the drivers, so it may crash as they may. Caller frees.
encl_status encl_loader_version(char **version);

// ---- Drivers ----------------------------------------------------------------------------------------------

// A library that the loader will load.
typedef struct encl_driver {
    char *name;    // of the .icd file: "pocl.icd"; the library's where no file names it
    char *library; // as the file writes it; NULL where it does not
    char *fault;   // what is wrong with the file; NULL: nothing
} encl_driver;

typedef struct encl_drivers {
    char *place;    // the folder or file that the loader reads
    char *variable; // the environment variable that says so; NULL: it is the default
    char *fault;    // what is wrong with the place; NULL: nothing
    encl_driver *rows;
    size_t count;
    size_t capacity; // private
} encl_drivers;

// Reads the .icd files that the loader would read, and loads nothing. Caller frees with encl_drivers_free.
encl_status encl_drivers_list(encl_drivers *drivers);
void encl_drivers_free(encl_drivers *drivers); // a zeroed one is allowed

// Loads a driver's library as the loader does, and asks it for its platforms. NOT_FOUND where the library cannot be
// loaded (with the dynamic linker's reason), UNSUPPORTED where it is no driver, DEVICE where it answers with an error.
// Broken drivers crash here: to be called in a process that may end.
encl_status encl_driver_try(const char *library, int32_t *platforms);

// ---- Platforms --------------------------------------------------------------------------------------------

typedef struct encl_platform {
    char *name;
    char *version; // "OpenCL 3.0 PoCL 3.1 …"
    int32_t devices;
    char *fault; // why its devices cannot be listed; NULL: they can
} encl_platform;

// All platforms, those without devices too, in the loader's order; none is OK. Caller frees with encl_platforms_free.
encl_status encl_platforms_list(encl_platform **platforms, size_t *count);
void encl_platforms_free(encl_platform *platforms, size_t count);

// ---- Device files -----------------------------------------------------------------------------------------

// A file through which a driver reaches its device.
typedef struct encl_device_file {
    char path[256];
    char group[64];   // that owns the file: its name, else its number
    const char *what; // "AMD's ROCm"
    bool opens;       // this process may open it
} encl_device_file;

// Those that are there below `root` ("" for the machine's own); at most `capacity`. Returns how many were written.
size_t encl_device_files(const char *root, encl_device_file *files, size_t capacity);

#endif
