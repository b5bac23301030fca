// A profile as a file: which writer a name asks for, and the spreadsheet.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile/profile.h"

// ---- Which file -------------------------------------------------------------------------------------------

static const struct {
    const char *ending;
    encl_status (*write)(const char *path, const encl_profile *profile);
} writers[] = {
    {".json", encl_profile_write_trace},
    {".csv", encl_profile_write_csv},
    {".html", encl_profile_write_html},
};
enum { WRITER_COUNT = sizeof writers / sizeof writers[0] };

static size_t find_writer(const char *path) {
    size_t i = 0;
    while (i < WRITER_COUNT && !encl_path_ends(path, writers[i].ending)) {
        i++;
    }
    return i;
}

encl_status encl_profile_try_path(const char *path) {
    encl_output output = {0};
    encl_status status = path != NULL ? encl_result_open(path, &output) : ENCL_OK;
    encl_output_abandon(&output);
    return status;
}

encl_status encl_profile_check_path(const char *option, const char *path) {
    if (find_writer(path) < WRITER_COUNT) {
        return ENCL_OK;
    }
    return encl_fail(ENCL_INVALID, "%s: found '%s', expected a name that ends in .json (a trace), .csv or .html",
                     option, path);
}

encl_status encl_profile_write(const char *path, const encl_profile *profile) {
    const size_t i = find_writer(path);
    return i < WRITER_COUNT ? writers[i].write(path, profile) : encl_profile_check_path("profile", path);
}

// ---- CSV --------------------------------------------------------------------------------------------------

// What is not known stays an empty cell.
static const char csv_columns[] =
    "case_id,seq_no,layer,op,kernel,variant,why,dtype,shape,fused,status,calls,queued_us,submit_us,exec_us,exec_p50_us,"
    "host_gap_us,queue_gap_us,launch_gap_us,pct_wall,cum_pct,flops,bytes,gflops,gbs,ai,roof_pct,bound\n";

// A cell and the comma after it, quoted where it must be (RFC 4180).
static void put_text(FILE *stream, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fprintf(stream, "%s,", text);
        return;
    }
    fputc('"', stream);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"') {
            fputc('"', stream);
        }
        fputc(*c, stream);
    }
    fputs("\",", stream);
}

static void put_number(FILE *stream, const char *format, double value) {
    if (isfinite(value)) {
        fprintf(stream, format, value); // NOLINT(clang-diagnostic-format-nonliteral): one of the constants below
    }
    fputc(',', stream);
}

static void put_us(FILE *stream, double ns) {
    put_number(stream, "%.3f", ns / 1e3);
}

// What a line says; times in nanoseconds, NAN where unknown.
typedef struct csv_line {
    const char *name, *layer, *number, *op, *kernel, *why, *shape, *fused, *status;
    const char *dtype;
    double calls, queued, submit, exec, exec_p50, host_gap, queue_gap, launch_gap, pct_wall, cum_pct;
    double flops, bytes;
    encl_roof roof;
} csv_line;

static csv_line empty_line(const encl_profile_case *c, const char *status) {
    return (csv_line){.name = c->name,
                      .layer = "",
                      .number = "",
                      .op = "",
                      .kernel = "",
                      .why = "",
                      .shape = "",
                      .fused = "",
                      .dtype = "",
                      .status = status,
                      .calls = NAN,
                      .queued = NAN,
                      .submit = NAN,
                      .exec = NAN,
                      .exec_p50 = NAN,
                      .host_gap = NAN,
                      .queue_gap = NAN,
                      .launch_gap = NAN,
                      .pct_wall = NAN,
                      .cum_pct = NAN,
                      .flops = NAN,
                      .bytes = NAN,
                      .roof = {NAN, NAN, NAN, ""}};
}

static void put_line(FILE *stream, const csv_line *line) {
    const bool works = line->flops > 0 || line->bytes > 0;
    put_text(stream, line->name);
    put_text(stream, line->number);
    put_text(stream, line->layer);
    put_text(stream, line->op);
    put_text(stream, line->kernel);
    put_text(stream, encl_profile_variant(line->kernel));
    put_text(stream, line->why);
    put_text(stream, line->dtype);
    put_text(stream, line->shape);
    put_text(stream, line->fused);
    put_text(stream, line->status);
    put_number(stream, "%.10g", line->calls);
    put_us(stream, line->queued);
    put_us(stream, line->submit);
    put_us(stream, line->exec);
    put_us(stream, line->exec_p50);
    put_us(stream, line->host_gap);
    put_us(stream, line->queue_gap);
    put_us(stream, line->launch_gap);
    put_number(stream, "%.3f", line->pct_wall);
    put_number(stream, "%.3f", line->cum_pct);
    put_number(stream, "%.0f", line->flops);
    put_number(stream, "%.0f", line->bytes);
    put_number(stream, "%.3f", works ? encl_profile_rate(line->flops, line->exec) : NAN);
    put_number(stream, "%.3f", works ? encl_profile_rate(line->bytes, line->exec) : NAN);
    put_number(stream, "%.3f", works ? line->roof.intensity : NAN);
    put_number(stream, "%.1f", line->roof.roof_pct);
    fprintf(stream, "%s\n", line->roof.bound);
}

