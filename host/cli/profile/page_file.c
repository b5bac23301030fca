// A profile as one HTML page: see page.h.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile/page.h"

// ---- Head -------------------------------------------------------------------------------------------------

static const encl_embedded_file *find_file(const char *name) {
    static const encl_embedded_file none = {"", "", 0};
    for (size_t i = 0; i < encl_page_file_count; i++) {
        if (strcmp(encl_page_files[i].name, name) == 0) {
            return &encl_page_files[i];
        }
    }
    return &none;
}

static void write_title(const encl_page *page) {
    const encl_profile *profile = page->profile;
    if (profile->case_count == 1) {
        encl_html_text(page->stream, profile->cases[0].name);
    } else {
        encl_html_format(page->stream, "%zu cases", profile->case_count);
    }
}

// Nothing may be loaded, and of scripts and styles only the page's own may run: a name in a model or a driver that got
// past the escapes could do nothing.
static void write_head(const encl_page *page) {
    const encl_embedded_file *style = find_file("profile.css");
    const encl_embedded_file *script = find_file("profile.js");
    char style_hash[ENCL_HTML_HASH];
    char script_hash[ENCL_HTML_HASH];
    encl_html_hash(style->text, style->length, style_hash);
    encl_html_hash(script->text, script->length, script_hash);
    fprintf(page->stream,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
            "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src %s; script-src %s; "
            "base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width, "
            "initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
            style_hash, script_hash);
    write_title(page);
    fprintf(page->stream, " \xe2\x80\x93 encl profile</title>\n<style>%s</style>\n</head>\n", style->text);
}

// ---- Summary ----------------------------------------------------------------------------------------------

static void write_card(const encl_page *page, const char *value, const char *name) {
    fputs("<div class=\"card\"><dd>", page->stream);
    encl_html_text(page->stream, value);
    fputs("</dd><dt>", page->stream);
    encl_html_text(page->stream, name);
    fputs("</dt></div>\n", page->stream);
}

// A run as users see it: plain where that was measured.
static double headline(const encl_profile_case *of) {
    return of->plain.count > 0 ? of->plain.p50 : of->profiled.p50;
}

static double tokens_per_second(const encl_profile_case *of) {
    const double ns = of->repeated ? headline(of) : of->wall;
    return ns > 0 ? of->tokens * 1e9 / ns : NAN;
}

static void write_cards(const encl_page *page, const encl_profile_case *of) {
    char text[64];
    char time[ENCL_PAGE_TIME];
    char count[ENCL_PAGE_COUNT];
    fputs("<dl class=\"cards\">\n", page->stream);
    if (of->repeated) {
        write_card(page, encl_page_time(headline(of), time),
                   of->plain.count > 0 ? "a run, without profiling (median)" : "a profiled run (median)");
    } else {
        snprintf(text, sizeof text, "%lld", (long long)of->runs);
        write_card(page, encl_page_time(of->wall, time), "in runs, all together");
        write_card(page, text, "runs");
    }
    if (isfinite(tokens_per_second(of))) {
        write_card(page, encl_page_count(tokens_per_second(of), count), "tokens a second");
    }
    snprintf(text, sizeof text, "%.1f %%", encl_profile_pct(of->parts.exec, of->wall));
    write_card(page, text, "of it the device computes");
    if (isfinite(encl_profile_cost_pct(of))) {
        snprintf(text, sizeof text, "%+.1f %%", encl_profile_cost_pct(of));
        write_card(page, text, "what profiling costs");
    }
    fputs("</dl>\n", page->stream);
}

