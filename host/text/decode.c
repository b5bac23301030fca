#include "host/text/decode.h"

#include <string.h>

#include "host/text/segment.h"

static bool is_special(const encl_tokenizer *tokenizer, int32_t id) {
    const encl_tokenizer_info *info = &tokenizer->info;
    const encl_added *added = &tokenizer->added;
    if (id == info->cls || id == info->sep || id == info->pad || id == info->unk || id == info->mask) {
        return true;
    }
    for (size_t i = 0; i < added->count; i++) {
        if (added->tokens[i].id == id) {
            return added->tokens[i].special;
        }
    }
    return false;
}

// A space stands before a token unless it is glued to what is there. *token loses its mark.
static bool is_glued(const char **token) {
    static const char *const glued[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
    if (encl_text_begins(*token, "##")) {
        *token += 2;
        return true;
    }
    for (size_t i = 0; i < sizeof glued / sizeof glued[0]; i++) {
        if (encl_text_begins(*token, glued[i])) {
            return true;
        }
    }
    return false;
}

// Puts `joined`, which is shorter, in place of every `spaced`; gives the new length.
static size_t replace(char *text, const char *spaced, const char *joined) {
    const size_t width = strlen(joined);
    char *to = text;
    for (const char *from = text; *from != 0;) {
        if (encl_text_begins(from, spaced)) {
            memcpy(to, joined, width);
            to += width;
            from += strlen(spaced);
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
    return (size_t)(to - text);
}

// What clean_up_tokenization_spaces asks for: marks are looked for in the whole text again. So the tokens ' and ##s,
// which are one mark only together, lose the space before them, and an apostrophe by itself loses those at both sides.
static void clean_up(encl_string *text, size_t start) {
    static const char *const rows[][2] = {
        {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
        {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        text->length = start + replace(text->text + start, rows[i][0], rows[i][1]);
    }
}

encl_status encl_decode(const encl_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special,
                        encl_string *text) {
    encl_status status = ENCL_OK;
    const size_t start = text->length;
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        const char *token = encl_tokenizer_token(tokenizer, ids[i]);
        if (token == NULL || (skip_special && is_special(tokenizer, ids[i]))) {
            continue;
        }
        if (!first && !is_glued(&token)) {
            ENCL_TRY(encl_string_append(text, " ", 1));
        }
        ENCL_TRY(encl_string_append(text, token, strlen(token)));
        first = false;
    }
    if (tokenizer->clean_up && !first) {
        clean_up(text, start);
    }
cleanup:
    return status;
}
