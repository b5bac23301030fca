#include "host/cli/bench/shapes.h"

#include <stdlib.h>
#include <string.h>

#include "host/encl_model.h"
#include "runtime/base/file.h"

enum {
    FILE_LIMIT = 1 << 20,
    SIZE_LIMIT = 1 << 24,
    HEAD_LIMIT = 1024,
    SEQUENCE_LIMIT = 1 << 16,
    WORD_LENGTH = 64, // of a line that is shown in a message
};
static const int64_t tensor_limit = (int64_t)1 << 29; // numbers in a tensor: 2 GiB
static const char blanks[] = " \t\r";

// ---- What a line may say ----------------------------------------------------------------------------------

#define OP(name) (1u << ENCL_OP_##name)

typedef enum value_kind { SIZE, ACTIVATION, POOLING, YES_NO, LENGTHS, QUERIES } value_kind;

// offset: of an int32_t in encl_check_case, for SIZE.
typedef struct key {
    const char *name;
    value_kind kind;
    size_t offset;
    int32_t most;
    uint32_t needed, allowed; // operators that must have it, that may have it besides
} key;

#define SHAPE(member) offsetof(encl_check_case, shape.member)
// In the order in which a shape's text has them.
static const key keys[] = {
    {"rows", SIZE, SHAPE(rows), SIZE_LIMIT,
     OP(EMBED) | OP(LINEAR) | OP(EPILOGUE) | OP(PACK) | OP(QUANTIZE) | OP(LAYER_NORM) | OP(GATHER) | OP(NORMALIZE) |
         OP(TOP_K),
     0},
    {"columns", SIZE, SHAPE(columns), SIZE_LIMIT,
     OP(EMBED) | OP(LINEAR) | OP(EPILOGUE) | OP(QUANTIZE) | OP(LAYER_NORM) | OP(GATHER) | OP(POOL) | OP(NORMALIZE) |
         OP(TOP_K),
     0},
    {"depth", SIZE, SHAPE(depth), SIZE_LIMIT, OP(LINEAR) | OP(PACK), 0},
    {"x_stride", SIZE, SHAPE(x_stride), SIZE_LIMIT, 0, OP(LINEAR) | OP(QUANTIZE)},
    {"heads", SIZE, SHAPE(heads), HEAD_LIMIT, OP(ATTENTION) | OP(KEYS), 0},
    {"head_size", SIZE, SHAPE(head_size), HEAD_LIMIT, OP(ATTENTION) | OP(KEYS), 0},
    {"lengths", LENGTHS, 0, 0, OP(ATTENTION) | OP(KEYS) | OP(POOL), 0},
    {"queries", QUERIES, 0, 0, 0, OP(ATTENTION)},
    {"activation", ACTIVATION, 0, 0, 0, OP(LINEAR) | OP(EPILOGUE)},
    {"residual", YES_NO, 0, 0, 0, OP(LINEAR) | OP(EPILOGUE)},
    {"pooling", POOLING, 0, 0, OP(POOL), 0},
    {"top_k", SIZE, SHAPE(top_k), ENCL_TOP_K_MOST, OP(TOP_K), 0},
    {"vocabulary", SIZE, offsetof(encl_check_case, table_rows), SIZE_LIMIT, 0, OP(EMBED)},
    {"positions", SIZE, offsetof(encl_check_case, positions), SIZE_LIMIT, 0, OP(EMBED)},
    {"table", SIZE, offsetof(encl_check_case, table_rows), SIZE_LIMIT, 0, OP(GATHER)},
};
enum { KEYS = sizeof keys / sizeof keys[0] };

static const char *const activations[] = {
    [ENCL_ACTIVATION_NONE] = "none", [ENCL_ACTIVATION_GELU] = "gelu", [ENCL_ACTIVATION_GELU_TANH] = "gelu_tanh",
    [ENCL_ACTIVATION_RELU] = "relu", [ENCL_ACTIVATION_SILU] = "silu", [ENCL_ACTIVATION_TANH] = "tanh",
};

// ---- Reading ----------------------------------------------------------------------------------------------

typedef struct reader {
    const char *place; // of the file
    int64_t line;
    encl_bench_shape shape;   // in the making
    const char *values[KEYS]; // as the line has them; NULL: it has none
    encl_bench_shapes *shapes;
} reader;

