// The page of a profile: what the files that write its parts share. A page is one HTML file that needs nothing else:
// its style sheet and its script (host/cli/page/) are inside, and without the script all of it can be read.
#ifndef ENCL_CLI_PAGE_H
#define ENCL_CLI_PAGE_H

#include "host/cli/html.h"
#include "host/cli/profile.h"
#include "runtime/base/embedded.h"

extern const encl_embedded_file encl_page_files[];
extern const size_t encl_page_file_count;

// Operators have a series each, longest first: a colour and a pattern. What is left shares the last one.
enum { ENCL_PAGE_SERIES = 8 };

typedef struct encl_page {
    FILE *stream;
    const encl_profile *profile;
    const char *series[ENCL_PAGE_SERIES - 1]; // operators; texts are the profile's
    size_t series_count;
} encl_page;

// Time of an operator in a case, whatever its kernel.
typedef struct encl_page_share {
    const char *op;
    double exec;
} encl_page_share;

// Sums of the case's operators, longest first. Caller frees *shares.
encl_status encl_page_shares(const encl_profile_case *of, encl_page_share **shares, size_t *count);
encl_status encl_page_choose_series(encl_page *page);
int encl_page_series_of(const encl_page *page, const char *op); // 1 … ENCL_PAGE_SERIES

// The patterns of series (s1 …), of idle time (g1 …) and of layers (l1, l2), once a page.
void encl_page_patterns(const encl_page *page);
// A small square of a pattern: "s1".
void encl_page_swatch(const encl_page *page, const char *pattern);
// The mark of the index-th operator and kernel, in the table and in the roofline: "A" … "Z", "27", …
enum { ENCL_PAGE_MARK = 16 };
const char *encl_page_mark(size_t index, char text[ENCL_PAGE_MARK]);
// "1.234 ms": a time for people.
enum { ENCL_PAGE_TIME = 32 };
const char *encl_page_time(double ns, char text[ENCL_PAGE_TIME]);

// Parts of a case's section, in their order. id: the section's number, for names within the page.
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
