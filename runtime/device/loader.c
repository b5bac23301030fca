// The OpenCL loader and the drivers that it is told of.
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS // for asking the loader itself, not a platform
#include "runtime/device/cl.h"

#include <CL/cl_ext.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/device/installation.h"

static const char default_folder[] = "/etc/OpenCL/vendors";

// ---- The loader -------------------------------------------------------------------------------------------

typedef struct search {
    const char *beginning;
    char *path;
} search;

static int look_at(struct dl_phdr_info *info, size_t size, void *context) {
    search *wanted = context;
    const char *slash = strrchr(info->dlpi_name, '/');
    (void)size;
    if (!encl_text_begins(slash != NULL ? slash + 1 : info->dlpi_name, wanted->beginning)) {
        return 0;
    }
    wanted->path = realpath(info->dlpi_name, NULL);
    return 1;
}

encl_status encl_loaded_library(const char *beginning, char **path) {
    search wanted = {.beginning = beginning};
    dl_iterate_phdr(look_at, &wanted);
    *path = wanted.path;
    return ENCL_OK;
}

// ocl-icd tells of itself through an extension function.
typedef cl_int(CL_API_CALL *loader_function)(cl_uint name, size_t size, void *value, size_t *size_returned);
enum { LOADER_VERSION = 2, LOADER_NAME = 3 };

encl_status encl_loader_version(char **version) {
    char name[64] = "";
    char number[64] = "";
    encl_string text = {0};
    loader_function ask = NULL;
    void *found = clGetExtensionFunctionAddress("clGetICDLoaderInfoOCLICD");
    memcpy(&ask, &found, sizeof ask); // C has no cast from an object's pointer to a function's
    *version = NULL;
    if (ask == NULL || ask(LOADER_NAME, sizeof name - 1, name, NULL) != CL_SUCCESS ||
        ask(LOADER_VERSION, sizeof number - 1, number, NULL) != CL_SUCCESS) {
        return ENCL_OK;
    }
    const encl_status status = encl_string_format(&text, "%s %s", name, number);
    *version = text.text;
    return status;
}

// ---- Drivers ----------------------------------------------------------------------------------------------

// What a status says becomes text of the list; only lack of memory ends it.
static encl_status note_fault(encl_status failed, char **fault) {
    return failed == ENCL_OUT_OF_MEMORY ? failed
                                        : encl_copy_text(encl_status_detail(), strlen(encl_status_detail()), fault);
}

// The first line, without blanks at its ends.
static encl_status first_line(const char *path, char **line) {
    enum { LIMIT = 1 << 16 };
    char *text = NULL;
    size_t length = 0;
    encl_status status = encl_file_read(path, LIMIT, &text, &length);
    *line = NULL;
    if (status != ENCL_OK) {
        return status;
    }
    const char *start = text + strspn(text, " \t");
    size_t end = strcspn(start, "\r\n");
    while (end > 0 && (start[end - 1] == ' ' || start[end - 1] == '\t')) {
        end--;
    }
    status = end > 0 ? encl_copy_text(start, end, line)
                     : encl_fail(ENCL_FORMAT, "%s: found an empty first line, expected a library's name", path);
    if (*line != NULL) {
        encl_utf8_make_printable(*line, end);
    }
    free(text);
    return status;
}

static encl_status add_driver(encl_drivers *drivers, const char *name, encl_driver **row) {
    void *rows = drivers->rows;
    encl_status status = encl_reserve(&rows, &drivers->capacity, drivers->count + 1, sizeof *drivers->rows);
    drivers->rows = rows;
    if (status != ENCL_OK) {
        return status;
    }
    *row = &drivers->rows[drivers->count];
    **row = (encl_driver){0};
    status = encl_copy_text(name, strlen(name), &(*row)->name);
    drivers->count += status == ENCL_OK ? 1 : 0;
    return status;
}

static encl_status add_file(encl_drivers *drivers, const char *folder, const char *name) {
    encl_status status = ENCL_OK;
    encl_driver *row = NULL;
    char *path = NULL;
    ENCL_TRY(encl_path_join(folder, name, &path));
    ENCL_TRY(add_driver(drivers, name, &row));
    status = first_line(path, &row->library);
    if (status != ENCL_OK) {
        status = note_fault(status, &row->fault);
    }
cleanup:
    free(path);
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const encl_driver *)a)->name, ((const encl_driver *)b)->name);
}

static encl_status list_folder(encl_drivers *drivers) {
    encl_status status = ENCL_OK;
    DIR *folder = opendir(drivers->place);
    if (folder == NULL) {
        encl_fail(ENCL_NOT_FOUND, "%s: cannot list this folder: %s", drivers->place, strerror(errno));
        return note_fault(ENCL_NOT_FOUND, &drivers->fault);
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL && status == ENCL_OK; entry = readdir(folder)) {
        if (encl_text_ends(entry->d_name, ".icd")) {
            status = add_file(drivers, drivers->place, entry->d_name);
        }
    }
    closedir(folder);
    if (drivers->count > 1) {
        qsort(drivers->rows, drivers->count, sizeof *drivers->rows, by_name);
    }
    if (status == ENCL_OK && drivers->count == 0) {
        encl_fail(ENCL_NOT_FOUND, "%s: found no file that ends in .icd", drivers->place);
        status = note_fault(ENCL_NOT_FOUND, &drivers->fault);
    }
    return status;
}

