/* A supervised fastText model in memory, and what it answers. Without Python: see `_fasttext.c`. */

#ifndef CORPUSMILL_FASTTEXT_H
#define CORPUSMILL_FASTTEXT_H

#include <stddef.h>
#include <stdint.h>

enum {
    LONGEST_NGRAM = 64, /* characters; a cached word has a limited number of rows */
    ENTRY_TAIL = 10     /* bytes behind the text of a dictionary's entry: NUL, count, kind */
};

typedef struct {
    uint32_t hash;
    uint32_t cell; /* of the word's bytes, its rows follow; 0 when the slot is free */
    uint16_t rows;
    uint8_t bytes;
    uint8_t is_word; /* labels in a line count for nothing */
} Slot;

/* Whoever makes one sets the first group, to arrays that were checked and live as long. */
typedef struct {
    const char *input;   /* (rows, dim) float32, at any address */
    const float *output; /* (labels or inner nodes, dim) float32 */
    const float *scale;  /* a factor for each output row, or NULL */
    const int32_t *tree; /* (2 labels - 1, 2): left and right, -1 for leaves; NULL for softmax */
    const int32_t *kept; /* (bucket,): the place of a bucket that was kept, -1; NULL for all */
    ptrdiff_t rows, dim, labels;
    int32_t vocabulary_words, vocabulary_size;
    int minn, maxn, word_ngrams;
    uint32_t bucket;

    uint64_t *is_kept;  /* a bit for each bucket: most are not, and these bits fit a near cache */
    const char **entry; /* bytes of each word, then of each label */
    uint32_t *entry_bytes, *entry_hash;
    int32_t *vocabulary; /* open addressing, -1 for a free place */
    uint32_t vocabulary_mask;
    Slot *slots;
    int32_t *cells;
    uint32_t slots_taken, cells_taken;
    int32_t *pending;
    size_t pending_rows, line_rows;
    float *hidden, *scores;
    uint8_t *marked; /* a word between its boundary marks */
    size_t marked_bytes;
    int32_t *word_hashes; /* of a line, for word n-grams */
    size_t word_hashes_taken, word_hashes_size;
} Model;

typedef enum { NOTHING, FOUND, OUT_OF_MEMORY, NOT_FINITE } Outcome;

typedef struct {
    int found;
    int32_t label;
    float score; /* a sum of logarithms of probabilities, to each of which 1e-5 was added */
    float probability;
} Best;

#pragma GCC visibility push(hidden) /* not to be mixed up with other libraries' names */

/* Build what a model needs besides its arrays, from its dictionary's entries as they are in a file;
   return NULL, or what is wrong. */
const char *model_build(Model *model, const char *entries, size_t bytes);

/* What `model_build` says when there is no memory left. */
extern const char MODEL_OUT_OF_MEMORY[];

/* Free what `model_build` made, also after it failed. */
void model_free(Model *model);

/* Find the best label of a line in UTF-8. */
Outcome model_predict(Model *model, const uint8_t *text, size_t size, Best *best);

#pragma GCC visibility pop

#endif
