// The pickle machine with all that it knows, without what a format makes of the values.
#include "fuzz.h"
#include "host/checkpoint/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const encl_pickle_global globals[] = {{"a", "b", 0, 0, false}, {"a", "d", 1, 0, true}};
    static const encl_pickle_rules rules = {"a fuzzer", 4, true, globals, 2};
    encl_pickle *pickle = NULL;
    if (encl_pickle_read(&rules, "fuzz", data, size, 0, &pickle) == ENCL_OK) {
        encl_pickle_find(pickle->root, "a");
        encl_pickle_free(pickle);
    }
    return 0;
}