#define wrong(r, ...) \
    encl_fail_context(encl_fail(ENCL_FORMAT, __VA_ARGS__), "%s:%lld", (r)->place, (long long)(r)->line)

// A number from 1 to `most`; *end stands behind it.
static bool parse_number(const char *text, int32_t most, int32_t *value, const char **end) {
    int64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && number <= most; at++) {
        number = 10 * number + (*at - '0');
    }
    *end = at;
    *value = (int32_t)(number <= most ? number : 0);
    return at > text && number >= 1 && number <= most;
}

static encl_status parse_size(reader *r, const key *k, const char *value) {
    int32_t number = 0;
    const char *end;
    if (!parse_number(value, k->most, &number, &end) || *end != '\0') {
        return wrong(r, "%s: found '%.*s', expected a number from 1 to %d", k->name, WORD_LENGTH, value, (int)k->most);
    }
    memcpy((char *)&r->shape.check + k->offset, &number, sizeof number);
    return ENCL_OK;
}

static encl_status parse_name(reader *r, const char *what, const char *value, const char *const *names, size_t count,
                              size_t *found) {
    encl_string list = {0};
    encl_status status = ENCL_OK;
    for (*found = 0; *found < count; ++*found) {
        if (strcmp(names[*found], value) == 0) {
            return ENCL_OK;
        }
    }
    for (size_t i = 0; i < count && status == ENCL_OK; i++) {
        status = encl_string_list(&list, names[i]);
    }
    if (status == ENCL_OK) {
        status = wrong(r, "%s: found '%.*s', expected one of %s", what, WORD_LENGTH, value, list.text);
    }
    encl_string_free(&list);
    return status;
}

// "8x128,31": eight sequences of 128 tokens and one of 31.
static encl_status parse_lengths(reader *r, const char *value) {
    encl_status status = ENCL_OK;
    int32_t *lengths = NULL;
    size_t capacity = 0;
    int32_t count = 0;
    int64_t tokens = 0;
    for (const char *at = value;; at++) {
        int32_t times = 1;
        int32_t length = 0;
        bool good = parse_number(at, SIZE_LIMIT, &length, &at);
        if (good && *at == 'x') {
            times = length;
            good = times <= SEQUENCE_LIMIT && parse_number(at + 1, SIZE_LIMIT, &length, &at);
        }
        tokens += (int64_t)times * length;
        if (!good || (*at != ',' && *at != '\0') || tokens > SIZE_LIMIT || count + times > SEQUENCE_LIMIT) {
            status =
                wrong(r,
                      "lengths: found '%.*s', expected numbers of tokens with commas between them, or as in 8x128, "
                      "of at most %d sequences and %d tokens",
                      WORD_LENGTH, value, SEQUENCE_LIMIT, SIZE_LIMIT);
            goto cleanup;
        }
        ENCL_TRY(encl_reserve((void **)&lengths, &capacity, (size_t)(count + times), sizeof *lengths));
        for (int32_t i = 0; i < times; i++) {
            lengths[count++] = length;
        }
        if (*at == '\0') {
            break;
        }
    }
    r->shape.check.lengths = lengths;
    r->shape.check.sequences = count;
    lengths = NULL;
cleanup:
    free(lengths);
    return status;
}

// The first tokens alone are queries, as in the last layer of a model that pools them.
static encl_status parse_queries(reader *r, const char *value) {
    static const char *const names[] = {"all", "first"};
    encl_check_case *check = &r->shape.check;
    encl_status status = ENCL_OK;
    size_t found = 0;
    int32_t *rows = NULL;
    ENCL_TRY(parse_name(r, "queries", value, names, 2, &found));
    if (found == 1) {
        ENCL_TRY(encl_allocate((size_t)check->sequences + 1, sizeof *rows, (void **)&rows));
        for (int32_t i = 0; i < check->sequences; i++) {
            rows[i + 1] = rows[i] + check->lengths[i];
        }
        check->rows = rows;
        check->row_count = check->sequences;
    }
cleanup:
    return status;
}

