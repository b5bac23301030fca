// Choosing devices by the words of a user.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/device/device.h"

// The process's devices, best first, and which of them are chosen.
typedef struct selection {
    const encl_device *const *listed;
    size_t count;
    const encl_device **ranked;
    const encl_device **chosen;
    size_t chosen_count;
} selection;

// What `auto` looks at, in this order; the smaller value comes first.
static int type_rank(const encl_device_info *info) {
    switch (info->type) {
    case ENCL_DEVICE_GPU:
        return 0;
    case ENCL_DEVICE_ACCELERATOR:
        return 1;
    default:
        return 2;
    }
}

static uint64_t lanes(const encl_device_info *info) {
    return (uint64_t)info->compute_units * info->native_float_width;
}

static bool is_better(const encl_device *a, const encl_device *b) {
    if (type_rank(&a->info) != type_rank(&b->info)) {
        return type_rank(&a->info) < type_rank(&b->info);
    }
    if (a->info.software != b->info.software) {
        return b->info.software;
    }
    if (lanes(&a->info) != lanes(&b->info)) {
        return lanes(&a->info) > lanes(&b->info);
    }
    return a->info.index < b->info.index;
}

static void rank(selection *choice) {
    for (size_t i = 0; i < choice->count; i++) {
        size_t at = i;
        for (; at > 0 && is_better(choice->listed[i], choice->ranked[at - 1]); at--) {
            choice->ranked[at] = choice->ranked[at - 1];
        }
        choice->ranked[at] = choice->listed[i];
    }
}

// One item of the comma list: `text` without blanks around it.
typedef struct term {
    const char *text;
    size_t length;
} term;

static bool is_word(term item, const char *word) {
    return item.length == strlen(word) && strncasecmp(item.text, word, item.length) == 0;
}

static bool contains(const char *name, term item) {
    size_t length = strlen(name);
    for (size_t i = 0; i + item.length <= length; i++) {
        if (strncasecmp(name + i, item.text, item.length) == 0) {
            return true;
        }
    }
    return false;
}

// An index in the list; false for what is none, so that "4090" can be part of a name.
static bool is_index(term item, size_t count, size_t *index) {
    size_t value = 0;
    for (size_t i = 0; i < item.length; i++) {
        if (!isdigit((unsigned char)item.text[i])) {
            return false;
        }
        value = value * 10 + (size_t)(item.text[i] - '0');
        if (value >= count) {
            return false;
        }
    }
    *index = value;
    return true;
}

static bool matches(const encl_device_info *info, term item) {
    static const struct {
        const char *word;
        encl_device_type type;
    } types[] = {
        {"cpu", ENCL_DEVICE_CPU},
        {"gpu", ENCL_DEVICE_GPU},
        {"accelerator", ENCL_DEVICE_ACCELERATOR},
    };
    if (is_word(item, "all") || is_word(item, "auto")) {
        return true;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (is_word(item, types[i].word)) {
            return info->type == types[i].type;
        }
    }
    return contains(info->name, item) || contains(info->platform, item);
}

static void choose(selection *choice, const encl_device *device) {
    for (size_t i = 0; i < choice->chosen_count; i++) {
        if (choice->chosen[i] == device) {
            return;
        }
    }
    choice->chosen[choice->chosen_count++] = device;
}

// "found …, expected …" needs the list of what there is: 0 = Portable Computing Language: pthread-…
static encl_status fail_unmatched(const selection *choice, term item) {
    encl_string there = {0};
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < choice->count; i++) {
        const encl_device_info *info = &choice->listed[i]->info;
        ENCL_TRY(encl_string_format(&there, "%s%d = %s: %s%s", i == 0 ? "" : "; ", (int)info->index, info->platform,
                                    info->name, info->available ? "" : " (not available)"));
    }
    status = encl_fail(ENCL_NOT_FOUND,
                       "device '%.*s' matches nothing; expected auto, all, cpu, gpu, accelerator, an index or part of "
                       "a name among: %s",
                       (int)item.length, item.text, there.text);

cleanup:
    encl_string_free(&there);
    return status;
}

// An index names its device even where that is not available (opening it says why); everything else means devices
// that can be used.
static encl_status choose_term(selection *choice, term item) {
    size_t index = 0;
    bool found = false;
    if (item.length == 0) {
        return encl_fail(ENCL_INVALID, "device specification has an empty item, expected e.g. 'auto', 'gpu' or '0,1'");
    }
    if (is_index(item, choice->count, &index)) {
        choose(choice, choice->listed[index]);
        return ENCL_OK;
    }
    for (size_t i = 0; i < choice->count; i++) {
        const encl_device *device = choice->ranked[i];
        if (device->info.available && matches(&device->info, item)) {
            choose(choice, device);
            found = true;
            if (is_word(item, "auto")) {
                break;
            }
        }
    }
    return found ? ENCL_OK : fail_unmatched(choice, item);
}

static encl_status choose_all(selection *choice, const char *specification) {
    const char *at = specification;
    for (;;) {
        size_t length = strcspn(at, ",");
        term item = {at, length};
        while (item.length > 0 && isspace((unsigned char)item.text[0])) {
            item.text++;
            item.length--;
        }
        while (item.length > 0 && isspace((unsigned char)item.text[item.length - 1])) {
            item.length--;
        }
        encl_status status = choose_term(choice, item);
        if (status != ENCL_OK || at[length] == '\0') {
            return status;
        }
        at += length + 1;
    }
}

encl_status encl_device_select(const char *specification, const encl_device **devices, size_t capacity, size_t *count) {
    encl_status status = ENCL_OK;
    selection choice = {0};
    void *ranked = NULL;
    void *chosen = NULL;
    *count = 0;
    for (size_t i = 0; i < capacity; i++) {
        devices[i] = NULL;
    }
    ENCL_TRY(encl_devices(&choice.listed, &choice.count));
    ENCL_TRY(encl_allocate(choice.count, sizeof(encl_device *), &ranked));
    ENCL_TRY(encl_allocate(choice.count, sizeof(encl_device *), &chosen));
    choice.ranked = ranked;
    choice.chosen = chosen;
    rank(&choice);
    ENCL_TRY(choose_all(&choice, specification != NULL ? specification : "auto"));
    for (size_t i = 0; i < choice.chosen_count && i < capacity; i++) {
        devices[i] = choice.chosen[i];
    }
    *count = choice.chosen_count;

cleanup:
    free(ranked);
    free(chosen);
    return status;
}
