// The page of a profile: where the wall time went, and how the runs spread.
#include <math.h>
#include <stdlib.h>

#include "host/cli/profile/page.h"

enum { WIDE = 1000, NARROW = 380 }; // pixels of the bar in windows of either kind

typedef struct part {
    const char *pattern, *name, *meaning;
    double ns;
} part;
enum { LEAD, HOST_GAP, QUEUE_GAP, LAUNCH_GAP, TAIL, PARTS };

static void list_parts(const encl_profile_case *of, part parts[PARTS]) {
    const encl_parts *sums = &of->parts;
    parts[LEAD] = (part){"g1", "lead", "from the call to the first command", sums->lead};
    parts[HOST_GAP] = (part){"g2", "host gap", "idle, nothing was enqueued", sums->host_gap};
    parts[QUEUE_GAP] = (part){"g3", "queue gap", "idle, a command waited in its queue", sums->queue_gap};
    parts[LAUNCH_GAP] = (part){"g4", "launch gap", "idle, a command was being launched", sums->launch_gap};
    parts[TAIL] = (part){"g5", "tail", "from the last command to the call\xe2\x80\x99s return", sums->tail};
}

// ---- The bar ----------------------------------------------------------------------------------------------

// A segment from `*at` percent on; moves that on.
static void write_segment(const encl_page *page, const char *pattern, const char *name, double ns, double wall,
                          double *at) {
    const double pct = encl_profile_pct(ns, wall);
    char time[ENCL_PAGE_TIME];
    if (!(pct > 0)) {
        return;
    }
    fprintf(page->stream, "<svg x=\"%.4f%%\" width=\"%.4f%%\" height=\"56\"><title>", *at, pct);
    encl_html_format(page->stream, "%s: %s, %.2f %%", name, encl_page_time(ns, time), pct);
    fprintf(page->stream, "</title><rect class=\"mark\" width=\"100%%\" height=\"56\" fill=\"url(#%s)\"/>", pattern);
    if (pct / 100 * WIDE > encl_page_text_width(name)) {
        const bool tight = pct / 100 * NARROW < encl_page_text_width(name);
        fprintf(page->stream, "<g class=\"on-%s%s\"><text x=\"10\" y=\"24\">", pattern, tight ? " wide-only" : "");
        encl_html_text(page->stream, name);
        fprintf(page->stream, "</text><text class=\"small\" x=\"10\" y=\"42\">%.1f %%</text></g>", pct);
    }
    fputs("</svg>\n", page->stream);
    *at += pct;
}

static void write_bar(const encl_page *page, const encl_profile_case *of, const part *parts,
                      const encl_page_group *shares, size_t share_count) {
    double at = 0;
    double sum = 0;
    char pattern[16];
    for (size_t i = 0; i < share_count; i++) {
        sum += shares[i].exec;
    }
    fputs("<figure>\n<svg class=\"split\" width=\"100%\" height=\"56\" role=\"img\" aria-label=\"", page->stream);
    encl_html_format(page->stream, "Wall time: commands %.1f %%, idle %.1f %%; the table below has the numbers",
                     encl_profile_pct(of->parts.exec, of->wall),
                     fmax(0, 100 - encl_profile_pct(of->parts.exec, of->wall)));
    fputs("\">\n", page->stream);
    write_segment(page, parts[LEAD].pattern, parts[LEAD].name, parts[LEAD].ns, of->wall, &at);
    for (size_t i = 0; i < share_count && sum > 0; i++) { // what overlaps counts once
        snprintf(pattern, sizeof pattern, "s%d", encl_page_series_of(page, shares[i].name));
        write_segment(page, pattern, shares[i].name, shares[i].exec * fmin(1, of->parts.exec / sum), of->wall, &at);
    }
    for (int i = HOST_GAP; i < PARTS; i++) {
        write_segment(page, parts[i].pattern, parts[i].name, parts[i].ns, of->wall, &at);
    }
    fputs("</svg>\n</figure>\n", page->stream);
}

// ---- Tables -----------------------------------------------------------------------------------------------

static void write_part(const encl_page *page, const char *pattern, const char *class, const char *name,
                       const char *meaning, double ns, double wall) {
    fprintf(page->stream, "<tr%s%s%s><th scope=\"row\">", class[0] != '\0' ? " class=\"" : "", class,
            class[0] != '\0' ? "\"" : "");
    if (pattern[0] != '\0') {
        encl_page_swatch(page, pattern);
    }
    encl_html_text(page->stream, name);
    if (meaning[0] != '\0') {
        fputs(" <span class=\"soft\">", page->stream);
        encl_html_text(page->stream, meaning);
        fputs("</span>", page->stream);
    }
    fputs("</th>", page->stream);
    encl_html_number(page->stream, ns / 1e6, 3);
    encl_html_number(page->stream, encl_profile_pct(ns, wall), 2);
    fputs("</tr>\n", page->stream);
}

