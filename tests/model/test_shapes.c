// The table of shapes: parameters as published, and a short sequence through every shape of moderate size.
#include "test.h"

#include <math.h>
#include <string.h>

#include "host/encl_model.h"

// What runs. Where drawing of weights is slow, under sanitizers and without optimization, only the small ones.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
static const int64_t most_parameters = 40000000;
#else
static const int64_t most_parameters = 200000000;
#endif

// Of BERT with a pooler.
static int64_t parameters_of(const encl_model_shape *s) {
    const int64_t hidden = s->hidden;
    const int64_t tables = (int64_t)s->vocabulary + s->max_position + s->type_vocabulary;
    const int64_t attention = 4 * (hidden * hidden + hidden);
    const int64_t feed_forward = 2 * hidden * s->intermediate + s->intermediate + hidden;
    const int64_t norms = 2 * 2 * hidden;
    return tables * hidden + 2 * hidden + s->layers * (attention + feed_forward + norms) + hidden * hidden + hidden;
}

static const encl_model_shape *find(const char *name) {
    size_t count = 0;
    const encl_model_shape *shapes = encl_model_shapes(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(shapes[i].name, name) == 0) {
            return &shapes[i];
        }
    }
    fail_msg("no shape %s", name);
    return NULL;
}

static void parameters_are_as_published(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int64_t parameters;
    } published[] = {
        {"bert-base-chinese", 102267648},
        {"bert-base-uncased", 109482240},
        {"bert-base-cased", 108310272},
        {"bert-large-uncased", 335141888},
        {"bert-large-cased", 333579264},
        {"bert-large-uncased-whole-word-masking", 335141888},
        {"bert-base-multilingual-cased", 177853440},
        {"bert-base-multilingual-uncased", 167356416},
        {"roberta-wwm-ext", 102267648},
        {"roberta-wwm-ext-large", 325522432},
        {"macbert-base", 102267648},
        {"macbert-large", 325522432},
        {"rbt3", 38476800},
        {"rbtl3", 61001728},
        {"minilm", 22713216},
        {"minilm-l6", 22713216},
        {"minilm-l12", 33360000},
        {"bge-small-zh", 23953920},
        {"bge-small-en", 33360000},
        {"bge-base-en", 109482240},
        {"bge-large-en", 335141888},
    };
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        const int64_t found = parameters_of(find(published[i].name));
        if (found != published[i].parameters) {
            fail_msg("%s has %lld parameters, expected %lld", published[i].name, (long long)found,
                     (long long)published[i].parameters);
        }
    }
}

static void rows_are_sound(void **state) {
    (void)state;
    size_t count = 0;
    const encl_model_shape *shapes = encl_model_shapes(&count);
    assert_true(count > 30);
    for (size_t i = 0; i < count; i++) {
        const encl_model_shape *s = &shapes[i];
        assert_int_equal(s->hidden % s->heads, 0);
        assert_int_equal(s->intermediate, 4 * s->hidden);
        assert_int_equal(s->max_position, 512);
        assert_int_equal(s->type_vocabulary, 2);
        assert_ptr_equal(find(s->name), s); // no name twice
        const bool cased = strcmp(s->casing, "cased") == 0;
        assert_true(cased || strcmp(s->casing, "uncased") == 0);
        // The vocabularies of cased models.
        assert_int_equal(cased, s->vocabulary == 28996 || s->vocabulary == 119547);
    }
}

static bool same_sizes(const encl_model_shape *a, const encl_model_shape *b) {
    return a->layers == b->layers && a->hidden == b->hidden && a->intermediate == b->intermediate &&
           a->vocabulary == b->vocabulary;
}

static const encl_device *first_cpu(void) {
    const encl_device *const *devices = NULL;
    size_t count = 0;
    if (encl_devices(&devices, &count) != ENCL_OK) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const encl_device_info *info = encl_device_get_info(devices[i]);
        if (encl_test_usable(devices[i]) && info->type == ENCL_DEVICE_CPU && !info->software) {
            return devices[i];
        }
    }
    return NULL;
}

// A sequence with the last row of every table: its embedding has length 1 and is the same in the company of another.
static void run_shape(const encl_device *device, const encl_model_shape *s) {
    const int32_t ids[] = {101, s->vocabulary - 1, 102, 101, 4000, 5000, 6000, 102};
    const int32_t types[] = {0, 0, 1, 0, 0, 1, 1, 1};
    const int32_t offsets[] = {0, 3, 8};
    const encl_batch batches[] = {
        {.tokens = 3, .sequences = 1, .ids = ids, .types = types, .offsets = offsets},
        {.tokens = 8, .sequences = 2, .ids = ids, .types = types, .offsets = offsets},
    };
    const encl_executable_options options = {.capacity = {.tokens = 32, .sequences = 2}};
    static float alone[1024];
    encl_model *model = NULL;
    encl_graph *graph = NULL;
    encl_executable *executable = NULL;
    assert_ok(encl_model_open_shape(s->name, 1, &model));
    assert_int_equal(encl_model_get_info(model)->parameters, parameters_of(s));
    assert_ok(encl_model_embed_graph(model, NULL, &graph));
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    for (int i = 0; i < 2; i++) {
        encl_event *event = NULL;
        const float *values = NULL;
        int64_t rows = 0;
        int64_t columns = 0;
        double square = 0;
        assert_ok(encl_executable_run(executable, &batches[i], false, &event));
        assert_ok(encl_event_wait(event, -1));
        assert_ok(encl_event_output(event, 0, &values, &rows, &columns));
        assert_int_equal(rows, i + 1);
        assert_int_equal(columns, s->hidden);
        for (int32_t h = 0; h < s->hidden; h++) {
            square += (double)values[h] * (double)values[h];
        }
        assert_true(fabs(square - 1) < 1e-5);
        if (i == 0) {
            memcpy(alone, values, (size_t)s->hidden * sizeof *alone);
        } else {
            assert_memory_equal(values, alone, (size_t)s->hidden * sizeof *alone);
            assert_memory_not_equal(values, values + s->hidden, (size_t)s->hidden * sizeof *alone);
        }
        encl_event_release(event);
    }
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);
    encl_model_close(model);
}

static void moderate_shapes_run(void **state) {
    (void)state;
    size_t count = 0;
    const encl_device *device = first_cpu();
    const encl_model_shape *shapes = encl_model_shapes(&count);
    if (device == NULL) {
        print_message("skipped: no CPU device\n");
        skip();
    }
    for (size_t i = 0; i < count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++) {
            seen = seen || same_sizes(&shapes[j], &shapes[i]);
        }
        if (!seen && parameters_of(&shapes[i]) < most_parameters) {
            print_message("  %s\n", shapes[i].name);
            run_shape(device, &shapes[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_as_published),
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(moderate_shapes_run),
    };
    return encl_test_main(tests);
}
