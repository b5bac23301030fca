// encl: models, tokenizers and tasks, on top of encl.h (whose conventions hold here too).
//
// A model is a folder (or a weight file in one) as Hugging Face, sentence-transformers, Google or PaddleNLP publish it.
// Opening one maps the weights and checks every tensor against the configuration; nothing is uploaded. A model is
// immutable and may be shared by threads.
//
// A task (embedder, mask filler, classifier, named entities, question answering) binds a model to a device and is used
// by one thread at a time. Its run reads texts from one function and hands results to another, in order; the model must
// outlive it. Where the model's numbers overflow, a run ends with NOT_FINITE. Where the device runs out of memory or is
// lost, a run goes on with smaller batches or a new context and gives a warning; no result comes twice. If that does
// not help, it ends with the device's failure, and a later run starts anew.
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

// What a packed model (encl_model_pack) was made for.
typedef struct encl_packed_info {
    const char *device;
    const char *products; // what computed them there: "tile", "plain", "clblast"
    encl_precision precision;
    const bool *exact_layers; // [exact_layer_count] true: products of the layer are in float32 nevertheless
    size_t exact_layer_count;
    size_t weights;
    uint64_t bytes;      // of these
    const char *source;  // format of the checkpoint
    const char *version; // of encl that packed it
} encl_packed_info;

typedef struct encl_model_info {
    const char *path;
    const char *file;              // of weights, in the model's folder; "" for a shape
    const char *architecture;      // "BertModel", of config.json; "" where it says none
    const char *model_type;        // "bert", "ernie", "roberta"
    const char *format;            // "safetensors"; "random" for a shape
    const char *dtype;             // of the encoder's weights, "F32"; "mixed" where they differ
    const char *head;              // "none", "fill-mask", "classify", …: the most likely use of those in head_names
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
    const char *default_prompt;     // name, or NULL
    const encl_packed_info *packed; // NULL: the weights are not packed
} encl_model_info;

// Opens a folder, a zip archive of one, or a weight file in either: safetensors, PyTorch, TensorFlow 1 or Paddle, or a
// packed model, with its configuration and tokenizer (docs/models.md). NOT_FOUND where something is not there, FORMAT
// where it is damaged or does not fit the configuration, UNSUPPORTED where it is sound but asks for what encl does not
// do; the detail names file, place, found and expected. The files must stay as they are until the model is closed.
ENCL_API encl_status encl_model_open(const char *path, encl_model **model);
// The sizes of a published model.
typedef struct encl_model_shape {
    const char *name; // "minilm", "rbt3", "base", "large", "bert-base-chinese", …
    int32_t layers, hidden, heads, intermediate;
    int32_t vocabulary, max_position, type_vocabulary;
    const char *casing; // "cased", "uncased": what the model's tokenizer does
} encl_model_shape;
// The table of them; static.
ENCL_API const encl_model_shape *encl_model_shapes(size_t *count);
// A model of a named shape with weights drawn from a seed, without a tokenizer. For measuring. "base:6" is "base" with
// 6 layers. An unknown name is NOT_FOUND listing those there are; a number of layers beyond 1 … 999 is INVALID.
ENCL_API encl_status encl_model_open_shape(const char *shape, uint64_t seed, encl_model **model);
ENCL_API void encl_model_close(encl_model *model);
// Reads the model's files to their end and compares the checksums that they have: those of a zip's files, so a packed
// model's, and of a TensorFlow checkpoint's tensors. FORMAT where one differs; *checked counts them, 0: there are none.
// proceed() is asked now and then and ends it with its status; NULL: nothing is asked.
ENCL_API encl_status encl_model_verify(const encl_model *model, encl_status (*proceed)(void), size_t *checked);
ENCL_API const encl_model_info *encl_model_get_info(const encl_model *model);
// NULL for a shape.
ENCL_API const encl_tokenizer *encl_model_tokenizer(const encl_model *model);

// What encl_model_pack wrote.
typedef struct encl_pack_report {
    size_t weights;
    uint64_t weight_bytes; // of these
    uint64_t file_bytes;
    encl_executable_info executable; // of the first graph: how it computes on the device
} encl_pack_report;

// Writes the model as one file: its own small files, and its weights in the layouts and the precision in which
// executables with these options compute on the device. encl_model_open takes the file. Every weight is checked to be
// finite. options may be NULL; capacity and depth do not matter. The file gets its name when it is complete. proceed()
// is asked now and then and ends the writing with its status; NULL: nothing is asked. UNSUPPORTED for a packed model.
ENCL_API encl_status encl_model_pack(const encl_model *model, const encl_device *device,
                                     const encl_executable_options *options, const char *path,
                                     encl_status (*proceed)(void), encl_pack_report *report);

