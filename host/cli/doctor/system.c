// What `encl doctor` looks at before any device: the machine, the OpenCL loader and its drivers, device files, memory
// and the cache. Drivers are loaded in children only.
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/cli/doctor/doctor.h"
#include "runtime/base/thread.h"
#include "runtime/base/version.h"
#include "runtime/device/installation.h"

static encl_status add(encl_doctor *doctor, const char *name, encl_health verdict, const char *detail,
                       const char *hint) {
    const encl_finding finding = encl_finding_of(name, ENCL_DOCTOR_SYSTEM, verdict, detail, hint);
    return encl_doctor_add(doctor, &finding);
}

// ---- The machine ------------------------------------------------------------------------------------------

// The bytes of a line such as "MemAvailable:   123 kB"; 0 where there is none.
static uint64_t memory_of(const char *key) {
    char *text = NULL;
    size_t length = 0;
    uint64_t bytes = 0;
    if (encl_file_read("/proc/meminfo", 1 << 16, &text, &length) != ENCL_OK) {
        return 0;
    }
    const char *line = strstr(text, key);
    if (line != NULL) {
        bytes = strtoull(line + strlen(key), NULL, 10) * 1024;
    }
    free(text);
    return bytes;
}

// PRETTY_NAME of /etc/os-release, without its quotes.
static void read_distribution(char *name, size_t size) {
    static const char key[] = "PRETTY_NAME=";
    char *text = NULL;
    size_t length = 0;
    snprintf(name, size, "unknown distribution");
    if (encl_file_read("/etc/os-release", 1 << 16, &text, &length) != ENCL_OK) {
        return;
    }
    const char *value = strstr(text, key);
    if (value != NULL) {
        value += strlen(key);
        value += *value == '"' ? 1 : 0;
        snprintf(name, size, "%.*s", (int)strcspn(value, "\"\n"), value);
        encl_utf8_make_printable(name, strlen(name));
    }
    free(text);
}

static encl_status look_at_machine(encl_doctor *doctor) {
    encl_status status = ENCL_OK;
    struct utsname kernel;
    char distribution[128];
    char total[ENCL_BYTES_TEXT];
    char available[ENCL_BYTES_TEXT];
    encl_string detail = {0};
    encl_line line;
    if (uname(&kernel) != 0) {
        memset(&kernel, 0, sizeof kernel);
    }
    read_distribution(distribution, sizeof distribution);
    const uint64_t memory = memory_of("MemTotal:");
    const uint64_t left = memory_of("MemAvailable:");
    encl_line_start(&line);
    encl_line_text(&line, "encl", encl_version());
    encl_line_text(&line, "commit", encl_commit());
    encl_line_text(&line, "compiler", encl_compiler());
    encl_line_text(&line, "build_flags", encl_build_flags());
    encl_line_text(&line, "kernel", kernel.release);
    encl_line_text(&line, "machine", kernel.machine);
    encl_line_text(&line, "distribution", distribution);
    encl_line_number(&line, "processors", (double)encl_machine_threads());
    encl_line_number(&line, "memory_bytes", (double)memory);
    encl_line_number(&line, "memory_available_bytes", (double)left);
    doctor->system = encl_line_take(&line);
    if (doctor->system == NULL) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate the report");
    }
    ENCL_TRY(encl_string_format(&detail, "%s, %s %s %s, %zu processors, %s of memory, %s available", distribution,
                                kernel.sysname, kernel.release, kernel.machine, encl_machine_threads(),
                                encl_bytes_text(memory, total), encl_bytes_text(left, available)));
    const bool scarce = left < (uint64_t)512 << 20;
    ENCL_TRY(add(doctor, "machine", scarce ? ENCL_HEALTH_WARNING : ENCL_HEALTH_PASS, detail.text,
                 scarce ? "little memory is left: a base model takes 400 MiB; end other programs" : NULL));
cleanup:
    encl_string_free(&detail);
    return status;
}