static encl_status parse_value(reader *r, const key *k, const char *value) {
    static const char *const yes_no[] = {"no", "yes"};
    encl_status status = ENCL_OK;
    encl_shape *s = &r->shape.check.shape;
    size_t found = 0;
    size_t count = 0;
    switch (k->kind) {
    case SIZE:
        return parse_size(r, k, value);
    case LENGTHS:
        return parse_lengths(r, value);
    case QUERIES:
        return parse_queries(r, value);
    case ACTIVATION:
        ENCL_TRY(parse_name(r, k->name, value, activations, sizeof activations / sizeof activations[0], &found));
        s->activation = (encl_activation)found;
        break;
    case YES_NO:
        ENCL_TRY(parse_name(r, k->name, value, yes_no, 2, &found));
        s->residual = found == 1;
        break;
    default:
        if (encl_pooling_parse(value, &s->pooling, 1, &count) != ENCL_OK || s->pooling == ENCL_POOLING_POOLER) {
            return wrong(r, "pooling: found '%.*s', expected a mode of embed --pooling but pooler", WORD_LENGTH, value);
        }
        break;
    }
cleanup:
    return status;
}

// ---- A line -----------------------------------------------------------------------------------------------

static encl_status find_operator(reader *r, const char *word) {
    const char *names[ENCL_OPERATOR_COUNT];
    size_t found = 0;
    for (size_t i = 0; i < ENCL_OPERATOR_COUNT; i++) {
        names[i] = encl_operator_name((encl_operator)i);
    }
    const encl_status status = parse_name(r, "operator", word, names, ENCL_OPERATOR_COUNT, &found);
    if (status == ENCL_OK) {
        r->shape.op = (encl_operator)found;
    }
    return status;
}

// Takes "rows=128" for later: lengths must be known before queries are.
static encl_status take_word(reader *r, char *word) {
    char *equals = strchr(word, '=');
    if (equals == NULL || equals == word || equals[1] == '\0') {
        return wrong(r, "found '%.*s', expected key=value", WORD_LENGTH, word);
    }
    *equals = '\0';
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, word) == 0 && (((keys[i].needed | keys[i].allowed) >> r->shape.op) & 1) != 0) {
            if (r->values[i] != NULL) {
                return wrong(r, "found %s twice, expected it once", word);
            }
            r->values[i] = equals + 1;
            return ENCL_OK;
        }
    }
    encl_string list = {0};
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < KEYS && status == ENCL_OK; i++) {
        if ((((keys[i].needed | keys[i].allowed) >> r->shape.op) & 1) != 0) {
            status = encl_string_list(&list, keys[i].name);
        }
    }
    if (status == ENCL_OK) {
        status = wrong(r, "found '%.*s', expected for %s one of %s", WORD_LENGTH, word, encl_operator_name(r->shape.op),
                       list.text);
    }
    encl_string_free(&list);
    return status;
}

static bool too_large(int64_t rows, int64_t columns) {
    return rows > 0 && columns > tensor_limit / rows;
}

static encl_status check_size(reader *r) {
    const encl_check_case *check = &r->shape.check;
    const encl_shape *s = &check->shape;
    const int64_t width = (int64_t)s->heads * s->head_size;
    int64_t tokens = 0;
    for (int32_t i = 0; i < check->sequences; i++) {
        tokens += check->lengths[i];
    }
    if (s->x_stride > 0 && s->x_stride < s->depth) {
        return wrong(r, "x_stride: found %d, expected at least the depth, %d", (int)s->x_stride, (int)s->depth);
    }
    if (too_large(s->rows, s->columns) || too_large(s->rows, s->x_stride > 0 ? s->x_stride : s->depth) ||
        too_large(s->columns, s->depth) || too_large(check->table_rows, s->columns) ||
        too_large(check->positions, s->columns) || too_large(tokens + 32 * (int64_t)check->sequences, 3 * width) ||
        too_large(tokens, s->columns)) {
        return wrong(r, "found a tensor of more than 2^29 numbers, expected smaller ones");
    }
    return ENCL_OK;
}

// What the runtime lays out: query, key and value of all tokens side by side; first tokens' queries on their own.
static void set_strides(encl_check_case *check, encl_operator op) {
    encl_shape *s = &check->shape;
    const int32_t width = s->heads * s->head_size;
    const bool apart = check->rows != NULL;
    if (op == ENCL_OP_ATTENTION || op == ENCL_OP_KEYS) {
        s->q_stride = apart ? width : 3 * width;
        s->kv_stride = apart ? 2 * width : 3 * width;
        s->key_column = apart ? 0 : width;
        s->value_column = s->key_column + width;
        s->out_stride = width;
    } else if (op == ENCL_OP_POOL) {
        s->out_stride = s->columns;
        check->whole = true;
    }
}

