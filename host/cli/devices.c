// encl devices: what OpenCL devices there are.
#include <stdlib.h>

#include "host/cli/device_block.h"
#include "host/cli/options.h"
#include "host/cli/output.h"

static encl_status print_line(const encl_device *device) {
    cJSON *block = encl_device_block(device, false);
    encl_line line = {.object = block, .incomplete = block == NULL};
    if (block != NULL) {
        // The names these three had before the block was written for more than this command.
        encl_line_number(&line, "global_mem", (double)encl_device_get_info(device)->global_memory);
        encl_line_number(&line, "local_mem", (double)encl_device_get_info(device)->local_memory);
        encl_line_number(&line, "max_alloc", (double)encl_device_get_info(device)->max_allocation);
        encl_line_text(&line, "healthy", NULL);
    }
    return encl_line_print(&line, stdout);
}

enum { FEATURES_TEXT = 64 };

static const char *features_text(const encl_device_info *info, char text[FEATURES_TEXT]) {
    const struct {
        bool has;
        const char *name;
    } features[] = {{info->subgroups, "sub-groups"},
                    {info->fp16, "fp16"},
                    {info->fp64, "fp64"},
                    {info->int_dot, "int-dot"},
                    {!info->available, "(unavailable)"}};
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        if (features[i].has) {
            used += (size_t)snprintf(text + used, FEATURES_TEXT - used, "%s%s", used > 0 ? " " : "", features[i].name);
        }
    }
    return text;
}

static encl_status add_row(encl_table *table, const encl_device_info *info) {
    encl_status status = ENCL_OK;
    char memory[ENCL_BYTES_TEXT];
    char features[FEATURES_TEXT];
    ENCL_TRY(encl_table_cell(table, "%d", info->index));
    ENCL_TRY(encl_table_cell(table, "%s%s", encl_device_type_name(info->type), info->software ? " (software)" : ""));
    ENCL_TRY(encl_table_cell(table, "%s", info->name));
    ENCL_TRY(encl_table_cell(table, "%s", info->platform));
    ENCL_TRY(encl_table_cell(table, "%u", info->compute_units));
    ENCL_TRY(encl_table_cell(table, "%s", encl_bytes_text(info->global_memory, memory)));
    ENCL_TRY(encl_table_cell(table, "%s", info->opencl_c));
    ENCL_TRY(encl_table_cell(table, "%s", features_text(info, features)));
cleanup:
    return status;
}

static encl_status run(encl_call *call) {
    static const char *const headings[] = {">#", "type", "name", "platform", ">units", ">memory", "language", "has"};
    encl_status status = ENCL_OK;
    const char *specification = call->globals->device != NULL ? call->globals->device : "all";
    void *memory = NULL;
    const encl_device **chosen = NULL;
    const encl_device *const *all = NULL;
    size_t capacity = 0;
    size_t count = 0;
    encl_table *table = NULL;
    ENCL_TRY(encl_devices(&all, &capacity));
    ENCL_TRY(encl_allocate(capacity, sizeof *chosen, &memory));
    chosen = memory;
    ENCL_TRY(encl_device_select(specification, chosen, capacity, &count));
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    for (size_t i = 0; i < count; i++) {
        const encl_device_info *info = encl_device_get_info(chosen[i]);
        ENCL_TRY(call->globals->json ? print_line(chosen[i]) : add_row(table, info));
    }
    if (!call->globals->json) {
        ENCL_TRY(encl_table_print(table, stdout));
    }
cleanup:
    encl_table_destroy(table);
    free(memory);
    return status;
}

const encl_command encl_command_devices = {
    .name = "devices",
    .summary = "List the OpenCL devices",
    .arguments = "",
    .text = "List the OpenCL devices, or those that --device chooses.\v"
            "Example:\n  encl devices --device gpu --json",
    .run = run,
};