ENCL_API const char *encl_pooling_name(encl_pooling pooling); // "mean_sqrt_len", as the command line says it
// "cls,mean" → modes; at most `capacity`. INVALID names the word and lists the modes.
ENCL_API encl_status encl_pooling_parse(const char *text, encl_pooling *modes, size_t capacity, size_t *count);

// ---- Texts ------------------------------------------------------------------------------------------------

// What every task reads: a text, alone or with a second one. UTF-8, valid until the next text is asked for or the run
// ends.
typedef struct encl_text {
    const char *text; // NULL: there are no more texts
    size_t length;
    const char *pair; // NULL or empty: the text is alone
    size_t pair_length;
} encl_text;

// An array of texts, for every run that asks for texts: encl_text_list_next is its next(), the list the context.
typedef struct encl_text_list {
    const encl_text *texts; // [count]
    size_t count;
    size_t at; // of the next text; 0 to begin
} encl_text_list;
ENCL_API encl_status encl_text_list_next(void *list, encl_text *text);

// ---- Precision --------------------------------------------------------------------------------------------

// A low precision moves a model's numbers. How far is measured over some texts: for every token, the cosine between its
// last hidden state in that precision and in float32. The rule is that no token's is below a limit; layers that break
// it stay in float32. (Heads do anyway.) What comes is for the executable options of tasks.
ENCL_API double encl_precision_rule(encl_precision precision); // the limit: 1, 0.9995, 0.99

typedef struct encl_calibrate_options {
    encl_executable_options executable; // how; its precision and exact_layers are what is looked for
    // Texts, as tasks ask for them, of which the first 16,384 tokens are used. NULL: some that are built in, English
    // and Chinese; a model without a tokenizer gets random tokens whatever is here.
    encl_status (*next)(void *context, encl_text *text);
    void *context;
    encl_status (*check)(void *context); // asked before every run over the texts; a failure ends it. NULL: none is
    void *check_context;
} encl_calibrate_options;

typedef struct encl_calibration {
    encl_precision precision;
    bool *exact_layers; // [exact_layer_count] as executable options have them
    size_t exact_layer_count;
    int32_t exact;               // of them are true
    double worst, mean;          // cosine of a token, with these layers in float32
    double all_worst, all_mean;  // with none
    int64_t tokens;              // that were looked at; 0: the precision was said by somebody else
    int64_t text_ns, float32_ns; // a run of 128 tokens with these layers, and in float32; 0: not timed
} encl_calibration;

// Looks for the layers that must stay in float32 for a precision to keep the rule: none where it keeps it so; else the
// layers one after the other, by how much each alone mends. Takes a run over the texts, and where the rule is broken
// two more a layer at most. options may be NULL; UNSUPPORTED where the device has no kernels of the precision.
ENCL_API encl_status encl_model_calibrate(const encl_model *model, const encl_device *device, encl_precision precision,
                                          const encl_calibrate_options *options, encl_calibration *calibration);
// Chooses the precision that is fastest on the device among those that keep the rule, with the layers that this takes.
// What was found for the same model, device and texts is remembered in the cache; a line of the log says what it was.
// options may be NULL.
ENCL_API encl_status encl_model_choose_precision(const encl_model *model, const encl_device *device,
                                                 const encl_calibrate_options *options, encl_calibration *calibration);
ENCL_API void encl_calibration_free(encl_calibration *calibration); // a zeroed one is allowed

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
// The model must outlive the graph and the executables made of it. For profiling, or for a schedule of your own.
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

// ---- Windows ----------------------------------------------------------------------------------------------

// Named entities and answers are looked for in the whole text, however long: what is longer than the model takes is
// read in windows that overlap. As 0 stands for a default overlap, none at all has a number of its own.
enum { ENCL_NO_OVERLAP = -1 };

// ---- Named entities ---------------------------------------------------------------------------------------

// How tokens become entities, as the token-classification pipeline of transformers has it.
typedef enum encl_aggregation {
    ENCL_AGGREGATION_NONE,    // every token whose label is not O, with its full label
    ENCL_AGGREGATION_SIMPLE,  // neighbours of one type, begun anew by B-
    ENCL_AGGREGATION_FIRST,   // words first, each with its first token's scores; then as SIMPLE
    ENCL_AGGREGATION_AVERAGE, // … with the mean of its tokens' scores
    ENCL_AGGREGATION_MAX,     // … with the scores of the token that is surest
    ENCL_AGGREGATIONS
} encl_aggregation;
ENCL_API const char *encl_aggregation_name(encl_aggregation aggregation); // "simple"
// INVALID names the word and lists the names.
ENCL_API encl_status encl_aggregation_parse(const char *text, encl_aggregation *aggregation);

