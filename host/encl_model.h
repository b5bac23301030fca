// encl: models, tokenizers and tasks, on top of encl.h (whose conventions hold here too).
//
// A model is a folder (or a weight file in one) as Hugging Face, sentence-transformers, Google or PaddleNLP publish it.
// Opening one maps
// the weights and checks every tensor against the configuration; nothing is uploaded. A model is immutable and may be
// shared by threads. An embedder binds it to a device and is used by one thread at a time.
#ifndef ENCL_MODEL_H
#define ENCL_MODEL_H

#include "encl.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- Tokenizers -------------------------------------------------------------------------------------------

// WordPiece tokenization (Wu et al. 2016, as BERT uses it), token for token and offset for offset what the
// Hugging Face fast BertTokenizer gives. A tokenizer is immutable once opened and may be shared by threads.
typedef struct encl_tokenizer encl_tokenizer;

// Opens the tokenizer of a model, by its folder or a weight file in it: vocab.txt and/or tokenizer.json, with
// tokenizer_config.json. Where none of them says whether texts are lowercased, they are, unless more than a hundred of
// the vocabulary's words have upper-case letters (transformers would lowercase those too).
ENCL_API encl_status encl_tokenizer_open(const char *path, encl_tokenizer **tokenizer);
ENCL_API void encl_tokenizer_close(encl_tokenizer *tokenizer);

typedef struct encl_tokenizer_info {
    int32_t vocabulary;               // number of ids
    int32_t cls, sep, pad, unk, mask; // ids; mask may be -1
    int64_t model_max_length;         // of tokenizer_config.json, or -1
    bool lowercase, strip_accents, split_cjk;
    bool cased_by_vocabulary; // lowercase is false because the vocabulary has upper-case words; no file says
} encl_tokenizer_info;
ENCL_API const encl_tokenizer_info *encl_tokenizer_get_info(const encl_tokenizer *tokenizer);

// The token of an id, NULL outside the vocabulary. Lives as long as the tokenizer.
ENCL_API const char *encl_tokenizer_token(const encl_tokenizer *tokenizer, int32_t id);
// The id of a token's exact text, -1 where there is none.
ENCL_API int32_t encl_tokenizer_id(const encl_tokenizer *tokenizer, const char *token);

// One encoded text or pair: four arrays of `count`. Zero-initialise; reused by later calls, which replace it.
// Offsets are Unicode code points into the text (of a pair: into the text that types[] says); an added special
// token has [0, 0] and special[i] = 1.
typedef struct encl_encoding {
    int32_t *ids;
    int32_t *types;
    int32_t *starts;
    int32_t *ends;
    uint8_t *special;
    size_t count;
    size_t capacity;
    size_t lost; // tokens that truncation removed
} encl_encoding;
ENCL_API void encl_encoding_free(encl_encoding *encoding);

// [CLS] text [SEP], or [CLS] text [SEP] pair [SEP] where pair is not NULL (and not empty). Texts are UTF-8 of the
// given byte lengths; invalid UTF-8 is FORMAT naming the byte. max_length counts the specials; 0: no truncation.
// Pairs are truncated longest first.
ENCL_API encl_status encl_tokenizer_encode(const encl_tokenizer *tokenizer, const char *text, size_t length,
                                           const char *pair, size_t pair_length, size_t max_length,
                                           encl_encoding *encoding);

// Appends the tokens of the text without special tokens (for windows over long texts).
ENCL_API encl_status encl_tokenizer_append(const encl_tokenizer *tokenizer, const char *text, size_t length,
                                           encl_encoding *encoding);

// ---- Models -----------------------------------------------------------------------------------------------

typedef struct encl_model encl_model;

typedef struct encl_model_info {
    const char *path;
    const char *file;         // of weights, in the model's folder; "" for a shape
    const char *architecture; // "BertModel", of config.json; "" where it says none
    const char *model_type;   // "bert", "ernie", "roberta"
    const char *format;       // "safetensors"; "random" for a shape
    const char *dtype;        // of the encoder's weights, "F32"; "mixed" where they differ
    const char *head;         // "none", "fill-mask", "classify", …: the most likely use of those in head_names
    const char *const *head_names; // [head_count] what the tensors hold beyond the encoder
    size_t head_count;
    bool mlm_untrained; // fill-mask is there, but as it was before training: it predicts noise
    bool lowercase;     // the tokenizer lowercases
    int32_t layers, hidden, heads, intermediate;
    int32_t vocabulary, max_position, type_vocabulary;
    int64_t parameters;         // of all tensors in the checkpoint that are weights
    size_t tensors;             // in the checkpoint
    int64_t bytes;              // of these
    const char *const *missing; // [missing_count] names of tensors that the architecture has and the checkpoint lacks
    size_t missing_count;
    const char *const *unused; // [unused_count] names, as they are stored, of tensors that nothing here reads
    size_t unused_count;
    size_t ignored;           // tensors that are no weights: optimizers' slots, counters, position ids
    const char *const *notes; // [note_count] what was taken otherwise than the files say, or guessed: a sentence each
    size_t note_count;
    const char *const *labels; // [label_count]
    size_t label_count;
    const encl_pooling *pooling; // [pooling_count] how the model turns tokens into an embedding
    size_t pooling_count;
    bool normalize;
    bool pooler;                     // has a pooler
    int64_t max_length;              // tokens in a sequence, special tokens included
    const char *const *prompt_names; // [prompt_count]
    const char *const *prompts;
    size_t prompt_count;
    const char *default_prompt; // name, or NULL
} encl_model_info;