static void write_facts(const encl_page *page, const encl_profile_case *of) {
    char time[ENCL_PAGE_TIME];
    char bytes[ENCL_BYTES_TEXT];
    char precision[ENCL_PRECISION_TEXT];
    fputs("<p class=\"facts\">", page->stream);
    encl_html_format(page->stream, "%d %s, %d tokens.", (int)of->sequences,
                     of->sequences == 1 ? "sequence" : "sequences", (int)of->tokens);
    if (of->first_ns > 0) {
        encl_html_format(page->stream, " First run %s.", encl_page_time((double)of->first_ns, time));
    }
    if (of->create_ns > 0) {
        encl_html_format(page->stream, " Making the executable %s.", encl_page_time((double)of->create_ns, time));
    }
    if (of->tokenize_ns > 0) {
        encl_html_format(page->stream, " Tokenizing %s, not in the wall time.",
                         encl_page_time((double)of->tokenize_ns, time));
    }
    for (size_t i = 0; i < of->executable_count && i < 1; i++) {
        const encl_executable_info *info = &of->executables[i].info;
        encl_html_format(page->stream, " %d programs, %d from the cache; products by %s in %s;", (int)info->programs,
                         (int)info->programs_from_cache, info->gemm != NULL ? info->gemm : "",
                         encl_precision_text(info, precision));
        encl_html_format(page->stream, " weights %s,", encl_bytes_text(info->weight_bytes, bytes));
        encl_html_format(page->stream, " activations %s.", encl_bytes_text(info->arena_bytes, bytes));
        if (info->quarantined > 0) {
            encl_html_format(page->stream, " Kernel rows that failed their check and were left out: %d.",
                             (int)info->quarantined);
        }
    }
    fputs("</p>\n", page->stream);
}

// All cases, each leading to its section.
static void write_contents(const encl_page *page) {
    static const char *const headings[] = {"case", ">tokens", ">ms", ">tokens/s", ">% computing", "adds up"};
    fputs("<nav aria-label=\"Cases\"><div class=\"scroll\"><table class=\"sortable\"><caption><span>Cases; ms: a run "
          "without "
          "profiling (median), of a whole command all its runs</span></caption>\n",
          page->stream);
    encl_html_headings(page->stream, headings, sizeof headings / sizeof headings[0]);
    fputs("<tbody>\n", page->stream);
    for (size_t i = 0; i < page->profile->case_count; i++) {
        const encl_profile_case *of = &page->profile->cases[i];
        fprintf(page->stream, "<tr><th scope=\"row\"><a href=\"#case-%zu\">", i + 1);
        encl_html_text(page->stream, of->name);
        fputs("</a></th>", page->stream);
        encl_html_number(page->stream, of->tokens, 0);
        encl_html_number(page->stream, (of->repeated ? headline(of) : of->wall) / 1e6, 3);
        encl_html_number(page->stream, tokens_per_second(of), 0);
        encl_html_number(page->stream, encl_profile_pct(of->parts.exec, of->wall), 1);
        encl_html_cell(page->stream, of->reconciled ? "yes" : "NO");
        fputs("</tr>\n", page->stream);
    }
    fputs("</tbody></table></div></nav>\n", page->stream);
}

static void write_header(const encl_page *page, const cJSON *origin) {
    const encl_profile *profile = page->profile;
    fputs("<header>\n<p class=\"brand\">encl profile</p>\n<h1>", page->stream);
    write_title(page);
    fputs("</h1>\n<p class=\"on\">", page->stream);
    if (profile->device != NULL) {
        fputs("on <strong>", page->stream);
        encl_html_text(page->stream, profile->device->name);
        fputs("</strong>, ", page->stream);
        encl_html_text(page->stream, profile->device->platform);
        fputs(", driver ", page->stream);
        encl_html_text(page->stream, profile->device->driver);
    } else {
        fputs("nothing ran on a device", page->stream);
    }
    fputs("; written ", page->stream);
    encl_html_text(page->stream, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(origin, "written")));
    fputs("</p>\n</header>\n", page->stream);
    if (profile->case_count > 1) {
        write_contents(page);
    }
}

// ---- Data -------------------------------------------------------------------------------------------------

