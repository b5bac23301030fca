// The page of a profile: its runs along the time. A row for the host's calls, one for layers, one for each queue.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile/page.h"
#include "host/cli/profile/place.h"

enum { RUN_ROW, ENQUEUE_ROW, LAYER_ROW, QUEUE_ROW, MOST_ROWS = QUEUE_ROW + ENCL_LANES_MOST };
enum { ROW_HEIGHT = 26, ROW_STEP = 32, AXIS_HEIGHT = 24 };
enum { WIDE = 1000, NARROW = 380 };     // pixels of the drawing in windows of either kind
static const double least_framed = 0.4; // percent: a narrower mark has no frame, which would be all that is seen
enum { UNITS = 1000 };        // of the drawing's length: marks shorter than that are drawn as one with their neighbours
enum { MOST_COMMANDS = 500 }; // rows of the table
enum { NAME_TEXT = 64, TITLE_TEXT = 200, ZOOM_LEVELS = 4 };

// What is drawn, or several that are too short to be seen alone.
typedef struct mark {
    int64_t start, end, longest;
    size_t count;
    char fill[16], name[NAME_TEXT], title[TITLE_TEXT];
} mark;

typedef struct timeline {
    const encl_page *page;
    const encl_profile_case *of;
    int64_t begin, end; // on the host's clock
    bool host;          // a run's clocks are aligned
    int queues;
    mark pending[MOST_ROWS]; // count 0: none
    int64_t row_ends[QUEUE_ROW];
    encl_lanes lanes;
} timeline;

static double percent(const timeline *line, int64_t ns) {
    return encl_profile_pct((double)encl_ns_between(line->begin, ns), (double)encl_ns_between(line->begin, line->end));
}

static int row_top(const timeline *line, int row) {
    return AXIS_HEIGHT + ROW_STEP * (line->host ? row : row - LAYER_ROW);
}

// ---- Marks ------------------------------------------------------------------------------------------------

// How far must one zoom in (profile.js has the same factors) until the mark is as wide as its label? As if the drawing
// were so many pixels wide.
static int zoom_level(double pct, const char *name, double pixels) {
    static const double factors[] = {1, 4, 16, 80};
    const double width = pct / 100 * pixels;
    int level = 0;
    while (level < ZOOM_LEVELS && width * factors[level] < encl_page_text_width(name)) {
        level++;
    }
    return level;
}

static void flush_mark(timeline *line, int row) {
    mark *drawn = &line->pending[row];
    FILE *stream = line->page->stream;
    if (drawn->count == 0) {
        return;
    }
    const double at = percent(line, drawn->start);
    const double width = percent(line, drawn->end) - at;
    const int level = zoom_level(width, drawn->name, WIDE);
    const bool tight = zoom_level(width, drawn->name, NARROW) > level; // where the window is narrow
    char time[ENCL_PAGE_TIME];
    fprintf(stream, "<svg x=\"%.4f%%\" y=\"%d\" width=\"%.4f%%\" height=\"%d\"><title>", at, row_top(line, row),
            width > 0.1 ? width : 0.1, ROW_HEIGHT);
    if (drawn->count > 1) {
        encl_html_format(stream, "%zu in %s, the longest: ", drawn->count,
                         encl_page_time((double)encl_ns_between(drawn->start, drawn->end), time));
    }
    encl_html_text(stream, drawn->title);
    fprintf(stream, "</title><rect class=\"mark%s\" width=\"100%%\" height=\"%d\" fill=\"url(#%s)\"/>",
            width < least_framed ? " thin" : "", ROW_HEIGHT, drawn->fill);
    if (drawn->count == 1 && level < ZOOM_LEVELS) {
        fprintf(stream, "<text class=\"z%d%s on-%s\" x=\"6\" y=\"17\">", level, tight ? " tight" : "", drawn->fill);
        encl_html_text(stream, drawn->name);
        fputs("</text>", stream);
    }
    fputs("</svg>\n", stream);
    drawn->count = 0;
}