// Waits are per call: what overlaps must not be summed.
static void fill_group(csv_line *line, const encl_profile *profile, const encl_profile_case *c,
                       const encl_profile_group *group) {
    line->op = group->op;
    line->kernel = group->kernel;
    line->why = group->why;
    line->calls = group->calls;
    line->queued = group->queued / group->calls;
    line->submit = group->submitted / group->calls;
    line->exec = group->exec;
    line->host_gap = group->host_gap;
    line->queue_gap = group->queue_gap;
    line->launch_gap = group->launch_gap;
    line->pct_wall = encl_profile_pct(group->exec, c->wall);
    line->flops = group->flops;
    line->bytes = group->bytes;
    line->roof = encl_profile_roof(profile, group->calls, group->flops, group->bytes, group->exec);
}

static void put_rows(FILE *stream, const encl_profile *profile, const encl_profile_case *c) {
    double cumulative = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        const encl_profile_row *row = &c->rows[i];
        const encl_profile_group alone = {.op = row->record.op,
                                          .kernel = row->record.kernel,
                                          .why = row->record.why,
                                          .calls = row->calls,
                                          .exec = row->exec,
                                          .flops = row->flops,
                                          .bytes = row->bytes,
                                          .queued = row->queued,
                                          .submitted = row->submitted,
                                          .host_gap = row->host_gap,
                                          .queue_gap = row->queue_gap,
                                          .launch_gap = row->launch_gap};
        char shape[ENCL_PROFILE_SHAPE_TEXT];
        char number[24];
        char layer[16];
        csv_line line = empty_line(c, "EXECUTED");
        fill_group(&line, profile, c, &alone);
        snprintf(number, sizeof number, "%zu", i);
        line.number = number;
        line.layer = encl_profile_layer(row->record.layer, profile->layers, layer);
        line.shape = encl_profile_shape(&row->record, shape);
        line.fused = row->record.fused;
        line.dtype =
            encl_profile_variant(row->record.kernel)[0] != '\0' ? encl_precision_name(row->record.precision) : "";
        line.exec_p50 = row->exec_p50;
        cumulative += row->exec;
        line.cum_pct = encl_profile_pct(cumulative, c->wall);
        put_line(stream, &line);
    }
}

static encl_status put_subtotals(FILE *stream, const encl_profile *profile, const encl_profile_case *c,
                                 encl_profile_grouping by) {
    encl_profile_group *groups = NULL;
    size_t count = 0;
    encl_status status = encl_profile_groups(c, by, &groups, &count);
    for (size_t i = 0; i < count; i++) {
        char layer[16];
        csv_line line = empty_line(c, "SUBTOTAL");
        fill_group(&line, profile, c, &groups[i]);
        if (by == ENCL_PROFILE_BY_LAYER) {
            line.layer = encl_profile_layer(groups[i].layer, profile->layers, layer);
        }
        put_line(stream, &line);
    }
    free(groups);
    return status;
}

static void put_totals(FILE *stream, const encl_profile_case *c) {
    const struct {
        const char *name;
        double ns;
    } totals[] = {{"outside", c->outside},
                  {"lead", c->parts.lead},
                  {"tail", c->parts.tail},
                  {"residual", c->parts.residual},
                  {"TOTAL=wall", c->wall}};
    for (size_t i = c->outside > 0 ? 0 : 1; i < sizeof totals / sizeof totals[0]; i++) {
        csv_line line = empty_line(c, "TOTAL");
        line.op = totals[i].name;
        line.exec = totals[i].ns;
        line.pct_wall = encl_profile_pct(totals[i].ns, c->wall);
        put_line(stream, &line);
    }
}

encl_status encl_profile_write_csv(const char *path, const encl_profile *profile) {
    encl_status status = ENCL_OK;
    encl_output output = {0};
    ENCL_TRY(encl_result_open(path, &output));
    fputs(csv_columns, output.stream);
    for (size_t i = 0; i < profile->case_count; i++) {
        const encl_profile_case *c = &profile->cases[i];
        put_rows(output.stream, profile, c);
        ENCL_TRY(put_subtotals(output.stream, profile, c, ENCL_PROFILE_BY_LAYER));
        ENCL_TRY(put_subtotals(output.stream, profile, c, ENCL_PROFILE_BY_OPERATOR));
        put_totals(output.stream, c);
    }
    status = encl_output_commit(&output);
    output = (encl_output){0};
cleanup:
    encl_output_abandon(&output);
    return status;
}
