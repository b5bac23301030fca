// The page of a profile: what the files that write its parts share. A page is one HTML file that needs nothing else:
// its style sheet and its script (host/cli/page/) are inside, and without the script all of it can be read.
#ifndef ENCL_CLI_PAGE_H
#define ENCL_CLI_PAGE_H

#include "host/cli/profile/html.h"
#include "host/cli/profile/profile.h"
#include "runtime/base/embedded.h"

extern const encl_embedded_file encl_page_files[];
extern const size_t encl_page_file_count;

// Commands that do the same: one operator, and of matrix products one depth and width, which are worlds apart.
enum { ENCL_PAGE_NAME = 64 };
typedef struct encl_page_group {
    char name[ENCL_PAGE_NAME]; // "attention", "linear 768 → 3072"
    int32_t layer;             // of the first command, or of all where grouped by layer
    const char *kernel, *fused, *why;
    double calls, exec, flops, bytes;
} encl_page_group;

// How commands are put together.
typedef enum encl_page_grouping {
    ENCL_PAGE_BY_NAME,   // longest first
    ENCL_PAGE_BY_KERNEL, // names with different kernels or epilogues apart; longest first
    ENCL_PAGE_BY_LAYER,  // names in every layer, by layer, then in the order they ran
} encl_page_grouping;

// Names have a series each, longest first: a colour and a pattern. What is left shares the last one.
enum { ENCL_PAGE_SERIES = 8 };

typedef struct encl_page {
    FILE *stream;
    const encl_profile *profile;
    char series[ENCL_PAGE_SERIES - 1][ENCL_PAGE_NAME];
    size_t series_count;
} encl_page;

// Caller frees *groups; texts are the profile's.
encl_status encl_page_groups(const encl_profile_case *of, encl_page_grouping by, encl_page_group **groups,
                             size_t *count);
const char *encl_page_name(const encl_profile_record *record, char name[ENCL_PAGE_NAME]);
encl_status encl_page_choose_series(encl_page *page);
int encl_page_series_of(const encl_page *page, const char *name); // 1 … ENCL_PAGE_SERIES

// The patterns of series (s1 …), of idle time (g1 …) and of layers (l1, l2), once a page.
void encl_page_patterns(const encl_page *page);
// A small square of a pattern: "s1".
void encl_page_swatch(const encl_page *page, const char *pattern);
// The mark of the index-th group by kernel, in the table and in the roofline: "A" … "Z", "27", …
enum { ENCL_PAGE_MARK = 16 };
const char *encl_page_mark(size_t index, char text[ENCL_PAGE_MARK]);
// "1.234 ms": a time for people.
enum { ENCL_PAGE_TIME = 32 };
const char *encl_page_time(double ns, char text[ENCL_PAGE_TIME]);

// "12,345" of a count that is not negative.
enum { ENCL_PAGE_COUNT = 32 };
const char *encl_page_count(double count, char text[ENCL_PAGE_COUNT]);
// About how many pixels a label takes, with its margins.
double encl_page_text_width(const char *text);

// Parts of a case's section, in their order.
encl_status encl_page_wall(const encl_page *page, const encl_profile_case *of);      // split bar, its table, runs
encl_status encl_page_operators(const encl_page *page, const encl_profile_case *of); // the table that sorts
encl_status encl_page_layers(const encl_page *page, const encl_profile_case *of);
encl_status encl_page_roofline(const encl_page *page, const encl_profile_case *of);
encl_status encl_page_timeline(const encl_page *page, const encl_profile_case *of);

// Where the numbers come from: encl's build, the machine, the device and its peaks, the command line; without what
// tells one machine from its like, since pages are shown around. Caller deletes *origin.
encl_status encl_page_origin(const encl_page *page, cJSON **origin);
void encl_page_origin_tables(const encl_page *page, const cJSON *origin);

#endif
