#include "host/cli/profile/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Groups and their series ------------------------------------------------------------------------------

const char *encl_page_name(const encl_profile_record *record, char name[ENCL_PAGE_NAME]) {
    if (record->depth > 0) {
        snprintf(name, ENCL_PAGE_NAME, "%.32s %d \xe2\x86\x92 %d", record->op, (int)record->depth,
                 (int)record->columns);
    } else {
        snprintf(name, ENCL_PAGE_NAME, "%.60s", record->op);
    }
    return name;
}

static bool belongs(const encl_page_group *group, const encl_profile_record *record, const char *name,
                    encl_page_grouping by) {
    const bool kernel = by != ENCL_PAGE_BY_KERNEL ||
                        (strcmp(group->kernel, record->kernel) == 0 && strcmp(group->fused, record->fused) == 0);
    const bool layer = by != ENCL_PAGE_BY_LAYER || group->layer == record->layer;
    return kernel && layer && strcmp(group->name, name) == 0;
}

static bool comes_before(const encl_page_group *a, const encl_page_group *b, encl_page_grouping by) {
    return by == ENCL_PAGE_BY_LAYER ? a->layer < b->layer : a->exec > b->exec;
}

// Equal ones stay in the order they came in.
static void sort_groups(encl_page_group *groups, size_t count, encl_page_grouping by) {
    for (size_t i = 1; i < count; i++) {
        const encl_page_group moved = groups[i];
        size_t place = i;
        while (place > 0 && comes_before(&moved, &groups[place - 1], by)) {
            groups[place] = groups[place - 1];
            place--;
        }
        groups[place] = moved;
    }
}

static void add_row(encl_page_group *groups, size_t *count, const encl_profile_row *row, encl_page_grouping by) {
    const encl_profile_record *record = &row->record;
    char name[ENCL_PAGE_NAME];
    encl_page_name(record, name);
    size_t i = 0;
    while (i < *count && !belongs(&groups[i], record, name, by)) {
        i++;
    }
    if (i == *count) {
        encl_page_group *added = &groups[(*count)++];
        *added = (encl_page_group){
            .layer = record->layer, .kernel = record->kernel, .fused = record->fused, .why = record->why};
        memcpy(added->name, name, sizeof name);
    }
    groups[i].calls += row->calls;
    groups[i].exec += row->exec;
    groups[i].flops += row->flops;
    groups[i].bytes += row->bytes;
}

static encl_status groups_of(const encl_profile_case *cases, size_t case_count, encl_page_grouping by,
                             encl_page_group **groups, size_t *count) {
    size_t rows = 0;
    void *memory = NULL;
    *groups = NULL;
    *count = 0;
    for (size_t i = 0; i < case_count; i++) {
        rows += cases[i].row_count;
    }
    const encl_status status = encl_allocate(rows, sizeof(encl_page_group), &memory);
    if (status != ENCL_OK) {
        return status;
    }
    *groups = memory;
    for (size_t i = 0; i < case_count; i++) {
        for (size_t k = 0; k < cases[i].row_count; k++) {
            add_row(*groups, count, &cases[i].rows[k], by);
        }
    }
    sort_groups(*groups, *count, by);
    return ENCL_OK;
}

encl_status encl_page_groups(const encl_profile_case *of, encl_page_grouping by, encl_page_group **groups,
                             size_t *count) {
    return groups_of(of, 1, by, groups, count);
}

encl_status encl_page_choose_series(encl_page *page) {
    encl_page_group *groups = NULL;
    size_t count = 0;
    const encl_status status =
        groups_of(page->profile->cases, page->profile->case_count, ENCL_PAGE_BY_NAME, &groups, &count);
    page->series_count = count < ENCL_PAGE_SERIES - 1 ? count : ENCL_PAGE_SERIES - 1;
    for (size_t i = 0; i < page->series_count; i++) {
        memcpy(page->series[i], groups[i].name, sizeof groups[i].name);
    }
    free(groups);
    return status;
}

int encl_page_series_of(const encl_page *page, const char *name) {
    size_t i = 0;
    while (i < page->series_count && strcmp(page->series[i], name) != 0) {
        i++;
    }
    return i < page->series_count ? (int)i + 1 : ENCL_PAGE_SERIES;
}

// ---- Patterns ---------------------------------------------------------------------------------------------

// A tile of 8 × 8: a square of the colour, and on it a line, so that colour is never all that tells two apart.
static const struct {
    const char *name, *path;
} patterns[] = {
    {"s1", ""},
    {"s2", "M-2 2 2 -2M0 8 8 0M6 10 10 6"},
    {"s3", "M2 1v2M6 5v2"},
    {"s4", "M-2 6 2 10M0 0 8 8M6 -2 10 2"},
    {"s5", "M0 2H8M0 6H8"},
    {"s6", "M2 0V8M6 0V8"},
    {"s7", "M0 0 8 8M0 8 8 0"},
    {"s8", "M0 4H8M4 0V8"},
    {"g1", "M0 8 8 0"},
    {"g2", "M4 3v2"},
    {"g3", "M0 0 8 8"},
    {"g4", "M0 4H8"},
    {"g5", "M4 0V8"},
    {"l1", ""},
    {"l2", ""},
};

void encl_page_patterns(const encl_page *page) {
    fputs("<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\" focusable=\"false\"><defs>\n",
          page->stream);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        fprintf(page->stream,
                "<pattern id=\"%s\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
                "<rect class=\"c-%s\" width=\"8\" height=\"8\"/><path class=\"hatch\" d=\"%s\"/></pattern>\n",
                patterns[i].name, patterns[i].name, patterns[i].path);
    }
    fputs("</defs></svg>\n", page->stream);
}

void encl_page_swatch(const encl_page *page, const char *pattern) {
    fprintf(page->stream,
            "<svg class=\"swatch\" width=\"16\" height=\"16\" aria-hidden=\"true\"><rect width=\"16\" height=\"16\" "
            "rx=\"3\" fill=\"url(#%s)\"/></svg>",
            pattern);
}

// ---- Texts ------------------------------------------------------------------------------------------------

const char *encl_page_mark(size_t index, char text[ENCL_PAGE_MARK]) {
    if (index < 26) {
        snprintf(text, ENCL_PAGE_MARK, "%c", (char)('A' + index));
    } else {
        snprintf(text, ENCL_PAGE_MARK, "%u", (unsigned)index + 1);
    }
    return text;
}

const char *encl_page_time(double ns, char text[ENCL_PAGE_TIME]) {
    static const struct {
        double ns;
        const char *unit;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "\xc2\xb5s"}};
    const double size = fabs(ns);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (size >= units[i].ns) {
            const double value = ns / units[i].ns;
            snprintf(text, ENCL_PAGE_TIME, "%.*f %s",
                     fabs(value) < 10    ? 2
                     : fabs(value) < 100 ? 1
                                         : 0,
                     value, units[i].unit);
            return text;
        }
    }
    snprintf(text, ENCL_PAGE_TIME, "%.0f ns", size > 0 ? ns : 0);
    return text;
}

const char *encl_page_count(double count, char text[ENCL_PAGE_COUNT]) {
    char digits[ENCL_PAGE_COUNT];
    const int length = snprintf(digits, sizeof digits, "%.0f", count < 1e15 ? count : 1e15);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            text[used++] = ',';
        }
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

double encl_page_text_width(const char *text) {
    double width = 12;
    for (const char *c = text; *c != '\0'; c++) {
        width += ((unsigned char)*c & 0xc0) != 0x80 ? 7 : 0;
    }
    return width;
}