// Marks of a row come by their start.
static void add_mark(timeline *line, int row, const mark *added) {
    const int64_t unit = encl_ns_between(line->begin, line->end) / UNITS;
    mark *last = &line->pending[row];
    const bool together = last->count > 0 && added->longest < unit && last->longest < unit &&
                          encl_ns_between(last->start, added->end) < unit;
    if (!together) {
        flush_mark(line, row);
        *last = *added;
        return;
    }
    const mark before = *last;
    *last = added->longest > before.longest ? *added : before;
    last->start = before.start;
    last->end = added->end > before.end ? added->end : before.end;
    last->count = before.count + 1;
}

static mark make_mark(int64_t start, int64_t end, const char *fill, const char *name) {
    mark made = {.start = start, .end = end, .longest = encl_ns_between(start, end), .count = 1};
    snprintf(made.fill, sizeof made.fill, "%s", fill);
    snprintf(made.name, sizeof made.name, "%s", name);
    return made;
}

static void add_command(timeline *line, const encl_profile_record *record, const encl_placed *command) {
    int64_t start = command->start;
    int64_t end = command->end;
    char shape[ENCL_PROFILE_SHAPE_TEXT];
    char layer[16];
    char time[ENCL_PAGE_TIME];
    char fill[16];
    const int lane = encl_lanes_take(&line->lanes, &start, &end);
    const double ns = (double)encl_ns_between(command->start, command->end);
    char name[ENCL_PAGE_NAME];
    encl_page_name(record, name);
    snprintf(fill, sizeof fill, "s%d", encl_page_series_of(line->page, name));
    mark made = make_mark(start, end, fill, name);
    int used = snprintf(made.title, sizeof made.title, "%s, layer %s: %s; %s %s %s", name,
                        encl_profile_layer(record->layer, line->page->profile->layers, layer), encl_page_time(ns, time),
                        record->kernel, encl_profile_shape(record, shape), record->fused);
    if (record->flops > 0 && ns > 0 && used > 0 && used < TITLE_TEXT) {
        snprintf(made.title + used, (size_t)(TITLE_TEXT - used), "; %.1f GF/s", record->flops / ns);
    }
    add_mark(line, QUEUE_ROW + lane, &made);
}

static void add_layers(timeline *line, const encl_run_profile *run, const encl_placed *commands) {
    bool odd = false;
    for (size_t i = 0; i < run->count; odd = !odd) {
        const int32_t layer = run->records[commands[i].index].layer;
        int64_t start = commands[i].start;
        int64_t end = start;
        for (; i < run->count && run->records[commands[i].index].layer == layer; i++) {
            end = commands[i].end > end ? commands[i].end : end;
        }
        char text[16];
        char name[NAME_TEXT];
        char time[ENCL_PAGE_TIME];
        const char *shown = encl_profile_layer(layer, line->page->profile->layers, text);
        snprintf(name, sizeof name, "%s%s", shown == text ? "layer " : "", shown);
        encl_span_after(&line->row_ends[LAYER_ROW], &start, &end);
        mark made = make_mark(start, end, odd ? "l1" : "l2", name);
        snprintf(made.title, sizeof made.title, "%s: %s", name,
                 encl_page_time((double)encl_ns_between(start, end), time));
        add_mark(line, LAYER_ROW, &made);
    }
}

static void add_call(timeline *line, int row, const char *fill, const char *name, int64_t start, int64_t end) {
    char time[ENCL_PAGE_TIME];
    encl_span_after(&line->row_ends[row], &start, &end);
    mark made = make_mark(start, end, fill, name);
    snprintf(made.title, sizeof made.title, "%s%s: %s", row == ENQUEUE_ROW ? "enqueue " : "", name,
             encl_page_time((double)encl_ns_between(start, end), time));
    add_mark(line, row, &made);
}

static encl_status add_run(timeline *line, const encl_profile_timeline *drawn) {
    const encl_run_profile *run = &drawn->run;
    encl_placed *commands = NULL;
    const encl_status status = encl_profile_place(drawn, &commands);
    if (status != ENCL_OK) {
        return status;
    }
    if (drawn->clock.aligned) {
        add_call(line, RUN_ROW, "l1", line->of->name, run->begin_ns, run->end_ns);
        for (size_t i = 0; i < run->count; i++) {
            add_call(line, ENQUEUE_ROW, "g1", run->records[i].op, run->records[i].enqueue_begin_ns,
                     run->records[i].enqueue_end_ns);
        }
    }
    add_layers(line, run, commands);
    for (size_t i = 0; i < run->count; i++) {
        add_command(line, &run->records[commands[i].index], &commands[i]);
    }
    free(commands);
    return ENCL_OK;
}

