// TensorFlow checkpoints (format V2, a "tensor bundle"): P.index is a table of names and places (leveldb.h, bundle.h),
// P.data-00000-of-00001 … are the bytes. Tensors are used where they lie; those of a partitioned variable, and only
// they, are put together in memory.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/bundle.h"

static const char index_ending[] = ".index";

enum { STATE_LIMIT = 1 << 16 };

// ---- Finding ----------------------------------------------------------------------------------------------

// Length of P in "P.data-00000-of-00001"; 0 for other names.
static size_t data_prefix_length(const char *name) {
    static const char pattern[] = ".data-#####-of-#####";
    const size_t ending = strlen(pattern);
    const size_t length = strlen(name);
    if (length <= ending) {
        return 0;
    }
    for (size_t i = 0; i < ending; i++) {
        const char found = name[length - ending + i];
        if (pattern[i] == '#' ? found < '0' || found > '9' : found != pattern[i]) {
            return 0;
        }
    }
    return length - ending;
}

bool encl_tensorflow_detect(const char *name, const encl_file *file) {
    return data_prefix_length(name) > 0 || (encl_text_ends(name, index_ending) && encl_leveldb_detect(file));
}

// The first `model_checkpoint_path: "…"` of the text file "checkpoint", where that is a plain name: training writes
// paths of its own machine too. *name stays NULL where there is none.
static encl_status read_state(const encl_folder *folder, char **name) {
    static const char field[] = "model_checkpoint_path:";
    encl_status status = ENCL_OK;
    char *text = NULL;
    size_t length = 0;
    if (!encl_folder_has(folder, "checkpoint")) {
        return ENCL_OK;
    }
    status = encl_folder_read(folder, "checkpoint", STATE_LIMIT, &text, &length);
    if (status == ENCL_IO || status == ENCL_FORMAT) { // a folder, or something large, of another program's
        return ENCL_OK;
    }
    const char *line = status == ENCL_OK && strlen(text) == length ? text : NULL;
    while (line != NULL && !encl_text_begins(line, field)) {
        line = strchr(line, '\n');
        line += line != NULL;
    }
    const char *begin = line == NULL ? NULL : line + strlen(field) + strspn(line + strlen(field), " ");
    if (begin != NULL && begin[0] == '"') {
        const size_t name_length = strcspn(++begin, "\"\\/\n");
        if (begin[name_length] == '"' && name_length > 0 && begin[0] != '.') {
            status = encl_copy_text(begin, name_length, name);
        }
    }
    free(text);
    return status;
}

// The only file that ends in ".index"; *file stays NULL where there is none.
static encl_status find_only_index(const encl_folder *folder, char **file) {
    char **names = NULL;
    size_t count = 0;
    const char *found = NULL;
    encl_status status = encl_folder_list(folder, &names, &count);
    for (size_t i = 0; i < count && status == ENCL_OK; i++) {
        if (!encl_text_ends(names[i], index_ending)) {
            continue;
        }
        if (found != NULL) {
            status = encl_fail(ENCL_FORMAT, "%s: found the checkpoints %s and %s, expected one; name it",
                               encl_folder_path(folder), found, names[i]);
        }
        found = names[i];
    }
    if (status == ENCL_OK && found != NULL) {
        status = encl_copy_text(found, strlen(found), file);
    }
    encl_folder_free_names(names, count);
    return status;
}

encl_status encl_tensorflow_find(const encl_folder *folder, char **file) {
    static const char usual[] = "bert_model.ckpt.index";
    char *prefix = NULL;
    encl_string name = {0};
    *file = NULL;
    encl_status status = read_state(folder, &prefix);
    if (status == ENCL_OK && prefix != NULL) {
        status = encl_string_format(&name, "%s%s", prefix, index_ending);
        if (status == ENCL_OK && encl_folder_has(folder, name.text)) {
            *file = name.text;
            name = (encl_string){0};
        }
    }
    if (status == ENCL_OK && *file == NULL) {
        status =
            encl_folder_has(folder, usual) ? encl_copy_text(usual, strlen(usual), file) : find_only_index(folder, file);
    }
    encl_string_free(&name);
    free(prefix);
    return status;
}

// ---- Reading the index ------------------------------------------------------------------------------------

static encl_status add_entry(void *context, const encl_leveldb_entry *entry) {
    encl_bundle *bundle = context;
    if (entry->key_length == 0) {
        return encl_bundle_read_header(entry, bundle->place, &bundle->shards);
    }
    encl_status status =
        encl_reserve((void **)&bundle->entries, &bundle->capacity, bundle->count + 1, sizeof *bundle->entries);
    if (status != ENCL_OK) {
        return status;
    }
    return encl_bundle_read_entry(entry, bundle->place, &bundle->entries[bundle->count++]);
}

static void free_bundle(encl_bundle *bundle) {
    for (size_t i = 0; i < bundle->count; i++) {
        encl_bundle_free_entry(&bundle->entries[i]);
    }
    free(bundle->entries);
    free(bundle->prefix);
}

// ---- Finding the bytes ------------------------------------------------------------------------------------

static int compare_places(const void *a, const void *b) {
    const encl_bundle_entry *left = *(encl_bundle_entry *const *)a;
    const encl_bundle_entry *right = *(encl_bundle_entry *const *)b;
    if (left->shard != right->shard) {
        return left->shard < right->shard ? -1 : 1;
    }
    if (left->offset != right->offset) {
        return left->offset < right->offset ? -1 : 1;
    }
    return (left->bytes > right->bytes) - (left->bytes < right->bytes);
}