typedef struct encl_ner_options {
    encl_executable_options executable;
    int64_t max_length; // tokens of a window, special tokens included, at least 3; 0: the model's
    bool refuse_long;   // a text longer than a window is INVALID
    encl_aggregation aggregation;
    int64_t stride; // tokens that neighbouring windows share; 0: a quarter of max_length, or ENCL_NO_OVERLAP
    encl_status (*check)(void *context); // asked before every window; a failure ends the run with it. NULL: none is
    void *check_context;
} encl_ner_options;

typedef struct encl_entity {
    const char *type; // "PER"; with NONE the label, "B-PER". Lives as long as the model
    double score;
    int32_t start, end; // code points of the text, [start, end)
    size_t byte_start, byte_end;
    int32_t token; // NONE: the token's place in its window, [CLS] is 0. Otherwise -1
    int32_t id;    // NONE: the token's id. Otherwise -1
} encl_entity;

// One text's entities, by where they start. Of several that overlap where windows do, the longest stays, then the one
// with the highest score. Pointers live during the call that gets it.
typedef struct encl_entities {
    int64_t index; // of the text, from 0
    const char *text;
    size_t length;
    const encl_entity *entities;
    size_t count;
} encl_entities;

typedef struct encl_ner encl_ner;

// options may be NULL. The model must outlive it; one without a token classification head is UNSUPPORTED.
ENCL_API encl_status encl_ner_create(const encl_model *model, const encl_device *device,
                                     const encl_ner_options *options, encl_ner **ner);
ENCL_API void encl_ner_destroy(encl_ner *ner);
ENCL_API const encl_executable_info *encl_ner_get_info(const encl_ner *ner);

// Finds the entities of every text that next() gives, as encl_embedder_run does. *windowed (may be NULL) counts texts
// that took more than one window. A text's pair is not read.
ENCL_API encl_status encl_ner_run(encl_ner *ner, encl_status (*next)(void *context, encl_text *text),
                                  void *next_context, encl_status (*sink)(void *context, const encl_entities *entities),
                                  void *sink_context, int64_t *windowed);

// A sentence that is cut into words already, as files of labelled words hold them: UTF-8, each ending in NUL.
typedef struct encl_words {
    const char *const *words; // [count]; NULL: there are no more sentences
    size_t count;
} encl_words;

// Its labels. Pointers live during the call that gets it.
typedef struct encl_word_labels {
    int64_t index;         // of the sentence, from 0
    const int32_t *labels; // [count] indices into the model's labels
    size_t count;
} encl_word_labels;

// Labels every word of every sentence that next() gives by its first token; a word without one is read as [UNK]. A
// sentence longer than a window is read in several, and each word takes its label from where it stands farthest from
// the window's ends. The aggregation does not matter.
ENCL_API encl_status encl_ner_label_words(encl_ner *ner, encl_status (*next)(void *context, encl_words *words),
                                          void *next_context,
                                          encl_status (*sink)(void *context, const encl_word_labels *labels),
                                          void *sink_context);

// ---- Question answering -----------------------------------------------------------------------------------

typedef struct encl_qa_options {
    encl_executable_options executable;
    int64_t max_length;  // tokens of a window, question and special tokens included; 0: 384, less if the model's is
    bool refuse_long;    // a context longer than a window is INVALID
    int64_t doc_stride;  // context tokens that neighbouring windows share, fewer than a window has room for;
                         // 0: 128, at most half of max_length; or ENCL_NO_OVERLAP
    bool stride_is_step; // windows begin doc_stride tokens apart instead (128 where it is 0)
    int32_t max_answer_length;           // tokens; 0: 15
    int32_t top_k;                       // answers to a question; 0: 1
    int32_t n_best;                      // spans kept of every window; 0: top_k, with align_to_words 2 · top_k + 10
    bool handle_impossible;              // that there is no answer is one, too: empty, at 0
    encl_choice align_to_words;          // answers begin and end with words, not within: MODEL and YES
    encl_status (*check)(void *context); // asked before every window; a failure ends the run with it. NULL: none is
    void *check_context;
} encl_qa_options;

typedef struct encl_answer {
    int32_t start, end; // code points of the context, [start, end)
    size_t byte_start, byte_end;
    double score; // p(start) · p(end), added up over windows and places where the text is the same but for case
} encl_answer;

// One question's answers, best first; none where the context has no token. Pointers live during the call that gets it.
typedef struct encl_answers {
    int64_t index; // of the question, from 0
    const char *context;
    size_t context_length;
    const encl_answer *answers;
    size_t count;
} encl_answers;

