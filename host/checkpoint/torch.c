// PyTorch weights (torch.save). Since 1.6 a zip whose members lie in one folder of any name:
//
//   archive/data.pkl    a pickle of the state dict
//   archive/data/KEY    the bytes of a storage
//   archive/byteorder   "little" or "big"; files from before it have none and are little-endian
//
// and others that do not matter here. The form before it is in torch_legacy.c.
#include "host/checkpoint/torch.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/archive.h"

static const char pickle_name[] = "data.pkl";

// ---- Zip ------------------------------------------------------------------------------------------------------

// Length of the folder part, with its slash, of a member that is "folder/data.pkl"; 0 for others.
static size_t folder_length(const char *name) {
    const char *slash = strchr(name, '/');
    return slash != NULL && slash > name && strcmp(slash + 1, pickle_name) == 0 ? (size_t)(slash + 1 - name) : 0;
}

// The folder's name with its slash. Caller frees *folder.
static encl_status find_folder(const encl_torch *torch, const encl_archive *archive, char **folder) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < encl_archive_count(archive) && status == ENCL_OK; i++) {
        const char *name = encl_archive_name(archive, i);
        const size_t length = folder_length(name);
        if (length > 0 && *folder != NULL) {
            return encl_fail(ENCL_FORMAT, "%s: found '%s%s' and '%s', expected one", torch->place, *folder, pickle_name,
                             name);
        }
        if (length > 0) {
            status = encl_copy_text(name, length, folder);
        }
    }
    if (status == ENCL_OK && *folder == NULL) {
        status = encl_fail(ENCL_FORMAT, "%s: found a zip without FOLDER/%s, expected one that torch.save wrote",
                           torch->place, pickle_name);
    }
    return status;
}

// Member folder + name + key; -1: none.
static encl_status find_member(const encl_archive *archive, const char *folder, const char *name, const char *key,
                               int64_t *index) {
    encl_string path = {0};
    encl_status status = encl_string_format(&path, "%s%s%s", folder, name, key);
    if (status == ENCL_OK) {
        *index = encl_archive_find(archive, path.text);
    }
    encl_string_free(&path);
    return status;
}

static encl_status check_byte_order(const encl_torch *torch, const encl_archive *archive, const char *folder) {
    encl_status status = ENCL_OK;
    encl_file order = {0};
    int64_t index = -1;
    ENCL_TRY(find_member(archive, folder, "byteorder", "", &index));
    if (index < 0) {
        goto cleanup;
    }
    ENCL_TRY(encl_archive_map(archive, (size_t)index, &order));
    if (order.size == strlen("big") && memcmp(order.data, "big", order.size) == 0) {
        ENCL_TRY(encl_fail(ENCL_UNSUPPORTED, "%s/%sbyteorder: found big-endian numbers, expected little-endian ones",
                           torch->place, folder));
    }
    if (order.size != strlen("little") || memcmp(order.data, "little", order.size) != 0) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s/%sbyteorder: found neither 'little' nor 'big'", torch->place, folder));
    }
cleanup:
    encl_file_unmap(&order);
    return status;
}

static encl_status place_storage(encl_torch *torch, const encl_archive *archive, const char *folder,
                                 encl_torch_storage *storage) {
    encl_status status = ENCL_OK;
    char *key = NULL;
    encl_file member = {0};
    int64_t index = -1;
    ENCL_TRY(encl_pickle_copy_name(torch->pickle_place, storage->key, &key));
    ENCL_TRY(find_member(archive, folder, "data/", key, &index));
    if (index < 0) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found no %sdata/%s, which holds a tensor's storage", torch->place, folder,
                           key));
    }
    // Before it is mapped: what is deflated is inflated there.
    if (encl_archive_size(archive, (size_t)index) != storage->bytes) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s/%sdata/%s: found %llu bytes, its %lld elements of %s need %zu",
                           torch->place, folder, key, (unsigned long long)encl_archive_size(archive, (size_t)index),
                           (long long)storage->elements, encl_dtype_name(storage->dtype), storage->bytes));
    }
    ENCL_TRY(encl_archive_map(archive, (size_t)index, &member));
    storage->data = member.data;
    storage->source = encl_archive_is_stored(archive, (size_t)index) ? torch->file : NULL;
    ENCL_TRY(encl_checkpoint_keep(torch->checkpoint, &member));