// Inside a script element nothing may look like an end tag.
static void put_data(FILE *stream, const char *json, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (json[i] == '<') {
            fputs("\\u003c", stream);
        } else {
            fputc(json[i], stream);
        }
    }
}

static encl_status print_data(const encl_page *page, const cJSON *origin, FILE *into) {
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_json_write_line(into, origin));
    for (size_t i = 0; i < page->profile->case_count; i++) {
        ENCL_TRY(encl_profile_print_json(into, page->profile, &page->profile->cases[i]));
    }
cleanup:
    return status;
}

// Where it comes from, then the cases as --json prints them, in an array.
static encl_status write_data(const encl_page *page, const cJSON *origin) {
    char *json = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&json, &length);
    if (memory == NULL) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate the page's data");
    }
    encl_status status = print_data(page, origin, memory);
    if (fclose(memory) != 0 && status == ENCL_OK) {
        status = encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate the page's data");
    }
    if (status == ENCL_OK) {
        fputs(
            "<section aria-labelledby=\"data\"><h2 id=\"data\">Data</h2>\n<p>The page holds its numbers as JSON too, "
            "in "
            "the element <code>profile-data</code>: where they come from, then a case an object, as <code>encl profile "
            "--json</code> prints it.</p>\n<script type=\"application/json\" id=\"profile-data\">[",
            page->stream);
        for (size_t i = 0; i < length; i++) { // a comma at the end of every line but the last
            if (json[i] == '\n' && i + 1 < length) {
                json[i] = ',';
            }
        }
        put_data(page->stream, json, length);
        fputs("]</script>\n</section>\n", page->stream);
    }
    free(json);
    return status;
}

// ---- All of it --------------------------------------------------------------------------------------------

static encl_status write_case(const encl_page *page, size_t index) {
    const encl_profile_case *of = &page->profile->cases[index];
    encl_status status = ENCL_OK;
    fprintf(page->stream,
            "<section id=\"case-%zu\" class=\"case\" aria-labelledby=\"case-%zu-name\">\n<h2 "
            "id=\"case-%zu-name\">",
            index + 1, index + 1, index + 1);
    encl_html_text(page->stream, page->profile->case_count > 1 ? of->name : "Summary");
    fputs("</h2>\n", page->stream);
    write_cards(page, of);
    write_facts(page, of);
    ENCL_TRY(encl_page_wall(page, of));
    ENCL_TRY(encl_page_operators(page, of));
    ENCL_TRY(encl_page_layers(page, of));
    ENCL_TRY(encl_page_roofline(page, of));
    ENCL_TRY(encl_page_timeline(page, of));
    fputs("</section>\n", page->stream);
cleanup:
    return status;
}

static encl_status write_page(encl_page *page) {
    encl_status status = ENCL_OK;
    cJSON *origin = NULL;
    ENCL_TRY(encl_page_origin(page, &origin));
    ENCL_TRY(encl_page_choose_series(page));
    write_head(page);
    fputs("<body>\n", page->stream);
    encl_page_patterns(page);
    write_header(page, origin);
    fputs("<main>\n", page->stream);
    for (size_t i = 0; i < page->profile->case_count; i++) {
        ENCL_TRY(write_case(page, i));
    }
    encl_page_origin_tables(page, origin);
    ENCL_TRY(write_data(page, origin));
    fprintf(page->stream, "</main>\n<script>%s</script>\n</body>\n</html>\n", find_file("profile.js")->text);
cleanup:
    cJSON_Delete(origin);
    return status;
}

encl_status encl_profile_write_html(const char *path, const encl_profile *profile) {
    encl_output output = {0};
    encl_status status = encl_result_open(path, &output);
    if (status != ENCL_OK) {
        return status;
    }
    encl_page page = {.stream = output.stream, .profile = profile};
    status = write_page(&page);
    if (status != ENCL_OK) {
        encl_output_abandon(&output);
        return encl_fail_context(status, "%s", path);
    }
    return encl_output_commit(&output);
}
