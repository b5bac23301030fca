#include "host/cli/device_block.h"

#include "runtime/device/details.h"

const char *encl_device_type_name(encl_device_type type) {
    static const char *const names[] = {"cpu", "gpu", "accelerator"};
    return names[type];
}

static const char *text_or_null(const char *text) {
    return text[0] != '\0' ? text : NULL;
}

static void add_count(encl_line *line, const char *key, uint64_t count) {
    encl_line_item(line, key, count > 0 ? cJSON_CreateNumber((double)count) : cJSON_CreateNull());
}

static void add_sizes(encl_line *line, const encl_device_info *info, const encl_device_details *details) {
    encl_line_number(line, "compute_units", info->compute_units);
    encl_line_number(line, "native_float_width", info->native_float_width);
    add_count(line, "clock_mhz", info->clock_mhz);
    encl_line_number(line, "global_mem_bytes", (double)info->global_memory);
    encl_line_number(line, "max_alloc_bytes", (double)info->max_allocation);
    add_count(line, "cache_bytes", details->cache_bytes);
    add_count(line, "cache_line_bytes", details->cache_line_bytes);
    encl_line_number(line, "local_mem_bytes", (double)info->local_memory);
    encl_line_number(line, "max_wg", (double)info->max_group);
    add_count(line, "subgroup_size", details->subgroup_size);
}

static void add_flags(encl_line *line, const encl_device_info *info, const encl_device_details *details) {
    encl_line_bool(line, "unified_memory", info->unified_memory);
    encl_line_bool(line, "subgroups", info->subgroups);
    encl_line_bool(line, "fp16", info->fp16);
    encl_line_bool(line, "fp64", info->fp64);
    encl_line_bool(line, "int_dot", info->int_dot);
    encl_line_bool(line, "command_buffer", details->command_buffer);
    encl_line_bool(line, "software", info->software);
}

static void add_clocks(encl_line *line, const encl_device *device, const encl_device_details *details,
                       bool measure_timer) {
    int64_t step_ns = 0;
    if (measure_timer && encl_device_timer_step(device, &step_ns) != ENCL_OK) {
        step_ns = 0;
    }
    encl_line_number(line, "timer_resolution_ns", (double)encl_device_get_info(device)->timer_resolution_ns);
    add_count(line, "timer_step_ns", (uint64_t)step_ns);
    add_count(line, "host_timer_step_ns", details->host_timer_step_ns);
}

cJSON *encl_device_block(const encl_device *device, bool measure_timer) {
    const encl_device_info *info = encl_device_get_info(device);
    encl_device_details details;
    encl_line line;
    encl_device_read_details(device, &details);
    encl_line_start(&line);
    encl_line_number(&line, "index", info->index);
    encl_line_text(&line, "platform", info->platform);
    encl_line_text(&line, "platform_version", info->platform_version);
    encl_line_text(&line, "name", info->name);
    encl_line_text(&line, "vendor", info->vendor);
    encl_line_number(&line, "vendor_id", info->vendor_id);
    encl_line_text(&line, "type", encl_device_type_name(info->type));
    encl_line_text(&line, "driver", info->driver);
    encl_line_text(&line, "version", text_or_null(details.version));
    encl_line_text(&line, "opencl_c", info->opencl_c);
    add_sizes(&line, info, &details);
    add_flags(&line, info, &details);
    add_clocks(&line, device, &details, measure_timer);
    encl_line_text(&line, "uuid", text_or_null(details.uuid));
    encl_line_text(&line, "pci", text_or_null(details.pci));
    return encl_line_take(&line);
}

// ---- Peaks ------------------------------------------------------------------------------------------------

static cJSON *bandwidth_block(const encl_peak_bandwidth *bandwidth) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "bytes", (double)bandwidth->bytes);
    encl_line_measured(&line, "read_gbs", bandwidth->read_gbs);
    encl_line_measured(&line, "write_gbs", bandwidth->write_gbs);
    encl_line_measured(&line, "copy_gbs", bandwidth->copy_gbs);
    return encl_line_take(&line);
}

cJSON *encl_peaks_block(const encl_peaks *peaks) {
    if (peaks == NULL) {
        return cJSON_CreateNull();
    }
    encl_line line;
    encl_line_start(&line);
    encl_line_measured(&line, "fp32_gflops", peaks->fp32_gflops);
    encl_line_measured(&line, "fp16_gflops", peaks->fp16_gflops);
    encl_line_measured(&line, "bf16_gflops", peaks->bf16_gflops);
    encl_line_measured(&line, "int8_gops", peaks->int8_gops);
    encl_line_measured(&line, "memory_gbs", peaks->memory_gbs);
    encl_line_measured(&line, "upload_gbs", peaks->upload_gbs);
    encl_line_measured(&line, "download_gbs", peaks->download_gbs);
    encl_line_measured(&line, "launch_us", peaks->launch_us);
    encl_line_measured(&line, "enqueue_us", peaks->enqueue_us);
    encl_line_measured(&line, "finish_us", peaks->finish_us);
    encl_line_number(&line, "measured_at", (double)peaks->measured_at);
    cJSON *sizes = encl_line_array(&line, "bandwidth");
    for (size_t i = 0; i < peaks->bandwidth_count && i < ENCL_PEAK_SIZES; i++) {
        encl_line_add(&line, sizes, bandwidth_block(&peaks->bandwidth[i]));
    }
    return encl_line_take(&line);
}
