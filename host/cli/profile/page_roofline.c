// The page of a profile: the roofline (Williams, Waterman & Patterson 2009), on two logarithmic axes.
#include <math.h>
#include <stdlib.h>

#include "host/cli/profile/page.h"

enum { MOST_POINTS = 64 };
// Labels are placed as if the drawing were so large; it stretches with the window, its texts do not.
static const double nominal_width = 900;
static const double nominal_height = 340;

typedef struct axis {
    double low, high; // powers of ten; low is a whole one
} axis;

typedef struct point {
    double intensity, gflops;
    size_t index; // of the operator
    int series;
} point;

typedef struct roofline {
    const encl_page *page;
    point points[MOST_POINTS];
    size_t count;
    double peak, memory, cache; // GF/s, GB/s; NAN where not known
    axis x, y;
} roofline;

static bool usable(double value) {
    return isfinite(value) && value > 1e-9 && value < 1e12;
}

static double place(const axis *on, double value) {
    return 100 * (log10(value) - on->low) / (on->high - on->low);
}

// Room for the value, and for a mark above it.
static void include(axis *on, double value) {
    on->low = fmin(on->low, floor(log10(value)));
    on->high = fmax(on->high, log10(value) + 0.15);
}

// The fastest level of the memory: what a working set that fits the smallest cache gets.
static double fastest_cache(const encl_peaks *peaks) {
    double best = NAN;
    for (size_t i = 0; i < peaks->bandwidth_count && i < ENCL_PEAK_SIZES; i++) {
        best = fmax(best, fmax(peaks->bandwidth[i].read_gbs, peaks->bandwidth[i].copy_gbs)); // fmax ignores NAN
    }
    return best;
}

static void choose_axes(roofline *roof) {
    roof->x = (axis){.low = 1000, .high = -1000};
    roof->y = roof->x;
    for (size_t i = 0; i < roof->count; i++) {
        include(&roof->x, roof->points[i].intensity);
        include(&roof->y, roof->points[i].gflops);
    }
    include(&roof->x, roof->peak / roof->memory); // where the roof bends
    include(&roof->y, roof->peak);
}

static void collect_points(roofline *roof, const encl_page_group *groups, size_t count) {
    for (size_t i = 0; i < count && roof->count < MOST_POINTS; i++) {
        const double intensity = groups[i].bytes > 0 ? groups[i].flops / groups[i].bytes : NAN;
        const double gflops = encl_profile_rate(groups[i].flops, groups[i].exec);
        if (usable(intensity) && usable(gflops)) {
            roof->points[roof->count++] = (point){.intensity = intensity,
                                                  .gflops = gflops,
                                                  .index = i,
                                                  .series = encl_page_series_of(roof->page, groups[i].name)};
        }
    }
}

// ---- Grid and roofs ---------------------------------------------------------------------------------------

static void write_grid(const roofline *roof) {
    FILE *stream = roof->page->stream;
    for (int i = (int)roof->x.low; i <= roof->x.high; i++) {
        const double at = place(&roof->x, pow(10, i));
        fprintf(stream,
                "<line class=\"grid\" x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"0\" y2=\"100%%\"/>"
                "<text class=\"tick\" x=\"%.3f%%\" y=\"100%%\" dy=\"18\" text-anchor=\"middle\">%g</text>\n",
                at, at, at, pow(10, i));
    }
    for (int i = (int)roof->y.low; i <= roof->y.high; i++) {
        const double at = 100 - place(&roof->y, pow(10, i));
        fprintf(stream,
                "<line class=\"grid\" y1=\"%.3f%%\" y2=\"%.3f%%\" x1=\"0\" x2=\"100%%\"/>"
                "<text class=\"tick\" y=\"%.3f%%\" x=\"0\" dx=\"-8\" dy=\"4\" text-anchor=\"end\">%g</text>\n",
                at, at, at, pow(10, i));
    }
    fputs("<text class=\"axis\" x=\"50%\" y=\"100%\" dy=\"38\" text-anchor=\"middle\">flop per byte</text>\n"
          "<text class=\"axis\" x=\"0\" y=\"0\" dx=\"-44\" dy=\"-12\">GF/s</text>\n",
          stream);
}

