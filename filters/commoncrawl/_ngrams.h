/* Models of KenLM in its binary format of hash tables. Without Python: see `_perplexity.c`. */

#ifndef CORPUSMILL_NGRAMS_H
#define CORPUSMILL_NGRAMS_H

#include <stddef.h>
#include <stdint.h>

enum {
    MAX_ORDER = 8,
    WORDS_AHEAD = 6 /* whose entries are fetched while a word is scored */
};

/* A hash table of the file: keys of 64 bits, each with numbers behind it; key 0 marks free slots. */
typedef struct {
    const uint8_t *begin;
    uint64_t slots, inverse; /* their number, and 2 ** 64 divided by it */
    size_t slot_bytes;
} Table;

typedef struct {
    int order;
    uint64_t words_count; /* with the unknown word, which is number 0 */
    const uint8_t *unigrams; /* of each word its log10 probability and back-off */
    Table vocabulary;        /* hashes of words, with their numbers */
    Table tables[MAX_ORDER - 1]; /* n-grams from 2 words on; those of the longest have no back-off */
    uint32_t begin_word, end_word; /* of a sentence */
} Ngrams;

#pragma GCC visibility push(hidden) /* not to be mixed up with other libraries' names */

/* Look at the bytes of a model, which stay where they are. Return NULL, or why it is refused. */
const char *ngrams_read(Ngrams *ngrams, const uint8_t *file, size_t size);

/* The number of a word, 0 if it is unknown. */
uint32_t ngrams_word(const Ngrams *ngrams, const uint8_t *text, size_t size);

/* The log10 probability of a sentence: of words 1 to `count` - 1, the end of the sentence among
   them, behind word 0, its begin. */
float ngrams_score(const Ngrams *ngrams, const uint32_t *words, size_t count);

#pragma GCC visibility pop

#endif