static const char *variable_of(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

// $OCL_ICD_VENDORS may be a folder, an .icd file, or a library (ocl-icd's manual, libOpenCL(7)).
static encl_status list_named(encl_drivers *drivers, const char *named, const char *standard) {
    encl_status status = ENCL_OK;
    encl_driver *row = NULL;
    char *inside = NULL;
    char *folder = NULL;
    if (!encl_text_ends(named, ".icd")) {
        if (encl_path_exists(named) || strchr(named, '/') == NULL) {
            ENCL_TRY(add_driver(drivers, named, &row));
            ENCL_TRY(encl_copy_text(named, strlen(named), &row->library));
        } else {
            encl_fail(ENCL_NOT_FOUND, "%s: no such folder, .icd file or library", named);
            ENCL_TRY(note_fault(ENCL_NOT_FOUND, &drivers->fault));
        }
        goto cleanup;
    }
    ENCL_TRY(encl_path_join(standard, named, &inside));
    const char *file = strchr(named, '/') == NULL && encl_path_exists(inside) ? inside : named;
    if (!encl_path_exists(file)) {
        encl_fail(ENCL_NOT_FOUND, "%s: no such file", named);
        ENCL_TRY(note_fault(ENCL_NOT_FOUND, &drivers->fault));
        goto cleanup;
    }
    ENCL_TRY(encl_path_folder(file, &folder));
    const char *slash = strrchr(file, '/');
    ENCL_TRY(add_file(drivers, folder, slash != NULL ? slash + 1 : file));
cleanup:
    free(inside);
    free(folder);
    return status;
}

encl_status encl_drivers_list(encl_drivers *drivers) {
    encl_status status = ENCL_OK;
    const char *vendors = variable_of("OCL_ICD_VENDORS");
    const char *path = variable_of("OPENCL_VENDOR_PATH");
    const char *standard = path != NULL ? path : default_folder;
    const char *place = vendors != NULL ? vendors : standard;
    const char *variable = vendors != NULL ? "OCL_ICD_VENDORS" : path != NULL ? "OPENCL_VENDOR_PATH" : NULL;
    *drivers = (encl_drivers){0};
    ENCL_TRY(encl_copy_text(place, strlen(place), &drivers->place));
    if (variable != NULL) {
        ENCL_TRY(encl_copy_text(variable, strlen(variable), &drivers->variable));
    }
    if (vendors == NULL || encl_path_is_folder(vendors)) {
        ENCL_TRY(list_folder(drivers));
    } else {
        ENCL_TRY(list_named(drivers, vendors, standard));
    }
cleanup:
    if (status != ENCL_OK) {
        encl_drivers_free(drivers);
    }
    return status;
}

void encl_drivers_free(encl_drivers *drivers) {
    for (size_t i = 0; i < drivers->count; i++) {
        free(drivers->rows[i].name);
        free(drivers->rows[i].library);
        free(drivers->rows[i].fault);
    }
    free(drivers->rows);
    free(drivers->place);
    free(drivers->variable);
    free(drivers->fault);
    *drivers = (encl_drivers){0};
}

typedef void *(CL_API_CALL *address_function)(const char *name);
typedef cl_int(CL_API_CALL *platforms_function)(cl_uint capacity, cl_platform_id *platforms, cl_uint *count);

encl_status encl_driver_try(const char *library, int32_t *platforms) {
    address_function address = NULL;
    platforms_function list = NULL;
    cl_uint count = 0;
    *platforms = 0;
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL); // never closed: drivers do not survive that
    if (handle == NULL) {
        const char *reason = dlerror();
        return encl_fail(ENCL_NOT_FOUND, "cannot load the library: %s", reason != NULL ? reason : library);
    }
    void *found = dlsym(handle, "clGetExtensionFunctionAddress");
    memcpy(&address, &found, sizeof address);
    found = address != NULL ? address("clIcdGetPlatformIDsKHR") : NULL;
    memcpy(&list, &found, sizeof list);
    if (list == NULL) {
        // cppcheck-suppress resourceLeak // never closed, see above
        return encl_fail(ENCL_UNSUPPORTED, "%s: found no clIcdGetPlatformIDsKHR, expected an OpenCL driver", library);
    }
    const cl_int error = list(0, NULL, &count);
    // Intel's driver for GPUs says CL_OUT_OF_HOST_MEMORY where it finds none.
    if (error != CL_SUCCESS && error != CL_PLATFORM_NOT_FOUND_KHR && error != CL_OUT_OF_HOST_MEMORY) {
        // cppcheck-suppress resourceLeak // never closed, see above
        return encl_cl_fail(error, "clIcdGetPlatformIDsKHR");
    }
    *platforms = error == CL_SUCCESS ? (int32_t)count : 0;
    // cppcheck-suppress resourceLeak // never closed, see above
    return ENCL_OK;
}