// A line of so many GB/s up to where it meets the peak. In a drawing of 100 × 100.
static void write_slope(const roofline *roof, const char *class, double bandwidth) {
    double from = pow(10, roof->x.low);
    double to = fmin(roof->peak / bandwidth, pow(10, roof->x.high));
    from = fmax(from, pow(10, roof->y.low) / bandwidth); // where it comes in from below
    if (from < to) {
        fprintf(roof->page->stream, "<path class=\"%s\" d=\"M%.3f %.3f %.3f %.3f\"/>\n", class, place(&roof->x, from),
                100 - place(&roof->y, from * bandwidth), place(&roof->x, to), 100 - place(&roof->y, to * bandwidth));
    }
}

static bool cache_shown(const roofline *roof) {
    return usable(roof->cache) && roof->cache > 1.05 * roof->memory;
}

static void write_roofs(const roofline *roof) {
    FILE *stream = roof->page->stream;
    const double top = 100 - place(&roof->y, roof->peak);
    const double bend = fmin(100, fmax(0, place(&roof->x, roof->peak / roof->memory)));
    const bool cached = cache_shown(roof);
    const double begin = cached ? fmin(bend, fmax(0, place(&roof->x, roof->peak / roof->cache))) : bend;
    fputs("<svg viewBox=\"0 0 100 100\" width=\"100%\" height=\"100%\" preserveAspectRatio=\"none\">\n", stream);
    if (cached) {
        write_slope(roof, "roof dashed", roof->cache);
        fprintf(stream, "<path class=\"roof dashed\" d=\"M%.3f %.3f H%.3f\"/>\n", begin, top, bend);
    }
    write_slope(roof, "roof", roof->memory);
    fprintf(stream, "<path class=\"roof\" d=\"M%.3f %.3f H100\"/>\n</svg>\n", bend, top);
}

static void write_roof_names(const roofline *roof) {
    FILE *stream = roof->page->stream;
    fprintf(stream, "<text class=\"roof-name\" x=\"100%%\" y=\"%.3f%%\" dx=\"-6\" dy=\"-8\" text-anchor=\"end\">",
            100 - place(&roof->y, roof->peak));
    encl_html_format(stream, "fp32 peak %.4g GF/s", roof->peak);
    fputs("</text>\n", stream);
    // The memory's name stands under its line, the cache's above: the line rises away from both.
    const struct {
        const char *name, *anchor;
        double bandwidth, along; // percent of the width
        int dy;
    } slopes[] = {{"memory", "start", roof->memory, 6, 18}, {"fastest cache", "end", roof->cache, 17, -9}};
    for (size_t i = 0; i < sizeof slopes / sizeof slopes[0]; i++) {
        const double decades = (slopes[i].along / 100) * (roof->x.high - roof->x.low);
        const double from = fmax(pow(10, roof->x.low), pow(10, roof->y.low) / slopes[i].bandwidth) * pow(10, decades);
        const bool shown = usable(slopes[i].bandwidth) && from * slopes[i].bandwidth < roof->peak;
        if (!shown || (i == 1 && !cache_shown(roof))) {
            continue;
        }
        fprintf(stream, "<text class=\"roof-name%s\" x=\"%.3f%%\" y=\"%.3f%%\" dy=\"%d\" text-anchor=\"%s\">",
                i == 1 ? " wide-only" : "", place(&roof->x, from), 100 - place(&roof->y, from * slopes[i].bandwidth),
                slopes[i].dy, slopes[i].anchor);
        encl_html_format(stream, "%s %.3g GB/s", slopes[i].name, slopes[i].bandwidth);
        fputs("</text>\n", stream);
    }
}

// ---- Points -----------------------------------------------------------------------------------------------

static const struct {
    int dx, dy;
    const char *anchor;
} places[] = {{9, 4, "start"},  {-9, 4, "end"},   {0, -10, "middle"}, {0, 19, "middle"},
              {9, -7, "start"}, {9, 15, "start"}, {-9, -7, "end"},    {-9, 15, "end"},
              {20, 4, "start"}, {-20, 4, "end"},  {0, -24, "middle"}, {0, 33, "middle"}};
enum { PLACES = sizeof places / sizeof places[0] };

typedef struct spot {
    double x, y;
} spot;

