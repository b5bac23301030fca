// The page of a profile: where its numbers come from.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/cli/device_block.h"
#include "host/cli/profile/page.h"
#include "host/cli/provenance.h"

enum { NAME_TEXT = 64 };

// The device that the profile's information belongs to; NULL where there is none.
static const encl_device *find_device(const encl_device_info *info) {
    const encl_device *const *devices = NULL;
    size_t count = 0;
    if (info == NULL || encl_devices(&devices, &count) != ENCL_OK) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (encl_device_get_info(devices[i]) == info) {
            return devices[i];
        }
    }
    return NULL;
}

static cJSON *device_block(const encl_device *device) {
    cJSON *block = device != NULL ? encl_device_block(device, false) : cJSON_CreateNull();
    cJSON_DeleteItemFromObjectCaseSensitive(block, "uuid");
    cJSON_DeleteItemFromObjectCaseSensitive(block, "pci");
    return block;
}

encl_status encl_page_origin(const encl_page *page, cJSON **origin) {
    const encl_profile *profile = page->profile;
    char written[ENCL_TIME_TEXT];
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "schema", "encl.profile/1");
    encl_line_text(&line, "written", encl_time_text(time(NULL), written));
    encl_line_text(&line, "command", profile->command);
    encl_line_item(&line, "encl", encl_build_block());
    encl_line_item(&line, "host", encl_host_block());
    encl_line_item(&line, "device", device_block(find_device(profile->device)));
    encl_line_item(&line, "peaks", encl_peaks_block(profile->peaks_known ? &profile->peaks : NULL));
    *origin = encl_line_take(&line);
    return *origin != NULL ? ENCL_OK : encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a page's data");
}

// ---- For people -------------------------------------------------------------------------------------------

static const struct {
    const char *ending, *unit;
} units[] = {{"_bytes", ""},      {"_mhz", "MHz"},    {"_ns", "ns"},    {"_us", "\xc2\xb5s"},
             {"_gflops", "GF/s"}, {"_gops", "Gop/s"}, {"_gbs", "GB/s"}, {"_c", "\xc2\xb0\x43"}};
enum { UNITS = sizeof units / sizeof units[0] };

static size_t find_unit(const char *key) {
    size_t i = 0;
    while (i < UNITS && !encl_text_ends(key, units[i].ending)) {
        i++;
    }
    return i;
}

// "global_mem_bytes" → "global mem".
static void write_name(FILE *stream, const char *key) {
    const size_t unit = find_unit(key);
    const size_t ending = unit < UNITS ? strlen(units[unit].ending) : 0;
    char name[NAME_TEXT];
    snprintf(name, sizeof name, "%.*s", (int)(strlen(key) - ending), key);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '_' ? ' ' : *c;
    }
    encl_html_text(stream, name);
}

static void write_number(FILE *stream, const char *key, double number) {
    const size_t unit = find_unit(key);
    char bytes[ENCL_BYTES_TEXT];
    char time[ENCL_TIME_TEXT];
    if (strcmp(key, "measured_at") == 0) {
        encl_html_text(stream, encl_time_text((int64_t)number, time));
    } else if (unit == 0) {
        encl_html_text(stream, encl_bytes_text((uint64_t)number, bytes));
    } else if (number >= 1000) {
        encl_html_format(stream, "%.0f %s", number, unit < UNITS ? units[unit].unit : "");
    } else {
        encl_html_format(stream, "%.4g %s", number, unit < UNITS ? units[unit].unit : "");
    }
}

static void write_value(FILE *stream, const cJSON *item) {
    if (cJSON_IsString(item)) {
        encl_html_text(stream, item->valuestring);
    } else if (cJSON_IsBool(item)) {
        fputs(cJSON_IsTrue(item) ? "yes" : "no", stream);
    } else if (cJSON_IsNumber(item)) {
        write_number(stream, item->string, item->valuedouble);
    } else if (cJSON_IsArray(item)) {
        for (const cJSON *value = item->child; value != NULL; value = value->next) {
            encl_html_format(stream, "%s%.2f", value != item->child ? ", " : "", value->valuedouble);
        }
    }
}

// A table of what is known: neither null nor a list of objects.
static void write_block(const encl_page *page, const char *caption, const cJSON *block) {
    FILE *stream = page->stream;
    if (!cJSON_IsObject(block)) {
        return;
    }
    fputs("<div class=\"scroll\"><table class=\"plain origin\"><caption><span>", stream);
    encl_html_text(stream, caption);
    fputs("</span></caption><tbody>\n", stream);
    for (const cJSON *item = block->child; item != NULL; item = item->next) {
        if (cJSON_IsNull(item) || (cJSON_IsArray(item) && cJSON_IsObject(item->child))) {
            continue;
        }
        fputs("<tr><th scope=\"row\">", stream);
        write_name(stream, item->string);
        fputs("</th><td>", stream);
        write_value(stream, item);
        fputs("</td></tr>\n", stream);
    }
    fputs("</tbody></table></div>\n", stream);
}

static void write_bandwidth(const encl_page *page) {
    static const char *const headings[] = {">buffer", ">read GB/s", ">write GB/s", ">copy GB/s"};
    const encl_peaks *peaks = &page->profile->peaks;
    if (!page->profile->peaks_known || peaks->bandwidth_count == 0) {
        return;
    }
    fputs("<div class=\"scroll\"><table class=\"plain origin\"><caption><span>Bandwidth by size, measured: where it "
          "falls, a cache "
          "ends</span></caption>\n",
          page->stream);
    encl_html_headings(page->stream, headings, sizeof headings / sizeof headings[0]);
    fputs("<tbody>\n", page->stream);
    for (size_t i = 0; i < peaks->bandwidth_count && i < ENCL_PEAK_SIZES; i++) {
        char bytes[ENCL_BYTES_TEXT];
        fputs("<tr><th scope=\"row\" class=\"n\">", page->stream);
        encl_html_text(page->stream, encl_bytes_text(peaks->bandwidth[i].bytes, bytes));
        fputs("</th>", page->stream);
        encl_html_number(page->stream, peaks->bandwidth[i].read_gbs, 1);
        encl_html_number(page->stream, peaks->bandwidth[i].write_gbs, 1);
        encl_html_number(page->stream, peaks->bandwidth[i].copy_gbs, 1);
        fputs("</tr>\n", page->stream);
    }
    fputs("</tbody></table></div>\n", page->stream);
}

void encl_page_origin_tables(const encl_page *page, const cJSON *origin) {
    fputs("<section aria-labelledby=\"device\"><h2 id=\"device\">Device</h2>\n<div class=\"pair even\">\n<div>",
          page->stream);
    write_block(page, "The device, as its driver describes it", cJSON_GetObjectItemCaseSensitive(origin, "device"));
    fputs("</div>\n<div>", page->stream);
    write_block(page, "Peaks, measured", cJSON_GetObjectItemCaseSensitive(origin, "peaks"));
    write_bandwidth(page);
    write_block(page, "The machine", cJSON_GetObjectItemCaseSensitive(origin, "host"));
    write_block(page, "encl", cJSON_GetObjectItemCaseSensitive(origin, "encl"));
    fputs("</div>\n</div>\n</section>\n", page->stream);
    if (page->profile->command != NULL) {
        fputs("<section aria-labelledby=\"command\"><h2 id=\"command\">Command</h2>\n<pre tabindex=\"0\"><code>",
              page->stream);
        encl_html_text(page->stream, page->profile->command);
        fputs("</code></pre></section>\n", page->stream);
    }
}