static void write_parts(const encl_page *page, const encl_profile_case *of, const part *parts,
                        const encl_page_group *shares, size_t share_count) {
    static const char *const headings[] = {"part", ">ms", ">%"};
    char pattern[16];
    fprintf(page->stream, "<table class=\"plain\"><caption><span>Parts of the wall time, %s</span></caption>\n",
            of->repeated ? "mean of a run" : "all runs together");
    encl_html_headings(page->stream, headings, 3);
    fputs("<tbody>\n", page->stream);
    write_part(page, parts[LEAD].pattern, "", parts[LEAD].name, parts[LEAD].meaning, parts[LEAD].ns, of->wall);
    write_part(page, "", "", "commands", "the device computes or copies", of->parts.exec, of->wall);
    for (size_t i = 0; i < share_count; i++) {
        snprintf(pattern, sizeof pattern, "s%d", encl_page_series_of(page, shares[i].name));
        write_part(page, pattern, "within", shares[i].name, "", shares[i].exec, of->wall);
    }
    for (int i = HOST_GAP; i < PARTS; i++) {
        write_part(page, parts[i].pattern, "", parts[i].name, parts[i].meaning, parts[i].ns, of->wall);
    }
    fputs("</tbody><tfoot>", page->stream);
    write_part(page, "", "", "wall", of->repeated ? "of a run" : "of all runs", of->wall, of->wall);
    if (of->outside > 0) {
        write_part(page, "", "", "outside of runs", "reading, tokenizing, writing, making executables", of->outside,
                   of->wall);
    }
    fputs("</tfoot></table>\n", page->stream);
}

static void write_runs(const encl_page *page, const encl_profile_case *of) {
    static const char *const headings[] = {"", ">plain", ">profiled"};
    const encl_statistics *plain = &of->plain;
    const encl_statistics *profiled = &of->profiled;
    const struct {
        const char *name;
        double plain, profiled;
        double unit;
        int decimals;
    } rows[] = {
        {"runs", (double)plain->count, (double)profiled->count, 1, 0},
        {"fastest", plain->min, profiled->min, 1e6, 3},
        {"median (p50)", plain->p50, profiled->p50, 1e6, 3},
        {"\xe2\x80\x83its 95 % interval, from", plain->ci_lo, profiled->ci_lo, 1e6, 3},
        {"\xe2\x80\x83to", plain->ci_hi, profiled->ci_hi, 1e6, 3},
        {"mean", plain->mean, profiled->mean, 1e6, 3},
        {"standard deviation", plain->sd, profiled->sd, 1e6, 3},
        {"p90", plain->p90, profiled->p90, 1e6, 3},
        {"p95", plain->p95, profiled->p95, 1e6, 3},
        {"p99", plain->p99, profiled->p99, 1e6, 3},
        {"slowest", plain->max, profiled->max, 1e6, 3},
        {"outliers", (double)plain->outliers, (double)profiled->outliers, 1, 0},
    };
    fputs(
        "<table class=\"plain\"><caption><span>Wall times of the runs, ms; percentiles where there are enough runs for "
        "them</span></caption>\n",
        page->stream);
    encl_html_headings(page->stream, headings, 3);
    fputs("<tbody>\n", page->stream);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!isfinite(rows[i].plain) && !isfinite(rows[i].profiled)) {
            continue; // too few runs for that
        }
        fputs("<tr><th scope=\"row\">", page->stream);
        encl_html_text(page->stream, rows[i].name);
        fputs("</th>", page->stream);
        encl_html_number(page->stream, plain->count > 0 ? rows[i].plain / rows[i].unit : NAN, rows[i].decimals);
        encl_html_number(page->stream, rows[i].profiled / rows[i].unit, rows[i].decimals);
        fputs("</tr>\n", page->stream);
    }
    fputs("</tbody></table>\n", page->stream);
}

// ---- Does it add up? --------------------------------------------------------------------------------------

static void write_reconciliation(const encl_page *page, const encl_profile_case *of) {
    const double cost = encl_profile_cost_pct(of);
    char residual[ENCL_PAGE_TIME];
    char overlap[ENCL_PAGE_TIME];
    fprintf(page->stream, "<p class=\"note %s\"><strong>%s</strong> ", of->reconciled ? "good" : "bad",
            of->reconciled ? "\xe2\x9c\x93 Reconciled." : "\xe2\x9c\x97 NOT RECONCILED.");
    encl_html_format(page->stream,
                     "%s The times that the driver gave out of order come to %s, commands that ran at the same time to "
                     "%s.",
                     of->reconciled ? "The parts add up to the wall time, and the layers to the commands."
                                    : "The parts do not add up to the wall time: take the shares with care.",
                     encl_page_time(of->parts.residual, residual), encl_page_time(of->parts.overlap, overlap));
    if (isfinite(cost)) {
        encl_html_format(page->stream, " Profiling costs %+.1f %% of the wall time", cost);
        if (isfinite(of->cost.lo)) {
            encl_html_format(page->stream, " (95 %% sure: %+.1f to %+.1f %%)", 100 * (of->cost.lo - 1),
                             100 * (of->cost.hi - 1));
        }
        fputc('.', page->stream);
    }
    if (of->timeline_count > 0 && !of->timeline[of->timeline_count - 1].clock.aligned) {
        fputs(
            " The device\xe2\x80\x99s clock could not be aligned with the host\xe2\x80\x99s, so the lead begins at the "
            "first command\xe2\x80\x99s queueing.",
            page->stream);
    }
    fputs("</p>\n", page->stream);
}

encl_status encl_page_wall(const encl_page *page, const encl_profile_case *of) {
    part parts[PARTS];
    encl_page_group *shares = NULL;
    size_t count = 0;
    const encl_status status = encl_page_groups(of, ENCL_PAGE_BY_NAME, &shares, &count);
    if (status != ENCL_OK) {
        return status;
    }
    list_parts(of, parts);
    fputs("<h3>Where the time went</h3>\n", page->stream);
    write_bar(page, of, parts, shares, count);
    write_reconciliation(page, of);
    fputs("<div class=\"pair\">\n<div class=\"scroll\">", page->stream);
    write_parts(page, of, parts, shares, count);
    fputs("</div>\n<div class=\"scroll\">", page->stream);
    write_runs(page, of);
    fputs("</div>\n</div>\n", page->stream);
    free(shares);
    return ENCL_OK;
}
