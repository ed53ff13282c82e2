/* The naive Bayes detector of langdetect 1.0.9 in memory, and what it answers. Without Python: see
   `_langdetect.c`. */

#ifndef CORPUSMILL_LANGDETECT_H
#define CORPUSMILL_LANGDETECT_H

#include <stddef.h>
#include <stdint.h>

enum {
    NO_LETTER = 0,    /* stands in a gram's key before the first of its characters */
    SPACE = 1,        /* the number of " ", to which many characters are normalised */
    UPPER = 0x8000,   /* set in the number of an upper-case character */
    NARROW = 128,     /* the numbers below are of the characters with the most grams */
    MOST_LANGUAGES = 64,
    TEXT_CHARACTERS = 10000 /* what langdetect reads of a text, after URLs and mails are gone */
};

/* Whoever makes one sets the first group, to arrays that were checked and live as long. */
typedef struct {
    const uint16_t *letters; /* (code_points,): the number of each character, normalised */
    size_t code_points;
    uint16_t other;        /* the number of characters from code_points on */
    const uint64_t *grams; /* (n_grams,): a key each, of 16 bits for each of up to 3 numbers */
    const uint32_t *starts; /* (n_grams + 1,): where the shares of a gram begin and end */
    size_t n_grams;
    const uint8_t *languages; /* of each share */
    const double *shares;     /* of a gram in all grams of its length, in a language's profile */
    size_t n_languages;
    const uint32_t *draws; /* the first outputs of the Mersenne Twister with the seed */
    size_t n_draws;
    const uint32_t *bases, *marks, *composed; /* (n_bases,), (n_marks,), (n_marks, n_bases) */
    size_t n_bases, n_marks;

    uint32_t *slots; /* open addressing: the place of a gram, plus 1; 0 for a free slot */
    uint32_t slot_mask;
    uint8_t *is_single;        /* (UPPER,): whether a letter by itself is a gram */
    uint64_t *pairs, *triples; /* a bit for each gram of two and of three narrow letters */
    uint16_t *text;            /* the numbers of a text's characters, after two spaces */
    uint32_t *found;           /* the grams of a text: 4 * place of the last letter + length */
} Detector;

typedef enum { FOUND, NO_FEATURES, OUT_OF_DRAWS } Outcome;

typedef struct {
    size_t language;
    double probability;
} Answer;

#pragma GCC visibility push(hidden) /* not to be mixed up with other libraries' names */

/* Build what a detector needs besides its arrays; return 0 where there is no memory left. */
int detector_build(Detector *detector);

/* Free what `detector_build` made, also after it failed. */
void detector_free(Detector *detector);

/* Take URLs and mail addresses out of a text and compose Vietnamese letters, in place, as
   langdetect does before it cuts a text off.

   `is_whole` tells whether the text ends here. Where it goes on, only those characters are given
   that do not depend on what follows. Returns how many characters there are now. */
size_t detector_clean(const Detector *detector, uint32_t *text, size_t size, int is_whole);

/* Find the languages of a cleaned text, which is changed: those above the threshold, the most
   probable first. `answers` has room for MOST_LANGUAGES. */
Outcome detector_detect(const Detector *detector, uint32_t *text, size_t size, Answer *answers,
                        size_t *n_answers);

#pragma GCC visibility pop

#endif