static void free_shape(encl_bench_shape *shape) {
    free((void *)shape->check.lengths);
    free((void *)shape->check.rows);
    free(shape->text);
    *shape = (encl_bench_shape){0};
}

static encl_status keep(reader *r) {
    encl_bench_shapes *all = r->shapes;
    for (size_t i = 0; i < all->count; i++) {
        if (all->shapes[i].op == r->shape.op && strcmp(all->shapes[i].text, r->shape.text) == 0) {
            return ENCL_OK;
        }
    }
    const encl_status status = encl_reserve((void **)&all->shapes, &all->capacity, all->count + 1, sizeof *all->shapes);
    if (status == ENCL_OK) {
        all->shapes[all->count++] = r->shape;
        r->shape = (encl_bench_shape){0};
    }
    return status;
}

static encl_status read_line(reader *r, char *line) {
    encl_status status = ENCL_OK;
    encl_string text = {0};
    char *rest = NULL;
    line[strcspn(line, "#")] = '\0';
    char *word = strtok_r(line, blanks, &rest);
    if (word == NULL) {
        return ENCL_OK;
    }
    memset(r->values, 0, sizeof r->values);
    r->shape = (encl_bench_shape){.check = {.shape.epsilon = 1e-12f, .seed = 1}};
    ENCL_TRY(find_operator(r, word));
    while ((word = strtok_r(NULL, blanks, &rest)) != NULL) {
        ENCL_TRY(take_word(r, word));
    }
    for (size_t i = 0; i < KEYS; i++) {
        if (r->values[i] != NULL) {
            ENCL_TRY(parse_value(r, &keys[i], r->values[i]));
            ENCL_TRY(encl_string_format(&text, "%s%s=%s", text.length > 0 ? " " : "", keys[i].name, r->values[i]));
        } else if (((keys[i].needed >> r->shape.op) & 1) != 0) {
            status = wrong(r, "found %s without %s, expected it", encl_operator_name(r->shape.op), keys[i].name);
            goto cleanup;
        }
    }
    ENCL_TRY(check_size(r));
    set_strides(&r->shape.check, r->shape.op);
    r->shape.text = text.text;
    text = (encl_string){0};
    ENCL_TRY(keep(r));
cleanup:
    encl_string_free(&text);
    free_shape(&r->shape);
    return status;
}

// ---- A file -----------------------------------------------------------------------------------------------

static encl_status read_text(const char *name, char **text, const char **place) {
    size_t length = 0;
    for (size_t i = 0; i < encl_shape_file_count; i++) {
        const encl_embedded_file *file = &encl_shape_files[i];
        if (strlen(name) + strlen(".txt") == strlen(file->name) && strncmp(file->name, name, strlen(name)) == 0) {
            *place = file->name;
            return encl_copy_text(file->text, file->length, text);
        }
    }
    *place = name;
    encl_status status = encl_file_read(name, FILE_LIMIT, text, &length);
    if (status == ENCL_OK && strlen(*text) != length) {
        status = encl_fail(ENCL_FORMAT, "%s: found NUL as byte %zu, expected text", name, strlen(*text));
        free(*text);
        *text = NULL;
    }
    return status;
}

encl_status encl_bench_shapes_read(const char *name, encl_bench_shapes *shapes) {
    encl_status status = ENCL_OK;
    reader r = {.shapes = shapes};
    char *text = NULL;
    *shapes = (encl_bench_shapes){0};
    ENCL_TRY(read_text(name, &text, &r.place));
    for (char *line = text; line != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        r.line++;
        ENCL_TRY(read_line(&r, line));
        line = next;
    }
    if (shapes->count == 0) {
        status = encl_fail(ENCL_FORMAT,
                           "%s: found no case, expected a line such as 'linear rows=128 columns=768 "
                           "depth=768'",
                           name);
    }
cleanup:
    free(text);
    if (status != ENCL_OK) {
        encl_bench_shapes_free(shapes);
    }
    return status;
}

void encl_bench_shapes_free(encl_bench_shapes *shapes) {
    for (size_t i = 0; i < shapes->count; i++) {
        free_shape(&shapes->shapes[i]);
    }
    free(shapes->shapes);
    *shapes = (encl_bench_shapes){0};
}
