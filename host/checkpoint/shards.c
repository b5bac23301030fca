// Sharded checkpoints: model.safetensors.index.json = {metadata, weight_map: {tensor name: file name}}, and the same
// for PyTorch. Index and shards must agree on every tensor: a shard from another model would otherwise go unnoticed.
#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/format.h"
#include "runtime/base/json.h"

enum { INDEX_LIMIT = 64 << 20 };

// A line of the weight map; both texts belong to the JSON.
typedef struct place {
    const char *tensor;
    const char *file;
} place;

bool encl_safetensors_shards_detect(const char *name, const encl_file *file) {
    (void)file;
    return encl_text_ends(name, ".safetensors.index.json");
}

// A name of a file beside the index: nothing that leads elsewhere.
static bool is_plain_name(const char *name) {
    return name[0] != '\0' && strchr(name, '/') == NULL && strchr(name, '\\') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static int compare_places(const void *a, const void *b) {
    const place *left = a;
    const place *right = b;
    const int order = strcmp(left->file, right->file);
    return order != 0 ? order : strcmp(left->tensor, right->tensor);
}

// The weight map sorted by file, then by tensor. Caller frees *places.
static encl_status read_weight_map(const char *path, const cJSON *index, place **places, size_t *count) {
    encl_status status = ENCL_OK;
    place *read = NULL;
    size_t found = 0;
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(index, "weight_map");
    if (!cJSON_IsObject(map) || map->child == NULL) {
        return encl_fail(ENCL_FORMAT, "%s: weight_map: found no tensors, expected an object of file names", path);
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, map) {
        found++;
    }
    ENCL_TRY(encl_allocate(found, sizeof *read, (void **)&read));
    found = 0;
    cJSON_ArrayForEach(item, map) {
        if (!cJSON_IsString(item) || !is_plain_name(item->valuestring)) {
            ENCL_TRY(encl_fail(ENCL_FORMAT,
                               "%s: weight_map: '%s': found '%s', expected the name of a file in the same folder", path,
                               item->string, cJSON_IsString(item) ? item->valuestring : "no string"));
        }
        read[found++] = (place){item->string, item->valuestring};
    }
    qsort(read, found, sizeof *read, compare_places);
    *places = read;
    *count = found;
    read = NULL;
cleanup:
    free(read);
    return status;
}

// Compares the tensors of one shard, [first, count) by name, with those that the index has for it.
static encl_status compare_with_index(const encl_checkpoint *checkpoint, const char *path, size_t first,
                                      const place *places, size_t count) {
    const size_t found = checkpoint->count - first;
    for (size_t i = 0; i < found || i < count; i++) {
        const char *stored = i < found ? checkpoint->tensors[first + i].name : NULL;
        const char *listed = i < count ? places[i].tensor : NULL;
        const int order = stored == NULL ? 1 : listed == NULL ? -1 : strcmp(stored, listed);
        if (order > 0) {
            return encl_fail(ENCL_FORMAT, "%s: '%s' has no tensor '%s', which weight_map expects there", path,
                             places[0].file, listed);
        }
        if (order < 0) {
            return encl_fail(ENCL_FORMAT, "%s: '%s' has a tensor '%s' that weight_map does not expect there", path,
                             places[0].file, stored);
        }
    }
    return ENCL_OK;
}

static encl_status open_shard(encl_checkpoint *checkpoint, encl_open_function *open, const char *path,
                              const char *folder, const place *places, size_t count) {
    encl_status status = ENCL_OK;
    char *shard = NULL;
    const size_t first = checkpoint->count;
    ENCL_TRY(encl_path_join(folder, places[0].file, &shard));
    status = open(checkpoint, shard);
    if (status != ENCL_OK) {
        ENCL_TRY(encl_fail_context(status, "%s", path));
    }
    encl_checkpoint_sort(checkpoint, first);
    status = compare_with_index(checkpoint, path, first, places, count);
cleanup:
    free(shard);
    return status;
}

encl_status encl_shards_open(encl_checkpoint *checkpoint, const char *name, encl_open_function *open) {
    encl_status status = ENCL_OK;
    cJSON *index = NULL;
    place *places = NULL;
    char *path = NULL;
    char *folder = NULL;
    size_t count = 0;
    ENCL_TRY(encl_checkpoint_place(checkpoint, name, &path));
    ENCL_TRY(encl_folder_read_json(checkpoint->folder, name, INDEX_LIMIT, &index));
    ENCL_TRY(read_weight_map(path, index, &places, &count));
    ENCL_TRY(strchr(name, '/') == NULL ? encl_copy_text("", 0, &folder) : encl_path_folder(name, &folder));
    for (size_t first = 0, end = 0; first < count; first = end) {
        while (end < count && strcmp(places[end].file, places[first].file) == 0) {
            end++;
        }
        ENCL_TRY(open_shard(checkpoint, open, path, folder, places + first, end - first));
    }
cleanup:
    free(folder);
    free(path);
    free(places);
    cJSON_Delete(index);
    return status;
}

encl_status encl_safetensors_shards_open(encl_checkpoint *checkpoint, const char *name) {
    return encl_shards_open(checkpoint, name, encl_safetensors_open);
}