static encl_status look_at_loader(encl_doctor *doctor) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    encl_string detail = {0};
    ENCL_TRY(encl_loaded_library("libOpenCL", &path));
    ENCL_TRY(add(doctor, "loader", ENCL_HEALTH_PASS, path != NULL ? path : "of unknown path", NULL));
    const char *layers = getenv("OPENCL_LAYERS");
    if (layers != NULL && layers[0] != '\0') {
        encl_string_free(&detail);
        ENCL_TRY(encl_string_format(&detail, "OPENCL_LAYERS=%s: every OpenCL call goes through it", layers));
        ENCL_TRY(add(doctor, "layers", ENCL_HEALTH_NOTE, detail.text, "unset OPENCL_LAYERS to check the driver alone"));
    }
    const char *kernels = getenv("ENCL_KERNEL_DIR");
    if (kernels != NULL && kernels[0] != '\0') {
        encl_string_free(&detail);
        ENCL_TRY(encl_string_format(&detail, "ENCL_KERNEL_DIR=%s: kernels are not those of this build", kernels));
        ENCL_TRY(add(doctor, "kernels", ENCL_HEALTH_NOTE, detail.text, "unset ENCL_KERNEL_DIR to check this build's"));
    }
cleanup:
    encl_string_free(&detail);
    free(path);
    return status;
}

// "/usr/lib/…/libclblast.so.1.5.3" is the only place that says CLBlast's version.
static encl_status look_at_clblast(encl_doctor *doctor) {
    static const char beginning[] = "libclblast.so.";
    char *path = NULL;
    encl_status status = encl_loaded_library("libclblast", &path);
    const char *name = path != NULL ? strstr(path, beginning) : NULL;
    if (status == ENCL_OK && name != NULL) {
        status = encl_doctor_known_clblast(doctor, name + strlen(beginning));
    } else if (status == ENCL_OK) {
        status = add(doctor, "clblast", ENCL_HEALTH_PASS, "of unknown version", NULL);
    }
    free(path);
    return status;
}

// ---- Drivers ----------------------------------------------------------------------------------------------

static encl_status take_line(void *context, cJSON *line) {
    const encl_status status = encl_doctor_take(context, cJSON_DetachItemFromObjectCaseSensitive(line, "finding"));
    cJSON_Delete(line);
    return status;
}

// A driver in a child of its own. *crashes: no process that lists the devices would survive it.
static encl_status look_at_driver(encl_doctor *doctor, const encl_driver *driver, bool *crashes) {
    encl_status status = ENCL_OK;
    encl_string task = {0};
    encl_string name = {0};
    encl_doctor_child_end end;
    char *detail = NULL;
    *crashes = false;
    ENCL_TRY(encl_string_format(&name, "driver %s", driver->name));
    if (driver->library == NULL) {
        ENCL_TRY(add(doctor, name.text, ENCL_HEALTH_FAIL, driver->fault != NULL ? driver->fault : "unreadable",
                     "the first line of an .icd file is the driver's library: install its package again, or remove the "
                     "file"));
        goto cleanup;
    }
    ENCL_TRY(encl_string_format(&task, "driver:%s:%s", driver->name, driver->library));
    ENCL_TRY(encl_doctor_child_run(doctor, task.text, NULL, take_line, doctor, &end));
    if (!end.over || end.signal != 0 || end.timed_out) {
        *crashes = !end.over;
        ENCL_TRY(encl_doctor_child_end_text(&end, doctor->settings->timeout_s, &detail));
        encl_finding finding = encl_finding_of(name.text, ENCL_DOCTOR_SYSTEM, ENCL_HEALTH_FAIL, detail,
                                               "every program that uses OpenCL ends so: update or remove the package "
                                               "that this .icd file belongs to, or set "
                                               "OCL_ICD_VENDORS to a folder of .icd files without it");
        finding.essential = *crashes;
        ENCL_TRY(encl_doctor_add(doctor, &finding));
    }
cleanup:
    free(detail);
    encl_string_free(&name);
    encl_string_free(&task);
    return status;
}