// ---- Axis and frame ---------------------------------------------------------------------------------------

// The extent of what is drawn, and how many queues that takes.
static encl_status survey(timeline *line) {
    line->begin = INT64_MAX;
    line->end = INT64_MIN;
    for (size_t i = 0; i < line->of->timeline_count; i++) {
        const encl_profile_timeline *drawn = &line->of->timeline[i];
        encl_placed *commands = NULL;
        const encl_status status = encl_profile_place(drawn, &commands);
        if (status != ENCL_OK) {
            return status;
        }
        line->host = line->host || drawn->clock.aligned;
        line->begin = drawn->run.begin_ns < line->begin ? drawn->run.begin_ns : line->begin;
        line->end = drawn->run.end_ns > line->end ? drawn->run.end_ns : line->end;
        for (size_t k = 0; k < drawn->run.count; k++) {
            int64_t start = commands[k].start;
            int64_t end = commands[k].end;
            encl_lanes_take(&line->lanes, &start, &end);
            line->begin = start < line->begin ? start : line->begin;
            line->end = end > line->end ? end : line->end;
        }
        free(commands);
    }
    line->queues = line->lanes.count;
    line->lanes = (encl_lanes){0};
    return ENCL_OK;
}

// Ticks at round times; finer ones for those who zoom in.
static void write_axis(const timeline *line) {
    FILE *stream = line->page->stream;
    const double span = (double)encl_ns_between(line->begin, line->end);
    const double power = pow(10, floor(log10(span / 5)));
    const double rest = span / 5 / power;
    const double step = power * (rest >= 5 ? 5 : rest >= 2 ? 2 : 1);
    const int parts = 10; // small steps in a large one
    const bool whole = step / parts >= 1;
    for (int i = 0; whole && i * step / parts <= span; i++) {
        const double ns = i * step / parts;
        const double at = 100 * ns / span;
        const int level = i % parts == 0 ? 0 : 1;
        fprintf(stream,
                "<g class=\"z%d\"><line class=\"grid\" x1=\"%.4f%%\" x2=\"%.4f%%\" y1=\"18\" y2=\"100%%\"/>"
                "<text class=\"tick\" x=\"%.4f%%\" y=\"13\" text-anchor=\"%s\">",
                level, at, at, at,
                at > 96  ? "end"
                : i == 0 ? "start"
                         : "middle");
        if (span >= 1e7) {
            encl_html_format(stream, "%.6g ms", ns / 1e6);
        } else {
            encl_html_format(stream, "%.6g \xc2\xb5s", ns / 1e3);
        }
        fputs("</text></g>\n", stream);
    }
}

static void write_row_names(const timeline *line) {
    static const char *const names[] = {"run", "enqueue", "layers", "queue"};
    FILE *stream = line->page->stream;
    const int rows = QUEUE_ROW + line->queues;
    fprintf(stream, "<svg class=\"rows\" width=\"68\" height=\"%d\" aria-hidden=\"true\">\n", row_top(line, rows));
    for (int i = line->host ? RUN_ROW : LAYER_ROW; i < rows; i++) {
        fprintf(stream, "<text x=\"60\" y=\"%d\" text-anchor=\"end\">", row_top(line, i) + 17);
        if (i > QUEUE_ROW) {
            encl_html_format(stream, "also (%d)", i - QUEUE_ROW + 1);
        } else {
            encl_html_text(stream, names[i]);
        }
        fputs("</text>\n", stream);
    }
    fputs("</svg>\n", stream);
}

static encl_status write_drawing(timeline *line) {
    encl_status status = ENCL_OK;
    FILE *stream = line->page->stream;
    fputs("<figure class=\"timeline\">\n<div class=\"frame\">\n", stream);
    write_row_names(line);
    fprintf(stream,
            "<div class=\"window\" tabindex=\"0\" role=\"group\" aria-label=\"Timeline: arrow keys move, + and - zoom, "
            "0 shows all\"><svg class=\"lines\" data-zoom=\"0\" width=\"100%%\" height=\"%d\" role=\"img\" "
            "aria-label=\"Commands along "
            "the time; the table below has the numbers\">\n",
            row_top(line, QUEUE_ROW + line->queues));
    write_axis(line);
    for (size_t i = 0; i < line->of->timeline_count; i++) {
        ENCL_TRY(add_run(line, &line->of->timeline[i]));
    }
    for (int i = 0; i < QUEUE_ROW + line->queues; i++) {
        flush_mark(line, i);
    }
    fputs("</svg></div>\n</div>\n", stream);
    if (line->of->timeline_left_out > 0) {
        fputs("<figcaption>", stream);
        encl_html_format(stream, "%lld later runs are not drawn; they count in the tables.",
                         (long long)line->of->timeline_left_out);
        fputs("</figcaption>", stream);
    }
    fputs("</figure>\n", stream);
cleanup:
    return status;
}

