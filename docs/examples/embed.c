// Embeds its arguments and prints how alike they are: embed MODEL TEXT TEXT…
#include <encl/encl_model.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    encl_model *model = NULL;
    encl_embedder *embedder = NULL;
    float *vectors = NULL;
    const encl_device *device = NULL;
    size_t devices = 0;
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL TEXT TEXT...\n", argv[0]);
        return 2;
    }
    const size_t texts = (size_t)argc - 2;

    encl_status status = encl_device_select("auto", &device, 1, &devices);
    if (status == ENCL_OK) {
        status = encl_model_open(argv[1], &model);
    }
    if (status == ENCL_OK) {
        status = encl_embedder_create(model, device, NULL, &embedder);
    }
    if (status == ENCL_OK) {
        const size_t width = (size_t)encl_embedder_width(embedder);
        vectors = malloc(texts * width * sizeof *vectors);
        status = vectors == NULL ? ENCL_OUT_OF_MEMORY
                                 : encl_embedder_embed(embedder, (const char *const *)argv + 2, texts, vectors);
        for (size_t t = 0; t < texts && status == ENCL_OK; t++) {
            float cosine = 0; // embeddings have length 1, so the product is the cosine
            for (size_t i = 0; i < width; i++) {
                cosine += vectors[i] * vectors[t * width + i];
            }
            printf("%6.3f  %s\n", (double)cosine, argv[t + 2]);
        }
    }
    if (status != ENCL_OK) {
        fprintf(stderr, "%s: %s\n", encl_status_message(status), encl_status_detail());
    }
    free(vectors);
    encl_embedder_destroy(embedder);
    encl_model_close(model);
    return status == ENCL_OK ? 0 : 1;
}
