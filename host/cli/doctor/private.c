// What must not be in something that is attached to a public report.
#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/doctor/doctor.h"

enum { NAME_LENGTH = 256, UUID_LENGTH = 36 };

// Names that say who or where; "" where there is none to hide.
typedef struct names {
    char home[NAME_LENGTH];  // from the environment
    char house[NAME_LENGTH]; // from the list of users, where that differs
    char user[NAME_LENGTH];
    char login[NAME_LENGTH];
    char host[NAME_LENGTH];
} names;

// Names that a system comes with say nothing of anyone, and stand in versions and paths.
static bool is_common(const char *name) {
    static const char *const common[] = {"",       "/",      "root",   "user", "admin",  "localhost", "linux",
                                         "debian", "ubuntu", "fedora", "arch", "gentoo", "nobody",    "lib"};
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        if (strcmp(name, common[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void take_name(char target[NAME_LENGTH], const char *name) {
    if (name != NULL && strlen(name) < NAME_LENGTH && !is_common(name)) {
        snprintf(target, NAME_LENGTH, "%s", name);
    }
}

static void know_names(names *known) {
    char memory[4096];
    char host[NAME_LENGTH] = "";
    struct passwd user;
    struct passwd *found = NULL;
    *known = (names){0};
    take_name(known->home, getenv("HOME"));
    take_name(known->user, getenv("USER"));
    if (getpwuid_r(getuid(), &user, memory, sizeof memory, &found) == 0 && found != NULL) {
        take_name(known->house, user.pw_dir);
        take_name(known->login, user.pw_name);
    }
    if (gethostname(host, sizeof host - 1) == 0) {
        take_name(known->host, host);
    }
    for (char *end = known->home + strlen(known->home); end > known->home + 1 && end[-1] == '/'; end--) {
        end[-1] = '\0';
    }
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

// Length of `name` where the text at `at` begins with it as a whole word, else 0. before: what must stand in front of
// it ('/': a part of a path), '\0' anything that is no word.
static size_t match(const char *start, const char *at, const char *name, char before) {
    const size_t length = strlen(name);
    if (length == 0 || strncmp(at, name, length) != 0 || is_word(at[length])) {
        return 0;
    }
    if (before == '\0') {
        return at > start && is_word(at[-1]) ? 0 : length;
    }
    return at > start && at[-1] == before ? length : 0;
}

// 8-4-4-4-12 hexadecimal digits.
static size_t match_uuid(const char *at) {
    for (size_t i = 0; i < UUID_LENGTH; i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? at[i] != '-' : !isxdigit((unsigned char)at[i])) {
            return 0;
        }
    }
    return isxdigit((unsigned char)at[UUID_LENGTH]) ? 0 : UUID_LENGTH;
}

encl_status encl_private_text(const char *text, char **clean) {
    encl_status status = ENCL_OK;
    encl_string result = {0};
    names known;
    *clean = NULL;
    know_names(&known);
    const struct {
        const char *name;
        char before;
        const char *placeholder;
    } rows[] = {{known.home, '\0', "~"},
                {known.house, '\0', "~"},
                {known.user, '/', "USER"},
                {known.login, '/', "USER"},
                {known.host, '\0', "HOST"}};
    ENCL_TRY(encl_string_append(&result, "", 0));
    for (const char *at = text; *at != '\0';) {
        size_t length = match_uuid(at);
        const char *placeholder = "UUID";
        for (size_t i = 0; i < sizeof rows / sizeof rows[0] && length == 0; i++) {
            length = match(text, at, rows[i].name, rows[i].before);
            placeholder = rows[i].placeholder;
        }
        ENCL_TRY(encl_string_append(&result, length > 0 ? placeholder : at, length > 0 ? strlen(placeholder) : 1));
        at += length > 0 ? length : 1;
    }
    *clean = result.text;
    result = (encl_string){0};
cleanup:
    encl_string_free(&result);
    return status;
}

encl_status encl_private_json(cJSON *tree) {
    encl_status status = ENCL_OK;
    char *clean = NULL;
    for (cJSON *item = tree; item != NULL && status == ENCL_OK; item = item->next) {
        if (cJSON_IsString(item)) {
            ENCL_TRY(encl_private_text(item->valuestring, &clean));
            if (strcmp(clean, item->valuestring) != 0 && cJSON_SetValuestring(item, clean) == NULL) {
                status = encl_fail_memory(strlen(clean));
            }
            free(clean);
            clean = NULL;
        } else if (item->child != NULL) {
            status = encl_private_json(item->child);
        }
    }
cleanup:
    free(clean);
    return status;
}

// What decides how OpenCL works. No variable whose value is a model's or a user's.
static const char *const variables[] = {
    "ENCL_CACHE_DIR",
    "ENCL_KERNEL_DIR",
    "ENCL_MAX_ALLOCATION", // encl
    "OCL_ICD_VENDORS",
    "OCL_ICD_FILENAMES",
    "OPENCL_VENDOR_PATH",
    "OCL_ICD_PLATFORM_SORT",
    "OCL_ICD_DEFAULT_PLATFORM",
    "OCL_ICD_ASSUME_ICD_EXTENSION",
    "OPENCL_LAYERS",
    "OPENCL_LAYER_PATH", // loaders
    "POCL_DEVICES",
    "POCL_CACHE_DIR",
    "POCL_KERNEL_CACHE",
    "POCL_WORK_GROUP_METHOD",
    "POCL_MAX_PTHREAD_COUNT",
    "POCL_CPU_MAX_CU_COUNT",
    "POCL_AFFINITY",
    "POCL_MEMORY_LIMIT", // PoCL
    "RUSTICL_ENABLE",
    "RUSTICL_FEATURES",
    "RUSTICL_DEVICE_TYPE",
    "RUSTICL_DEBUG",
    "LP_NUM_THREADS",
    "MESA_SHADER_CACHE_DISABLE",
    "MESA_SHADER_CACHE_DIR", // Mesa
    "CL_CONFIG_CPU_TARGET_ARCH",
    "CL_CONFIG_USE_VECTORIZER",
    "CL_CONFIG_CPU_FORCE_LOCAL_MEM_SIZE",
    "ZE_AFFINITY_MASK",
    "NEOReadDebugKeys", // Intel
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "HSA_OVERRIDE_GFX_VERSION", // AMD
    "CUDA_VISIBLE_DEVICES",
    "CUDA_CACHE_PATH",
    "CUDA_CACHE_DISABLE", // NVIDIA
};

cJSON *encl_private_environment(void) {
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        char *clean = NULL;
        const bool wanted = value != NULL && encl_utf8_valid_prefix(value, strlen(value)) == strlen(value);
        if (wanted && (encl_private_text(value, &clean) != ENCL_OK ||
                       cJSON_AddStringToObject(object, variables[i], clean) == NULL)) {
            free(clean);
            cJSON_Delete(object);
            return NULL;
        }
        free(clean);
    }
    return object;
}