// ---- The table --------------------------------------------------------------------------------------------

static void write_command(const encl_page *page, const encl_profile_case *of, size_t index) {
    const encl_profile_row *row = &of->rows[index];
    const encl_profile_record *record = &row->record;
    const double calls = fmax(row->calls, 1);
    char shape[ENCL_PROFILE_SHAPE_TEXT];
    char layer[16];
    fprintf(page->stream, "<tr><th scope=\"row\" class=\"n\" data-v=\"%zu\">%zu</th><td data-v=\"%d\">", index + 1,
            index + 1, (int)record->layer);
    encl_html_text(page->stream, encl_profile_layer(record->layer, page->profile->layers, layer));
    fputs("</td>", page->stream);
    encl_html_cell(page->stream, record->op);
    encl_html_cell(page->stream, record->fused);
    encl_html_cell(page->stream, record->kernel);
    encl_html_cell(page->stream, encl_profile_shape(record, shape));
    encl_html_number(page->stream, row->calls, 0);
    encl_html_number(page->stream, encl_profile_us(row->queued / calls), 1);
    encl_html_number(page->stream, encl_profile_us(row->submitted / calls), 1);
    encl_html_number(page->stream, encl_profile_us(row->exec), 1);
    encl_html_number(page->stream, encl_profile_us(row->host_gap + row->queue_gap + row->launch_gap), 1);
    encl_html_number(page->stream, row->flops > 0 ? encl_profile_rate(row->flops, row->exec) : NAN, 1);
    fputs("</tr>\n", page->stream);
}

static void write_commands(const encl_page *page, const encl_profile_case *of) {
    static const char *const headings[] = {">no",    "layer",   "operator",   "with", "kernel",       "shape",
                                           ">calls", ">queued", ">submitted", ">ran", ">idle before", ">GF/s"};
    const size_t shown = of->row_count < MOST_COMMANDS ? of->row_count : MOST_COMMANDS;
    fputs("<details><summary>", page->stream);
    encl_html_format(page->stream, "All commands as a table (%zu)", of->row_count);
    fputs("</summary>\n<div class=\"scroll\"><table class=\"sortable\"><caption><span>", page->stream);
    encl_html_text(page->stream,
                   of->repeated ? "Commands of a run, in their order: microseconds, means over the runs. Waits of "
                                  "commands overlap, so their sum means nothing."
                                : "Commands of all runs, equal ones together: microseconds; waits are those of one "
                                  "call. Waits of commands overlap, so their sum means nothing.");
    if (shown < of->row_count) {
        encl_html_format(page->stream, " The first %zu; --csv writes all.", shown);
    }
    fputs("</span></caption>\n", page->stream);
    encl_html_headings(page->stream, headings, sizeof headings / sizeof headings[0]);
    fputs("<tbody>\n", page->stream);
    for (size_t i = 0; i < shown; i++) {
        write_command(page, of, i);
    }
    fputs("</tbody></table></div></details>\n", page->stream);
}

encl_status encl_page_timeline(const encl_page *page, const encl_profile_case *of) {
    timeline line = {.page = page, .of = of};
    encl_status status = survey(&line);
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof line.row_ends / sizeof line.row_ends[0]; i++) {
        line.row_ends[i] = INT64_MIN;
    }
    fputs("<h3>Timeline</h3>\n", page->stream);
    if (line.begin < line.end) {
        status = write_drawing(&line);
    } else {
        fputs("<p class=\"soft\">No run was kept to be drawn.</p>\n", page->stream);
    }
    if (status == ENCL_OK) {
        write_commands(page, of);
    }
    return status;
}