static spot spot_of(const roofline *roof, const point *at) {
    return (spot){.x = place(&roof->x, at->intensity) / 100 * nominal_width,
                  .y = (1 - place(&roof->y, at->gflops) / 100) * nominal_height};
}

static bool near(spot a, spot b) {
    return fabs(a.x - b.x) < 15 && fabs(a.y - b.y) < 13;
}

// The first place beside the point that is free of other points and of the labels so far.
static size_t choose_place(const roofline *roof, size_t index, const spot *labels) {
    const spot own = spot_of(roof, &roof->points[index]);
    for (size_t i = 0; i < PLACES; i++) {
        const spot label = {.x = own.x + places[i].dx, .y = own.y + places[i].dy - 4};
        bool taken = false;
        for (size_t k = 0; k < roof->count && !taken; k++) {
            taken =
                (k != index && near(label, spot_of(roof, &roof->points[k]))) || (k < index && near(label, labels[k]));
        }
        if (!taken) {
            return i;
        }
    }
    return 0;
}

static void write_points(const roofline *roof, const encl_page_group *groups) {
    FILE *stream = roof->page->stream;
    spot labels[MOST_POINTS] = {{0}};
    for (size_t i = 0; i < roof->count; i++) {
        const point *at = &roof->points[i];
        const size_t chosen = choose_place(roof, i, labels);
        const spot own = spot_of(roof, at);
        char mark[ENCL_PAGE_MARK];
        labels[i] = (spot){.x = own.x + places[chosen].dx, .y = own.y + places[chosen].dy - 4};
        const double x = place(&roof->x, at->intensity);
        const double y = 100 - place(&roof->y, at->gflops);
        fprintf(stream, "<circle class=\"point c-s%d\" cx=\"%.3f%%\" cy=\"%.3f%%\" r=\"5.5\"><title>", at->series, x,
                y);
        encl_html_format(stream, "%s, %s: %.1f GF/s at %.2f flop/byte", groups[at->index].name,
                         groups[at->index].kernel, at->gflops, at->intensity);
        fprintf(stream,
                "</title></circle><text class=\"letter\" x=\"%.3f%%\" y=\"%.3f%%\" dx=\"%d\" dy=\"%d\" "
                "text-anchor=\"%s\">",
                x, y, places[chosen].dx, places[chosen].dy, places[chosen].anchor);
        encl_html_text(stream, encl_page_mark(at->index, mark));
        fputs("</text>\n", stream);
    }
}

static void write_drawing(const roofline *roof, const encl_page_group *groups) {
    FILE *stream = roof->page->stream;
    fputs("<figure class=\"roofline\"><svg width=\"100%\" height=\"340\" role=\"img\" aria-label=\"Operators against "
          "the device's peaks; the table of operators has the numbers\">\n<rect class=\"area\" width=\"100%\" "
          "height=\"100%\"/>\n",
          stream);
    write_grid(roof);
    write_roofs(roof);
    write_roof_names(roof);
    write_points(roof, groups);
    fputs("</svg>\n<figcaption>Letters are those of the operators\xe2\x80\x99 table, which has the numbers. Left of "
          "the bend "
          "memory sets the limit, right of it arithmetic; a point above the memory\xe2\x80\x99s slope was served by "
          "caches.</figcaption></figure>\n",
          stream);
}

encl_status encl_page_roofline(const encl_page *page, const encl_profile_case *of) {
    const encl_peaks *peaks = &page->profile->peaks;
    roofline roof = {.page = page, .peak = peaks->fp32_gflops, .memory = peaks->memory_gbs};
    encl_page_group *groups = NULL;
    size_t count = 0;
    const encl_status status = encl_page_groups(of, ENCL_PAGE_BY_KERNEL, &groups, &count);
    if (status != ENCL_OK) {
        return status;
    }
    fputs("<h3>Roofline</h3>\n", page->stream);
    if (!page->profile->peaks_known || !usable(roof.peak) || !usable(roof.memory)) {
        fputs("<p class=\"soft\">The device\xe2\x80\x99s peaks are not known; <code>encl bench peak</code> measures "
              "them.</p>\n",
              page->stream);
    } else {
        roof.cache = fastest_cache(peaks);
        collect_points(&roof, groups, count);
        choose_axes(&roof);
        write_drawing(&roof, groups);
    }
    free(groups);
    return ENCL_OK;
}