typedef struct encl_qa encl_qa;

// options may be NULL. The model must outlive it; one without a question-answering head is UNSUPPORTED.
ENCL_API encl_status encl_qa_create(const encl_model *model, const encl_device *device, const encl_qa_options *options,
                                    encl_qa **qa);
ENCL_API void encl_qa_destroy(encl_qa *qa);
ENCL_API const encl_executable_info *encl_qa_get_info(const encl_qa *qa);

// Answers every question that next() gives, as encl_embedder_run does: text is the question, pair the context. INVALID
// where the pair is NULL, where the question leaves no room for the context, and where neighbouring windows would share
// all of it. *windowed (may be NULL) counts questions that took more than one window.
ENCL_API encl_status encl_qa_run(encl_qa *qa, encl_status (*next)(void *context, encl_text *text), void *next_context,
                                 encl_status (*sink)(void *context, const encl_answers *answers), void *sink_context,
                                 int64_t *windowed);

// ---- Masked tokens ----------------------------------------------------------------------------------------

typedef struct encl_fill_mask_options {
    encl_executable_options executable;
    int64_t max_length; // 0: the model's; more than the model takes is INVALID
    bool refuse_long;   // a longer text is INVALID instead of truncated
    int32_t top_k;      // predictions for a mask, 1 … 64; 0: 5
} encl_fill_mask_options;

// A token that a mask may stand for.
typedef struct encl_prediction {
    int32_t id;
    const char *token;
    float score;      // softmax over the vocabulary
    const char *text; // the tokens as text with this one in the mask's place: without special tokens where the text has
                      // one mask, with all of them where it has several
} encl_prediction;

// A mask token in a text; offsets are code points.
typedef struct encl_mask {
    int32_t start, end;
    bool in_pair; // they are offsets into the pair's second text
    const encl_prediction *predictions;
    size_t prediction_count; // best first
} encl_mask;

// One text's masks. Pointers live during the call that gets it.
typedef struct encl_filled_text {
    int64_t index; // of the text, from 0
    const encl_mask *masks;
    size_t mask_count;
} encl_filled_text;

typedef struct encl_mask_filler encl_mask_filler;

// options may be NULL. The model must outlive the filler; one without a masked language model's head is UNSUPPORTED.
ENCL_API encl_status encl_mask_filler_create(const encl_model *model, const encl_device *device,
                                             const encl_fill_mask_options *options, encl_mask_filler **filler);
ENCL_API void encl_mask_filler_destroy(encl_mask_filler *filler);
ENCL_API const encl_executable_info *encl_mask_filler_get_info(const encl_mask_filler *filler);

// As encl_embedder_run. A text without a mask is INVALID, also where truncation took them all; where it took some, a
// warning names the first.
ENCL_API encl_status encl_mask_filler_run(encl_mask_filler *filler, encl_status (*next)(void *context, encl_text *text),
                                          void *next_context,
                                          encl_status (*sink)(void *context, const encl_filled_text *filled),
                                          void *sink_context, int64_t *truncated);

// ---- Classification ---------------------------------------------------------------------------------------

typedef struct encl_classify_options {
    encl_executable_options executable;
    int64_t max_length; // 0: the model's; more than the model takes is INVALID
    bool refuse_long;   // a longer text is INVALID instead of truncated
} encl_classify_options;

// One text's or pair's labels. Pointers live during the call that gets it.
typedef struct encl_classification {
    int64_t index; // of the text, from 0
    // [label_count] a softmax; for a problem type of multi_label_classification and for a single label each one's
    // sigmoid; for regression the numbers themselves.
    const float *scores;
    const char *const *labels; // [label_count] of config.json; "is_next", "not_next" of a next-sentence head
    size_t label_count;
    size_t best; // the label with the highest score
} encl_classification;

typedef struct encl_classifier encl_classifier;

// options may be NULL. The model must outlive the classifier. Without a classification head, a next-sentence head
// serves; a model with neither is UNSUPPORTED.
ENCL_API encl_status encl_classifier_create(const encl_model *model, const encl_device *device,
                                            const encl_classify_options *options, encl_classifier **classifier);
ENCL_API void encl_classifier_destroy(encl_classifier *classifier);
ENCL_API const encl_executable_info *encl_classifier_get_info(const encl_classifier *classifier);

// As encl_embedder_run.
ENCL_API encl_status encl_classifier_run(encl_classifier *classifier,
                                         encl_status (*next)(void *context, encl_text *text), void *next_context,
                                         encl_status (*sink)(void *context, const encl_classification *classification),
                                         void *sink_context, int64_t *truncated);

#ifdef __cplusplus
}
#endif

#endif
