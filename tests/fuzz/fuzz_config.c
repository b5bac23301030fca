// The JSON configurations of a model: the input is config.json, and also modules.json with its Pooling module.
#include "fuzz.h"
#include "host/model/sentence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    encl_folder *folder = NULL;
    encl_config config;
    encl_sentence_config sentence;
    fuzz_write("config.json", data, size);
    fuzz_write("modules.json", data, size);
    fuzz_write("sentence_bert_config.json", data, size);
    fuzz_write("config_sentence_transformers.json", data, size);
    if (encl_folder_open(fuzz_folder(), &folder) != ENCL_OK) {
        abort();
    }
    if (encl_config_read(folder, &config) != ENCL_OK) {
        config = (encl_config){.hidden = 8, .max_position = 16};
    }
    if (encl_sentence_config_read(folder, &config, &sentence) == ENCL_OK) {
        encl_sentence_config_free(&sentence);
    }
    encl_config_free(&config);
    encl_folder_close(folder);
    return 0;
}
