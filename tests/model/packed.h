// Packed models for tests.
#ifndef ENCL_TEST_PACKED_H
#define ENCL_TEST_PACKED_H

#include "checkpoint/scratch.h"
#include "host/encl_model.h"
#include "runtime/base/archive.h"

// One to pack for; skips the test where there is none.
static inline const encl_device *packed_device(void) {
    const encl_device *const *devices = NULL;
    size_t count = 0;
    const encl_status status = encl_devices(&devices, &count);
    for (size_t i = 0; i < count; i++) {
        if (encl_test_usable(devices[i]) && !encl_device_get_info(devices[i])->software) {
            return devices[i];
        }
    }
    print_message("skipped: %s\n", status != ENCL_OK ? encl_status_detail() : "only software rasterizers");
    skip();
    return NULL;
}

// Packs a fixture as model.encl in the scratch folder.
static inline encl_pack_report packed_write(encl_scratch *scratch, const char *fixture, const encl_device *device) {
    encl_pack_report report;
    char path[128];
    encl_model *model = NULL;
    snprintf(path, sizeof path, "tests/fixtures/%s", fixture);
    assert_ok(encl_model_open(path, &model));
    assert_ok(encl_model_pack(model, device, NULL, scratch_path(scratch, "model.encl"), NULL, &report));
    encl_model_close(model);
    return report;
}

// Unpacks the model of the scratch folder into `folder` in it, which is a model too.
static inline void packed_unpack(encl_scratch *scratch) {
    encl_file file;
    encl_archive *archive = NULL;
    assert_ok(encl_file_map(scratch_path(scratch, "model.encl"), &file));
    assert_ok(encl_archive_open(&file, "model.encl", &archive));
    for (size_t i = 0; i < encl_archive_count(archive); i++) {
        char name[256];
        encl_file member;
        assert_ok(encl_archive_map(archive, i, &member));
        snprintf(name, sizeof name, "folder/%s", encl_archive_name(archive, i));
        for (char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            mkdir(scratch_path(scratch, name), 0700); // may be there already
            *slash = '/';
        }
        scratch_write(scratch, name, member.data, member.size);
        encl_file_unmap(&member);
    }
    encl_archive_close(archive);
    encl_file_unmap(&file);
}

#endif