// A folder with the .icd files of the drivers that did not crash.
static encl_status make_folder(encl_doctor *doctor, const encl_drivers *drivers, const bool *crashes) {
    encl_status status = ENCL_OK;
    const char *place = getenv("TMPDIR");
    encl_string folder = {0};
    char *path = NULL;
    ENCL_TRY(encl_string_format(&folder, "%s/encl-doctor-XXXXXX", place != NULL && place[0] == '/' ? place : "/tmp"));
    if (mkdtemp(folder.text) == NULL) {
        status = encl_fail(ENCL_IO, "%s: cannot make a folder", folder.text);
        goto cleanup;
    }
    doctor->vendors = folder.text;
    for (size_t i = 0; i < drivers->count; i++) {
        const encl_driver *driver = &drivers->rows[i];
        if (crashes[i] || driver->library == NULL) {
            continue;
        }
        const char *name = strrchr(driver->name, '/');
        ENCL_TRY(encl_path_join(folder.text, name != NULL ? name + 1 : driver->name, &path));
        ENCL_TRY(encl_file_write(path, driver->library, strlen(driver->library)));
        free(path);
        path = NULL;
    }
cleanup:
    free(path);
    if (doctor->vendors == NULL) {
        encl_string_free(&folder);
    }
    return status;
}

static encl_status look_at_drivers(encl_doctor *doctor) {
    encl_status status = ENCL_OK;
    encl_drivers drivers = {0};
    encl_string detail = {0};
    encl_string hint = {0};
    bool *crashes = NULL;
    bool any = false;
    ENCL_TRY(encl_drivers_list(&drivers));
    if (drivers.fault != NULL) {
        if (drivers.variable != NULL) {
            ENCL_TRY(encl_string_format(&hint, "%s names no driver: unset it, or set it to a folder of .icd files",
                                        drivers.variable));
        } else {
            ENCL_TRY(encl_string_format(
                &hint, "install a driver: pocl-opencl-icd (any CPU), intel-opencl-icd (Intel GPUs), mesa-opencl-icd or "
                       "rocm-opencl-icd (AMD GPUs), nvidia-opencl-icd (NVIDIA GPUs)"));
        }
        ENCL_TRY(add(doctor, "drivers", ENCL_HEALTH_FAIL, drivers.fault, hint.text));
        goto cleanup;
    }
    ENCL_TRY(encl_string_format(&detail, "%s%s%s: %zu", drivers.variable != NULL ? drivers.variable : "",
                                drivers.variable != NULL ? "=" : "", drivers.place, drivers.count));
    ENCL_TRY(add(doctor, "drivers", ENCL_HEALTH_PASS, detail.text, NULL));
    ENCL_TRY(encl_allocate(drivers.count, sizeof *crashes, (void **)&crashes));
    for (size_t i = 0; i < drivers.count; i++) {
        ENCL_TRY(look_at_driver(doctor, &drivers.rows[i], &crashes[i]));
        any = any || crashes[i];
    }
    if (any) {
        ENCL_TRY(make_folder(doctor, &drivers, crashes));
    }
cleanup:
    free(crashes);
    encl_string_free(&detail);
    encl_string_free(&hint);
    encl_drivers_free(&drivers);
    return status;
}

// ---- Device files -----------------------------------------------------------------------------------------

