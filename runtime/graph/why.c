// Why a step's kernel rows serve it, in words, for profiles.
#include <string.h>

#include "runtime/graph/lowering.h"

// The schedule's copy of a text; the same texts are kept once.
static encl_status keep_text(encl_schedule *s, encl_string *text, const char **kept) {
    for (size_t i = 0; i < s->text_count; i++) {
        if (strcmp(s->texts[i], text->text) == 0) {
            *kept = s->texts[i];
            return ENCL_OK;
        }
    }
    encl_status status = encl_reserve((void **)&s->texts, &s->text_capacity, s->text_count + 1, sizeof *s->texts);
    if (status == ENCL_OK) {
        s->texts[s->text_count++] = text->text;
        *kept = text->text;
        *text = (encl_string){0};
    }
    return status;
}

// A row that would have been taken before the chosen one.
static bool is_better(const encl_lowering *lowering, const encl_kernel_row *row, const encl_kernel_row *chosen) {
    if (row->op != chosen->op || row->format.precision != chosen->format.precision) {
        return false;
    }
    if (row->family != chosen->family) {
        return row->family == lowering->family && chosen->family == ENCL_FAMILY_PLAIN;
    }
    return encl_kernel_fits_registers(row, lowering->float_width) &&
           (row->rank > chosen->rank || !encl_kernel_fits_registers(chosen, lowering->float_width));
}

// The reason of the choice among rows: what kept better ones away, who asked for it, or how many there were.
static encl_status say_row(const encl_lowering *lowering, const encl_step *step, encl_string *text) {
    const encl_kernel_row *chosen = step->rows[0];
    const encl_kernel_row *unfit = NULL;
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        const encl_kernel_row *row = &encl_kernel_rows[i];
        if (!is_better(lowering, row, chosen)) {
            continue;
        }
        if (!encl_kernel_serves(row, &step->shape)) {
            unfit = unfit == NULL ? row : unfit;
        } else if (lowering->impossible != NULL && lowering->impossible[i]) {
            return encl_string_format(text, "%s needs %s", row->name, row->needs);
        } else if (lowering->quarantined != NULL && lowering->quarantined[i]) {
            return encl_string_format(text, "%s failed here", row->name);
        }
    }
    if (unfit != NULL) {
        return encl_string_format(text, "%s does not serve this shape", unfit->name);
    }
    if (lowering->family_asked) {
        return encl_string_format(text, "family asked for");
    }
    if (lowering->gemm_asked && step->op == ENCL_OP_LINEAR) {
        return encl_string_format(text, "asked for by --gemm");
    }
    const size_t count =
        encl_kernel_candidates(step->op, &step->shape, lowering->family, lowering->quarantined, NULL, 0);
    return count > 1 ? encl_string_format(text, "best of %zu rows", count) : encl_string_format(text, "only row");
}

// Which heights there are to choose from at every run, and that others were left out.
static encl_status say_height(const encl_lowering *lowering, const encl_step *step, size_t row, encl_string *text) {
    encl_status status = ENCL_OK;
    bool left_out = false; // heights of this width that add in another order
    size_t widths = 0;     // rows of another one
    const encl_kernel_row *chosen = step->rows[0];
    const int32_t columns = encl_kernel_tile_columns(chosen);
    for (size_t i = 0; i < encl_kernel_row_count && step->op == ENCL_OP_LINEAR; i++) {
        const encl_kernel_row *other = &encl_kernel_rows[i];
        if (other->op == step->op && other->family == chosen->family && encl_kernel_serves(other, &step->shape) &&
            other->format.precision == step->shape.precision &&
            (lowering->quarantined == NULL || !lowering->quarantined[i])) {
            left_out = left_out || (encl_kernel_tile_columns(other) == columns && other->order != chosen->order);
            widths += encl_kernel_tile_columns(other) != columns;
        }
    }
    if (widths > 0 && encl_kernel_fits_registers(chosen, lowering->float_width)) {
        ENCL_TRY(encl_string_format(text, "; %d columns fit the registers", (int)columns));
    }
    if (step->row_count > 1) {
        ENCL_TRY(
            encl_string_format(text, "; %d rows a tile cost least (of ", (int)encl_kernel_tile_rows(step->rows[row])));
        for (size_t i = 0; i < step->row_count; i++) {
            ENCL_TRY(encl_string_format(text, "%s%d", i == 0 ? "" : ", ", (int)encl_kernel_tile_rows(step->rows[i])));
        }
        ENCL_TRY(encl_string_format(text, ")"));
    }
    if (left_out && lowering->one_order) {
        ENCL_TRY(encl_string_format(text, "; one order for same bits"));
    }
cleanup:
    return status;
}

encl_status encl_lower_say_why(encl_lowerer *l, encl_step *step) {
    encl_status status = ENCL_OK;
    encl_string text = {0};
    if (step->library) {
        step->why[0] = l->lowering->gemm_asked ? "asked for by --gemm" : "no own product for this family";
        return ENCL_OK;
    }
    for (size_t i = 0; i < step->row_count; i++) {
        ENCL_TRY(say_row(l->lowering, step, &text));
        ENCL_TRY(say_height(l->lowering, step, i, &text));
        ENCL_TRY(keep_text(l->schedule, &text, &step->why[i]));
        encl_string_free(&text);
    }
cleanup:
    encl_string_free(&text);
    return status;
}
