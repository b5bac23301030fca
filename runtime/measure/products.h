// Matrix products out = x · weightᵀ, [M, K] · [N, K]ᵀ, by whoever provides them: trials of the library beside those of
// own kernels, and what the runtime would take.
#ifndef ENCL_MEASURE_PRODUCTS_H
#define ENCL_MEASURE_PRODUCTS_H

#include "runtime/measure/trial.h"

typedef struct encl_product {
    int32_t m, n, k;
} encl_product;

// The product as a case of LINEAR, for encl_trial_run: own kernels add a bias.
encl_check_case encl_product_case(const encl_product *product);

// As encl_trial_run, of the library's product without bias. The first launch compiles, which takes seconds.
encl_status encl_product_run(const encl_device *device, const encl_product *product, const encl_trial_options *options,
                             encl_trial *trial);

// Tries the sets of parameters that suit the device on one product and uses the fastest that computes right from then
// on, without a way back: CLBlast cannot give its defaults again. *best says which, a constant; NULL where none does,
// which is no failure. seconds bounds how long further sets are tried. A status other than OK is an interruption or
// lack of memory.
encl_status encl_product_tune(const encl_device *device, const encl_product *product, const encl_sampling *sampling,
                              double seconds, const char **best);

// Who would compute the product in an executable with these options; row is NULL where the library does.
typedef struct encl_product_choice {
    bool library;
    const encl_kernel_row *row;
} encl_product_choice;
encl_product_choice encl_product_choose(const encl_device *device, encl_gemm gemm, encl_same_bits same_bits,
                                        const encl_product *product);

#endif