static encl_status look_at_device_files(encl_doctor *doctor) {
    enum { MOST = 64 };
    encl_status status = ENCL_OK;
    encl_device_file *files = NULL;
    encl_string detail = {0};
    encl_string hint = {0};
    ENCL_TRY(encl_allocate(MOST, sizeof *files, (void **)&files));
    const size_t count = encl_device_files("", files, MOST);
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        if (files[i].opens) {
            ENCL_TRY(encl_string_list(&detail, files[i].path));
            open++;
            continue;
        }
        encl_string_free(&hint);
        ENCL_TRY(encl_string_format(
            &hint,
            "join the group that owns it: sudo usermod -a -G %s \"$USER\", then log in again (in a container: hand "
            "in the file with --device and add the group)",
            files[i].group));
        encl_string closed = {0};
        ENCL_TRY(encl_string_format(&closed, "this user may not open it; %s need it", files[i].what));
        status = add(doctor, files[i].path, ENCL_HEALTH_WARNING, closed.text, hint.text);
        encl_string_free(&closed);
        ENCL_TRY(status);
    }
    if (count == 0) {
        ENCL_TRY(
            add(doctor, "device files", ENCL_HEALTH_NOTE, "none of a GPU in /dev",
                "where there is a GPU, its kernel module is not loaded, or this container was not given its files"));
    } else if (open > 0) {
        ENCL_TRY(add(doctor, "device files", ENCL_HEALTH_PASS, detail.text, NULL));
    }
cleanup:
    free(files);
    encl_string_free(&detail);
    encl_string_free(&hint);
    return status;
}

// ---- The cache --------------------------------------------------------------------------------------------

// Bytes of the files in the cache's folder and the folders in it.
static void add_sizes(const char *folder, int depth, uint64_t *bytes, size_t *files) {
    DIR *list = opendir(folder);
    for (const struct dirent *entry = list != NULL ? readdir(list) : NULL; entry != NULL; entry = readdir(list)) {
        struct stat state;
        char *path = NULL;
        if (entry->d_name[0] == '.' || encl_path_join(folder, entry->d_name, &path) != ENCL_OK) {
            continue;
        }
        if (lstat(path, &state) == 0 && S_ISREG(state.st_mode)) {
            *bytes += (uint64_t)state.st_size;
            (*files)++;
        } else if (depth > 0 && encl_path_is_folder(path)) {
            add_sizes(path, depth - 1, bytes, files);
        }
        free(path);
    }
    if (list != NULL) {
        closedir(list);
    }
}

static encl_status try_to_write(const char *folder) {
    encl_string path = {0};
    encl_status status = encl_path_make_folder(folder);
    if (status == ENCL_OK) {
        status = encl_string_format(&path, "%s/doctor-%ld", folder, (long)getpid());
    }
    if (status == ENCL_OK) {
        status = encl_file_write(path.text, "encl doctor\n", strlen("encl doctor\n"));
        unlink(path.text);
    }
    encl_string_free(&path);
    return status;
}

static encl_status look_at_cache(encl_doctor *doctor) {
    encl_status status = ENCL_OK;
    char *folder = NULL;
    char size[ENCL_BYTES_TEXT];
    encl_string detail = {0};
    uint64_t bytes = 0;
    size_t files = 0;
    status = encl_path_cache(&folder);
    status = status == ENCL_OK ? try_to_write(folder) : status;
    if (status == ENCL_OUT_OF_MEMORY) {
        goto cleanup;
    }
    if (status != ENCL_OK) {
        ENCL_TRY(encl_string_format(&detail, "%s", encl_status_detail()));
        status = add(doctor, "cache", ENCL_HEALTH_WARNING, detail.text,
                     "kernels are compiled at every start: set ENCL_CACHE_DIR to a folder that can be written");
        goto cleanup;
    }
    add_sizes(folder, 1, &bytes, &files);
    ENCL_TRY(
        encl_string_format(&detail, "%s can be written; %zu files, %s", folder, files, encl_bytes_text(bytes, size)));
    ENCL_TRY(add(doctor, "cache", ENCL_HEALTH_PASS, detail.text, NULL));
cleanup:
    encl_string_free(&detail);
    free(folder);
    return status;
}

encl_status encl_doctor_system(encl_doctor *doctor) {
    encl_status status = ENCL_OK;
    ENCL_TRY(look_at_machine(doctor));
    ENCL_TRY(look_at_loader(doctor));
    ENCL_TRY(look_at_clblast(doctor));
    ENCL_TRY(look_at_drivers(doctor));
    ENCL_TRY(look_at_device_files(doctor));
    ENCL_TRY(look_at_cache(doctor));
cleanup:
    return status;
}
