// Put before every kernel file: OpenCL C 1.2, no extensions.
//
// Every operator has one argument list, the same for all kernel families: buffers first, then 4-byte scalars, in the
// order of runtime/op/operator.c. Sums run with explicit fma in a fixed order (the row's `order` in kernels.def), so
// that equal orders give equal bits; a sum without products is fma(v, 1, sum), because Intel's CPU compiler adds in
// another order where it vectorizes a plain one.
#pragma OPENCL FP_CONTRACT OFF

// Weights of a matrix product lie in panels of 32 output columns, zero beyond N; a panel is, in words of 4 bytes:
//     float32    [K][32] floats
//     bfloat16   [ceil(K / 2)][32] words, each two weights of a column, the one with the lower k in the low half
//     int8       [32] floats: scales t; [32] ints: sums of the weights w; [ceil(K / 4)][32] words, each four signed
//                bytes w of a column, the lowest k in the lowest byte. The weights are t w.
// Rows of x that QUANTIZE writes:
//     bfloat16   ceil(K / 2) words of two
//     int8       QUANTIZED_HEAD words: float scale s, int zero z, zeros; then ceil(K / 4) words of four unsigned bytes
//     q.
//                The numbers are s (q - z).
// All of these are zero beyond K. A product in int8 is s t (sum of q w - z (sum of w)), its sums in integers.
#define QUANTIZED_HEAD 16
// Keys of attention lie in panels of 32 keys: [panel][head][head size][32], zero beyond a sequence's end.
#define PANEL 32

// Activations (encl_activation).
#define ACTIVATION_NONE 0
#define ACTIVATION_GELU 1
#define ACTIVATION_GELU_TANH 2
#define ACTIVATION_RELU 3
#define ACTIVATION_SILU 4
#define ACTIVATION_TANH 5

// One entry of the attention work list: consecutive query rows of one sequence.
typedef struct attention_block {
    int first_key;   // the sequence's first token row
    int keys;        // its length
    int first_panel; // its first key panel
    int first_query; // row of q and out
    int queries;     // rows of this block
    int padding[3];
} attention_block;