cleanup:
    encl_file_unmap(&member);
    free(key);
    return status;
}

static encl_status read_zip(encl_torch *torch) {
    encl_status status = ENCL_OK;
    encl_archive *archive = NULL;
    char *folder = NULL;
    encl_string place = {0};
    encl_file data = {0};
    int64_t index = -1;
    ENCL_TRY(encl_archive_open(torch->file, torch->place, &archive));
    ENCL_TRY(find_folder(torch, archive, &folder));
    ENCL_TRY(check_byte_order(torch, archive, folder));
    ENCL_TRY(encl_string_format(&place, "%s/%s%s", torch->place, folder, pickle_name));
    torch->pickle_place = place.text;
    ENCL_TRY(find_member(archive, folder, pickle_name, "", &index));
    ENCL_TRY(encl_archive_map(archive, (size_t)index, &data));
    ENCL_TRY(encl_pickle_read(&encl_torch_rules, torch->pickle_place, data.data, data.size, 0, &torch->pickle));
    if (torch->pickle->end != data.size) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found %zu bytes after the pickle, expected its end", torch->pickle_place,
                           data.size - torch->pickle->end));
    }
    ENCL_TRY(encl_torch_collect_storages(torch));
    for (size_t i = 0; i < torch->storage_count; i++) {
        ENCL_TRY(place_storage(torch, archive, folder, &torch->storages[i]));
    }
    status = encl_torch_add_tensors(torch);
cleanup:
    encl_file_unmap(&data); // the pickle's values point into it, and are used no more
    free(folder);
    encl_archive_close(archive);
    return status;
}

// ---- Forms ----------------------------------------------------------------------------------------------------

// The form before 2017: a tar.
static bool is_tar(const encl_file *file) {
    enum { USTAR_OFFSET = 257 };
    static const char ustar[] = {'u', 's', 't', 'a', 'r'};
    return file->size >= USTAR_OFFSET + sizeof ustar && memcmp(file->data + USTAR_OFFSET, ustar, sizeof ustar) == 0;
}

bool encl_torch_detect(const char *name, const encl_file *file) {
    (void)name;
    return encl_archive_detect(file) || encl_torch_legacy_detect(file) || is_tar(file);
}

encl_status encl_torch_read(encl_checkpoint *checkpoint, const char *place, const encl_file *file) {
    encl_torch torch = {.checkpoint = checkpoint, .place = place, .file = file};
    encl_status status;
    if (encl_archive_detect(file)) {
        status = read_zip(&torch);
    } else if (encl_torch_legacy_detect(file)) {
        status = encl_torch_legacy_read(&torch);
    } else if (is_tar(file)) {
        status = encl_fail(ENCL_UNSUPPORTED,
                           "%s: found PyTorch's tar form from before 2017, expected a later one: load "
                           "it with PyTorch and save it again",
                           place);
    } else {
        status = encl_fail(ENCL_FORMAT, "%s: found neither a zip nor a pickle, expected what torch.save writes", place);
    }
    free(torch.storages);
    free(torch.pickle_place);
    encl_pickle_free(torch.pickle);
    return status;
}

encl_status encl_torch_open(encl_checkpoint *checkpoint, const char *name) {
    return encl_checkpoint_read(checkpoint, name, encl_torch_read);
}

bool encl_torch_shards_detect(const char *name, const encl_file *file) {
    (void)file;
    return encl_text_ends(name, ".bin.index.json");
}

encl_status encl_torch_shards_open(encl_checkpoint *checkpoint, const char *name) {
    return encl_shards_open(checkpoint, name, encl_torch_open);
}
