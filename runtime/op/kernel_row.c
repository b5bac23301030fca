#include "runtime/op/kernel_row.h"

#include <string.h>

#define GRID(axis, block, local) \
    { ENCL_AXIS_##axis, block, local }
#define TILES(count, rows) rows, count
#define DOMAIN(columns, head, maximum) columns, head, maximum
#define FORMAT(precision, x, levels, limit, short_words) \
    { ENCL_PRECISION_##precision, ENCL_NUMBERS_##x, levels, limit, short_words }
// rows stands last, as TILES is two fields. NOLINTBEGIN(bugprone-macro-parentheses)
#define KERNEL(name, op, family, rank, file, entry, options, order, keys, rows, grid0, grid1, domain, format, needs) \
    {#name, ENCL_OP_##op,     ENCL_FAMILY_##family,     rank,          file,          entry, options,                \
     order, ENCL_KEYS_##keys, {GRID grid0, GRID grid1}, DOMAIN domain, FORMAT format, needs, .tile_rows = rows},
// NOLINTEND(bugprone-macro-parentheses)
const encl_kernel_row encl_kernel_rows[] = {
#include "kernels/kernels.def"
};
#undef KERNEL
#undef FORMAT
#undef DOMAIN
#undef TILES
#undef GRID
const size_t encl_kernel_row_count = sizeof encl_kernel_rows / sizeof encl_kernel_rows[0];
_Static_assert(sizeof encl_kernel_rows / sizeof encl_kernel_rows[0] <= ENCL_KERNEL_ROWS_MOST, "flags hold all rows");

static const char *const family_names[] = {"plain", "tile", "group"};

const char *encl_family_name(encl_family family) {
    return family_names[family];
}

bool encl_family_parse(const char *name, encl_family *family) {
    for (size_t i = 0; i < sizeof family_names / sizeof family_names[0]; i++) {
        if (strcmp(name, family_names[i]) == 0) {
            *family = (encl_family)i;
            return true;
        }
    }
    return false;
}

bool encl_kernel_is_possible(const encl_kernel_row *row, const encl_device *device) {
    const char *missing;
    size_t length;
    return encl_device_has(device, row->needs, &missing, &length);
}

size_t encl_kernel_mark_impossible(const encl_device *device, bool *flags) {
    size_t count = 0;
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        if (!encl_kernel_is_possible(&encl_kernel_rows[i], device)) {
            flags[i] = true;
            count++;
        }
    }
    return count;
}

void encl_kernel_take_format(const encl_kernel_row *row, encl_shape *shape) {
    if (row->op != ENCL_OP_LINEAR && row->op != ENCL_OP_PACK && row->op != ENCL_OP_QUANTIZE) {
        return;
    }
    shape->precision = row->format.precision;
    shape->x = row->format.x;
    if (row->format.levels != 0) {
        shape->levels = row->format.levels;
        shape->limit = row->format.limit;
        shape->short_words = row->format.short_words;
    }
}

// Whether Σ q·w of this depth stays within 32 bits.
static bool holds_sums(const encl_product_format *format, int32_t depth) {
    return (int64_t)format->levels * format->limit * depth <= INT32_MAX;
}

bool encl_kernel_serves(const encl_kernel_row *row, const encl_shape *shape) {
    return row->format.precision == shape->precision && holds_sums(&row->format, shape->depth) &&
           shape->columns % row->columns_multiple == 0 && shape->head_size % row->head_multiple == 0 &&
           (row->head_maximum == 0 || shape->head_size <= row->head_maximum);
}

size_t encl_kernel_candidates(encl_operator op, const encl_shape *shape, encl_family family, const bool *quarantined,
                              const encl_kernel_row **rows, size_t capacity) {
    size_t count = 0;
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        const encl_kernel_row *row = &encl_kernel_rows[i];
        if (row->op != op || (row->family != family && row->family != ENCL_FAMILY_PLAIN) ||
            (quarantined != NULL && quarantined[i]) || !encl_kernel_serves(row, shape)) {
            continue;
        }
        size_t at = count < capacity ? count : capacity;
        while (at > 0 && rows[at - 1]->rank < row->rank) {
            if (at < capacity) {
                rows[at] = rows[at - 1];
            }
            at--;
        }
        if (at < capacity) {
            rows[at] = row;
        }
        count++;
    }
    return count;
}

// Attention that reads key panels is of no use where nothing writes them.
static bool has_its_keys(const encl_kernel_row *row, const encl_shape *shape, encl_family family,
                         const bool *quarantined) {
    const encl_kernel_row *keys = NULL;
    return row->keys != ENCL_KEYS_PANELS ||
           encl_kernel_candidates(ENCL_OP_KEYS, shape, family, quarantined, &keys, 1) > 0;
}

int32_t encl_kernel_block_rows(const encl_kernel_row *row) {
    return row->tile_rows * (row->tiles > 0 ? row->tiles : 1);
}

int32_t encl_kernel_tile_rows(const encl_kernel_row *row) {
    return row->tile_rows > 0 ? row->tile_rows : row->grid[0].axis == ENCL_AXIS_ROWS ? row->grid[0].block : 1;
}

int32_t encl_kernel_tile_columns(const encl_kernel_row *row) {
    return row->grid[1].axis == ENCL_AXIS_COLUMNS ? row->grid[1].block : 0;
}

// Vector registers by the floats in one.
static uint32_t register_count(uint32_t float_width) {
#if defined(__aarch64__)
    (void)float_width;
    return 32;
#else
    return float_width >= 16 ? 32 : 16; // x86: AVX-512 has 32
#endif
}

bool encl_kernel_fits_registers(const encl_kernel_row *row, uint32_t float_width) {
    if (row->family != ENCL_FAMILY_TILE || float_width == 0) {
        return true;
    }
    // A tile of attention is as wide as two registers of the width that its height is meant for.
    const uint32_t columns = (uint32_t)encl_kernel_tile_columns(row);
    const uint32_t vectors = columns > 0 ? (columns + float_width - 1) / float_width : 2;
    return (uint32_t)row->tile_rows * vectors + vectors + 1 <= register_count(float_width);
}

// The row of found, best first, that a step is built upon; the rows of other families only serve where those of the
// first one's do not.
static const encl_kernel_row *choose_leader(const encl_kernel_row *const *found, size_t count, uint32_t float_width) {
    const encl_kernel_row *leader = count > 0 ? found[0] : NULL;
    for (size_t i = 0; i < count && found[i]->family == found[0]->family; i++) {
        leader = found[i];
        if (encl_kernel_fits_registers(leader, float_width)) {
            break;
        }
    }
    return leader;
}

// Nor is a product whose operands nothing makes.
static bool has_its_operands(const encl_kernel_row *row, const encl_shape *shape, encl_family family,
                             const bool *quarantined) {
    if (row->op != ENCL_OP_LINEAR) {
        return true;
    }
    const encl_kernel_row *maker = NULL;
    const encl_shape weight = {.precision = row->format.precision};
    const encl_shape x = {.precision = row->format.precision, .columns = shape->depth};
    return encl_kernel_candidates(ENCL_OP_PACK, &weight, family, quarantined, &maker, 1) > 0 &&
           (row->format.x == ENCL_NUMBERS_FLOATS ||
            encl_kernel_candidates(ENCL_OP_QUANTIZE, &x, family, quarantined, &maker, 1) > 0);
}

static bool same_format(const encl_product_format *a, const encl_product_format *b) {
    return a->precision == b->precision && a->x == b->x && a->levels == b->levels && a->limit == b->limit &&
           a->short_words == b->short_words;
}

// A row may stand beside the leader as another height of its product.
static bool is_height_of(const encl_kernel_row *row, const encl_kernel_row *leader, bool one_order) {
    return row->op == ENCL_OP_LINEAR && row->family == leader->family &&
           encl_kernel_tile_columns(row) == encl_kernel_tile_columns(leader) &&
           same_format(&row->format, &leader->format) &&
           (!one_order || (row->order == leader->order && row->order != 0));
}

// A better row of the same height is there already.
static bool has_height(const encl_kernel_row *const *rows, size_t count, int32_t height) {
    for (size_t i = 0; i < count; i++) {
        if (encl_kernel_tile_rows(rows[i]) == height) {
            return true;
        }
    }
    return false;
}

size_t encl_kernel_choose_rows(encl_operator op, const encl_shape *shape, encl_family family, uint32_t float_width,
                               const bool *quarantined, bool one_order, const encl_kernel_row **rows, size_t capacity) {
    const encl_kernel_row *found[16];
    const size_t most = sizeof found / sizeof found[0];
    size_t count = 0;
    size_t kept = 0;
    const size_t candidates = encl_kernel_candidates(op, shape, family, quarantined, found, most);
    for (size_t i = 0; i < candidates && i < most; i++) {
        if (has_its_keys(found[i], shape, family, quarantined) &&
            has_its_operands(found[i], shape, family, quarantined)) {
            found[count++] = found[i];
        }
    }
    const encl_kernel_row *leader = choose_leader(found, count, float_width);
    for (size_t i = 0; i < count && kept < capacity; i++) {
        if (found[i] == leader ||
            (is_height_of(found[i], leader, one_order) && !has_height(rows, kept, encl_kernel_tile_rows(found[i])))) {
            rows[kept++] = found[i];
        }
    }
    return kept;
}

size_t encl_kernel_choose_height(const encl_kernel_row *const *rows, size_t count, int32_t m) {
    size_t best = 0;
    double best_cost = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t height = encl_kernel_tile_rows(rows[i]);
        const int32_t padded = (m + height - 1) / height * height;
        const double cost = padded * (1.0 + 1.0 / height);
        if (i == 0 || cost < best_cost) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

bool encl_kernel_prefers_library(encl_gemm gemm, encl_family family, bool same_bits) {
    return gemm == ENCL_GEMM_CLBLAST || (gemm == ENCL_GEMM_AUTO && family == ENCL_FAMILY_GROUP && !same_bits);
}

bool encl_kernel_keeps_bits(encl_same_bits same_bits, encl_device_type type) {
    return same_bits == ENCL_SAME_BITS_ON || (same_bits == ENCL_SAME_BITS_AUTO && type == ENCL_DEVICE_CPU);
}

static size_t axis_length(encl_axis axis, const encl_shape *shape) {
    switch (axis) {
    case ENCL_AXIS_ROWS:
        return (size_t)(shape->rows - shape->first_row);
    case ENCL_AXIS_COLUMNS:
        return (size_t)shape->columns;
    case ENCL_AXIS_DEPTH:
        return (size_t)shape->depth;
    case ENCL_AXIS_HEADS:
        return (size_t)shape->heads;
    default:
        return 1;
    }
}

encl_launch encl_kernel_launch(const encl_kernel_row *row, const encl_shape *shape) {
    encl_launch launch;
    for (size_t i = 0; i < 2; i++) {
        const size_t block = (size_t)row->grid[i].block;
        launch.local[i] = (size_t)row->grid[i].local;
        launch.global[i] = (axis_length(row->grid[i].axis, shape) + block - 1) / block * launch.local[i];
    }
    return launch;
}