ENCL_API encl_status encl_model_open(const char *path, encl_model **model);
// A model of a named shape with weights drawn from a seed, without a tokenizer: "minilm", "rbt3", "base", "large".
// For measuring. An unknown name is NOT_FOUND listing those there are.
ENCL_API encl_status encl_model_open_shape(const char *shape, uint64_t seed, encl_model **model);
ENCL_API void encl_model_close(encl_model *model);
ENCL_API const encl_model_info *encl_model_get_info(const encl_model *model);
// NULL for a shape.
ENCL_API const encl_tokenizer *encl_model_tokenizer(const encl_model *model);

ENCL_API const char *encl_pooling_name(encl_pooling pooling); // "mean_sqrt_len", as the command line says it
// "cls,mean" → modes; at most `capacity`. INVALID names the word and lists the modes.
ENCL_API encl_status encl_pooling_parse(const char *text, encl_pooling *modes, size_t capacity, size_t *count);

// ---- Embeddings -------------------------------------------------------------------------------------------

typedef enum encl_choice {
    ENCL_CHOICE_MODEL, // as the model says
    ENCL_CHOICE_NO,
    ENCL_CHOICE_YES,
} encl_choice;

typedef struct encl_embed_options {
    encl_executable_options executable;
    const encl_pooling *pooling; // [pooling_count]; count 0: the model's, else mean
    size_t pooling_count;
    encl_choice normalize; // the model's modules.json, else yes
    const char *prompt;    // name of one of the model's prompts; NULL: its default, "": none
    int64_t max_length;    // 0: the model's; more than the model takes is INVALID
    bool refuse_long;      // a longer text is INVALID instead of truncated
    bool tokens;           // every token's last hidden state instead of one vector a text
} encl_embed_options;

// The graph that an embedder runs: output 0 is [B, width] (or [T, hidden] with options->tokens). options may be NULL.
// The model must outlive the graph. For profiling, or for a schedule of your own.
ENCL_API encl_status encl_model_embed_graph(const encl_model *model, const encl_embed_options *options,
                                            encl_graph **graph);

typedef struct encl_embedder encl_embedder;

// options may be NULL. The model must outlive the embedder.
ENCL_API encl_status encl_embedder_create(const encl_model *model, const encl_device *device,
                                          const encl_embed_options *options, encl_embedder **embedder);
ENCL_API void encl_embedder_destroy(encl_embedder *embedder);
ENCL_API int32_t encl_embedder_width(const encl_embedder *embedder); // numbers in an embedding
ENCL_API const encl_executable_info *encl_embedder_get_info(const encl_embedder *embedder);

// One text's result. Pointers live during the call that gets it.
typedef struct encl_embedding {
    int64_t index; // of the text, from 0
    int64_t rows;  // 1, or the text's tokens
    int64_t columns;
    const float *values; // [rows, columns]
    const int32_t *ids;  // [token_count] what the model read
    size_t token_count;
} encl_embedding;

// A text to embed: UTF-8, valid until the next call or the end of the run.
typedef struct encl_text {
    const char *text;
    size_t length;
} encl_text;

// Embeds every text that next() gives, in order, and hands each result to sink(). While the device computes one
// batch the next one is read and tokenized. next() sets text->text to NULL at the end. A failure of either ends the
// run with its status. *truncated (may be NULL) counts texts that were longer than max_length.
ENCL_API encl_status encl_embedder_run(encl_embedder *embedder, encl_status (*next)(void *context, encl_text *text),
                                       void *next_context,
                                       encl_status (*sink)(void *context, const encl_embedding *embedding),
                                       void *sink_context, int64_t *truncated);

// The same for an array of texts: embeddings[i * width …], allocated by the caller. Not with options->tokens.
ENCL_API encl_status encl_embedder_embed(encl_embedder *embedder, const char *const *texts, size_t count,
                                         float *embeddings);

#ifdef __cplusplus
}
#endif

#endif