static encl_status map_shard(encl_checkpoint *checkpoint, const encl_bundle *bundle, int32_t shard,
                             const encl_file **file) {
    encl_string name = {0};
    encl_status status = encl_string_format(&name, "%s.data-%05d-of-%05d", bundle->prefix, shard, bundle->shards);
    if (status == ENCL_OK) {
        status = encl_checkpoint_map(checkpoint, name.text, file);
    }
    encl_string_free(&name);
    return status;
}

static encl_status fail_entry(const encl_bundle *bundle, const encl_bundle_entry *entry, const char *found,
                              uint64_t limit) {
    const int skipped = encl_bundle_is_slice(entry);
    return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found %zu bytes at %llu of data file %d, %s %llu", bundle->place,
                     (const char *)entry->key + skipped, entry->bytes, (unsigned long long)entry->offset, entry->shard,
                     found, (unsigned long long)limit);
}

// Maps the shards that hold something. Entries lie in their shard, and no two share bytes.
static encl_status place_entries(encl_checkpoint *checkpoint, const encl_bundle *bundle, encl_bundle_entry **sorted,
                                 size_t count) {
    const encl_file *file = NULL;
    uint64_t end = 0;
    qsort((void *)sorted, count, sizeof *sorted, compare_places);
    for (size_t i = 0; i < count; i++) {
        encl_bundle_entry *entry = sorted[i];
        if (entry->shard >= bundle->shards) {
            return fail_entry(bundle, entry, "the number of data files is", (uint64_t)bundle->shards);
        }
        if (i == 0 || entry->shard != sorted[i - 1]->shard) {
            encl_status status = map_shard(checkpoint, bundle, entry->shard, &file);
            if (status != ENCL_OK) {
                return status;
            }
            end = 0;
        }
        if (entry->offset > file->size || entry->bytes > file->size - entry->offset) {
            return fail_entry(bundle, entry, "whose size is", file->size);
        }
        if (entry->offset < end && entry->bytes > 0) {
            return fail_entry(bundle, entry, "overlap: another tensor ends at", end);
        }
        end = entry->offset + entry->bytes > end ? entry->offset + entry->bytes : end;
        entry->file = file;
    }
    return ENCL_OK;
}

static encl_status find_bytes(encl_checkpoint *checkpoint, const encl_bundle *bundle) {
    encl_bundle_entry **sorted = NULL;
    size_t count = 0;
    encl_status status = encl_allocate(bundle->count, sizeof *sorted, (void **)&sorted);
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t i = 0; i < bundle->count; i++) {
        if (bundle->entries[i].slice_count == 0) {
            sorted[count++] = &bundle->entries[i];
        }
    }
    if (count > 0) {
        status = place_entries(checkpoint, bundle, sorted, count);
    }
    free((void *)sorted);
    return status;
}

// ---- Tensors ----------------------------------------------------------------------------------------------

static encl_status verify(const encl_tensor *tensor) {
    return encl_bundle_verify(tensor->name, tensor->data, tensor->bytes, tensor->checksum);
}

static encl_status add_tensor(encl_checkpoint *checkpoint, const encl_bundle *bundle, const encl_bundle_entry *entry) {
    encl_tensor tensor = {.name = (const char *)entry->key,
                          .dtype = entry->dtype,
                          .dimensions = entry->dimensions,
                          .elements = entry->elements,
                          .bytes = entry->bytes};
    memcpy(tensor.shape, entry->shape, sizeof tensor.shape);
    encl_tensor_set_dense(&tensor);
    if (entry->slice_count > 0) {
        uint8_t *data = NULL;
        encl_status status = encl_bundle_assemble(checkpoint, bundle, entry, &data);
        if (status != ENCL_OK) {
            return status;
        }
        tensor.data = data;
    } else {
        tensor.data = entry->file->data + entry->offset;
        tensor.source = entry->file;
        tensor.verify = verify;
        tensor.checksum = entry->checksum;
    }
    return encl_checkpoint_add(checkpoint, &tensor);
}

// The index of the checkpoint that `name`, an index or a data file, belongs to; also P. Caller frees both.
static encl_status name_files(const char *name, char **index, char **prefix) {
    encl_string text = {0};
    const size_t data = data_prefix_length(name);
    const size_t length = data > 0 ? data : strlen(name) - strlen(index_ending);
    encl_status status = encl_copy_text(name, length, prefix);
    if (status == ENCL_OK) {
        status = encl_string_format(&text, "%s%s", *prefix, index_ending);
    }
    *index = text.text;
    return status;
}

encl_status encl_tensorflow_open(encl_checkpoint *checkpoint, const char *name) {
    encl_status status = ENCL_OK;
    encl_bundle bundle = {0};
    const encl_file *file = NULL;
    char *index = NULL;
    char *place = NULL;
    ENCL_TRY(name_files(name, &index, &bundle.prefix));
    ENCL_TRY(encl_checkpoint_place(checkpoint, index, &place));
    ENCL_TRY(encl_checkpoint_map(checkpoint, index, &file));
    bundle.place = place;
    ENCL_TRY(encl_leveldb_walk(file, place, add_entry, &bundle));
    if (bundle.shards == 0) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found no header, expected one of a TensorFlow checkpoint", place));
    }
    ENCL_TRY(find_bytes(checkpoint, &bundle));
    for (size_t i = 0; i < bundle.count; i++) {
        const encl_bundle_entry *entry = &bundle.entries[i];
        if (!entry->is_text && !encl_bundle_is_slice(entry)) {
            ENCL_TRY(add_tensor(checkpoint, &bundle, entry));
        }
    }
cleanup:
    free_bundle(&bundle);
    free(place);
    free(index);
    return status;
}
