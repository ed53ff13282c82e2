/* Language answers of langdetect 1.0.9, bit for bit. langdetect is by Michal Danilak, after Nakatani
   Shuyo's language-detection, both under the Apache License 2.0; its rules are written anew here.

   What takes the time in langdetect is done otherwise here: a character is looked up in one table
   that normalises and numbers it, grams are bits of a table or places of a hash table instead of
   strings in a dictionary, and only grams that are drawn are read.

   Equal bits need equal operations on doubles in an equal order: the sum over the languages runs
   from the first to the last, and products are never fused with sums (compile with
   -ffp-contract=off, without -ffast-math). Whoever loads a detector compares some texts with
   langdetect before it trusts this. */

#ifndef __GNUC__
#error "GCC or Clang is needed; without this module langdetect itself answers"
#endif

#include "_langdetect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* langdetect's values, detector.py. */
enum {
    TRIALS = 7,
    MOST_ROUNDS = 1000,
    ROUNDS_PER_CHECK = 5,
    URL_BODY = 2076,
    MAIL_USER = 64,
    MAIL_HOST = 255,
    URL_REACH = 8 + URL_BODY, /* "https://": no match is longer */
    MAIL_REACH = MAIL_USER + 1 + MAIL_HOST + MAIL_HOST
};
static const double ALPHA = 0.5, ALPHA_WIDTH = 0.05, BASE_FREQUENCY = 10000.0;
static const double CONVERGED = 0.99999, LEAST_PROBABILITY = 0.1;

/* The C library's functions one by one, as Python's math module calls them: a compiler that sees
   both would call one that gives sine and cosine together. */
static double (*volatile const cosine)(double) = cos;
static double (*volatile const sine)(double) = sin;
static double (*volatile const logarithm)(double) = log;

/* ----------------------------------------------------------------------------------- grams */

static inline uint64_t gram_key(uint64_t first, uint64_t second, uint64_t third)
{
    return first << 32 | second << 16 | third;
}

static inline uint32_t first_slot(const Detector *self, uint64_t key)
{
    return (uint32_t)(key * 0x9E3779B97F4A7C15u >> 40) & self->slot_mask;
}

/* The place of a gram, or -1. */
static inline ptrdiff_t find_gram(const Detector *self, uint64_t key)
{
    for (uint32_t slot = first_slot(self, key);; slot = (slot + 1) & self->slot_mask) {
        const uint32_t taken = self->slots[slot];
        if (!taken) {
            return -1;
        }
        if (self->grams[taken - 1] == key) {
            return (ptrdiff_t)taken - 1;
        }
    }
}

/* A gram is looked for where its last character is added. Spaces follow no space, and behind a
   space begins a new word, so that these grams are never looked for. */
static int is_reachable(uint16_t first, uint16_t second, uint16_t third)
{
    if (second == NO_LETTER) {
        return third != SPACE;
    }
    return first == NO_LETTER ? second != SPACE || third != SPACE : second != SPACE;
}

static inline void set_bit(uint64_t *bits, size_t place)
{
    bits[place / 64] |= (uint64_t)1 << place % 64;
}

static inline size_t get_bit(const uint64_t *bits, size_t place)
{
    return bits[place / 64] >> place % 64 & 1;
}

static inline size_t pair_place(size_t first, size_t second)
{
    return first * NARROW + second;
}

static inline size_t triple_place(size_t first, size_t second, size_t third)
{
    return (first * NARROW + second) * NARROW + third;
}

int detector_build(Detector *self)
{
    size_t slots = 1024;
    while (slots < 2 * self->n_grams) {
        slots *= 2;
    }
    self->slot_mask = (uint32_t)slots - 1;
    self->slots = calloc(slots, sizeof *self->slots);
    self->is_single = calloc(UPPER, sizeof *self->is_single);
    self->pairs = calloc(NARROW * NARROW / 64, sizeof *self->pairs);
    self->triples = calloc(NARROW * NARROW * NARROW / 64, sizeof *self->triples);
    self->text = malloc((TEXT_CHARACTERS + 2) * sizeof *self->text);
    self->found = malloc((3 * TEXT_CHARACTERS + 3) * sizeof *self->found);
    if (!self->slots || !self->is_single || !self->pairs || !self->triples || !self->text ||
        !self->found) {
        return 0;
    }
    for (size_t gram = 0; gram < self->n_grams; gram++) {
        const uint64_t key = self->grams[gram];
        const uint16_t first = (uint16_t)(key >> 32), second = (uint16_t)(key >> 16);
        const uint16_t third = (uint16_t)key;
        if (!is_reachable(first, second, third)) {
            continue;
        }
        uint32_t slot = first_slot(self, key);
        while (self->slots[slot]) {
            slot = (slot + 1) & self->slot_mask;
        }
        self->slots[slot] = (uint32_t)gram + 1;
        if (second == NO_LETTER) {
            self->is_single[third] = 1;
        } else if ((first | second | third) < NARROW) {
            if (first == NO_LETTER) {
                set_bit(self->pairs, pair_place(second, third));
            } else {
                set_bit(self->triples, triple_place(first, second, third));
            }
        }
    }
    return 1;
}

void detector_free(Detector *self)
{
    free(self->slots);
    free(self->is_single);
    free(self->pairs);
    free(self->triples);
    free(self->text);
    free(self->found);
}

/* -------------------------------------------------------------------------------- cleaning */

static inline int is_alphanumeric(uint32_t character)
{
    return character - '0' < 10 || (character | 0x20) - 'a' < 26;
}

static inline int is_of_url(uint32_t character)
{
    return is_alphanumeric(character) ||
           (character < 0x80 && character && strchr("-_.?&~;+=/#", (int)character));
}

static inline int is_of_host(uint32_t character)
{
    return is_alphanumeric(character) || character == '-' || character == '_';
}

static inline int is_of_mail(uint32_t character)
{
    return is_of_host(character) || character == '.';
}

/* A run of kept characters goes down to where the text now ends. */
static size_t keep(uint32_t *text, size_t kept, size_t from, size_t to)
{
    if (kept != from) {
        memmove(text + kept, text + from, (to - from) * sizeof *text);
    }
    return kept + (to - from);
}

/* Where matches are certain, which read no further than `reach` from their first character. */
static size_t certain(size_t size, size_t reach, int is_whole)
{
    return is_whole ? size : size > reach ? size - reach : 0;
}

static int contains(const uint32_t *text, size_t size, uint32_t character)
{
    uint32_t found = 0;
    for (size_t i = 0; i < size; i++) {
        found |= text[i] == character;
    }
    return (int)found;
}

/* https?://[-_.?&~;+=/#0-9A-Za-z]{1,2076}, each replaced by a space. What the pattern says of the
   text before a colon is one of two things, so that the colons tell where to look. */
static size_t blank_urls(uint32_t *text, size_t size, int is_whole)
{
    static const uint32_t HTTP[] = {'h', 't', 't', 'p'};
    const size_t end = certain(size, URL_REACH, is_whole);
    size_t kept = 0, from = 0;
    for (size_t colon = 4; colon + 3 < size; colon++) {
        if (text[colon] != ':' || text[colon + 1] != '/' || text[colon + 2] != '/') {
            continue;
        }
        const size_t letters = text[colon - 1] == 's' ? 5 : 4;
        if (colon < from + letters || memcmp(text + colon - letters, HTTP, sizeof HTTP) != 0 ||
            !is_of_url(text[colon + 3])) {
            continue;
        }
        const size_t start = colon - letters;
        if (start >= end) {
            break;
        }
        kept = keep(text, kept, from, start);
        text[kept++] = ' ';
        from = colon + 3;
        while (from < size && from < colon + 3 + URL_BODY && is_of_url(text[from])) {
            from++;
        }
        colon = from - 1; /* a colon is no character of the body */
    }
    return from < end ? keep(text, kept, from, end) : kept;
}

/* Where the match ends whose "@" is here, or 0:
   [-_.0-9A-Za-z]{1,64}@[-_0-9A-Za-z]{1,255}[-_.0-9A-Za-z]{1,255} */
static size_t mail_end(const uint32_t *text, size_t size, size_t at)
{
    size_t host = at + 1;
    while (host < size && host < at + 1 + MAIL_HOST && is_of_host(text[host])) {
        host++;
    }
    size_t end = host;
    while (end < size && end < host + MAIL_HOST && is_of_mail(text[end])) {
        end++;
    }
    if (host == at + 1) {
        return 0;
    }
    if (end == host && host == at + 2) {
        return 0; /* one character for two classes that need one each */
    }
    return end;
}

static size_t blank_mails(uint32_t *text, size_t size, int is_whole)
{
    const size_t end = certain(size, MAIL_REACH, is_whole);
    if (!contains(text, size, '@')) {
        return end;
    }
    size_t kept = 0, from = 0;
    for (size_t at = 1; at < size; at++) {
        if (text[at] != '@') {
            continue;
        }
        size_t start = at;
        while (start > from && start + MAIL_USER > at && is_of_mail(text[start - 1])) {
            start--;
        }
        const size_t stop = start < at ? mail_end(text, size, at) : 0;
        if (!stop) {
            continue;
        }
        if (start >= end) {
            break;
        }
        kept = keep(text, kept, from, start);
        text[kept++] = ' ';
        from = stop;
        at = stop - 1;
    }
    return from < end ? keep(text, kept, from, end) : kept;
}

static size_t place_of(const uint32_t *characters, size_t size, uint32_t character)
{
    size_t place = 0;
    while (place < size && characters[place] != character) {
        place++;
    }
    return place;
}

/* A letter and a mark behind it become the composed letter. */
static size_t compose_vietnamese(const Detector *self, uint32_t *text, size_t size, int is_whole)
{
    const size_t end = certain(size, 1, is_whole);
    size_t kept = 0, i = 0;
    for (; i < end; i++) {
        uint32_t character = text[i];
        if (i + 1 < size && text[i + 1] >= 0x300 && text[i + 1] < 0x370) {
            const size_t mark = place_of(self->marks, self->n_marks, text[i + 1]);
            const size_t base = place_of(self->bases, self->n_bases, character);
            if (mark < self->n_marks && base < self->n_bases) {
                character = self->composed[mark * self->n_bases + base];
                i++;
            }
        }
        text[kept++] = character;
    }
    return kept;
}

size_t detector_clean(const Detector *self, uint32_t *text, size_t size, int is_whole)
{
    size = blank_urls(text, size, is_whole);
    size = blank_mails(text, size, is_whole);
    return compose_vietnamese(self, text, size, is_whole);
}

/* Remove what lies between "A" and "z" where other scripts prevail. langdetect means to leave out
   "Latin Extended Additional" when it counts those, but compares a number with a name. */
static size_t remove_latin(uint32_t *text, size_t size)
{
    size_t latin = 0, other = 0, kept = 0;
    for (size_t i = 0; i < size; i++) {
        latin += text[i] - 'A' <= 'z' - 'A';
        other += text[i] >= 0x300;
    }
    if (latin * 2 >= other) {
        return size;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] - 'A' > 'z' - 'A') {
            text[kept++] = text[i];
        }
    }
    return kept;
}

/* ------------------------------------------------------------------------ grams of a text */

static size_t push_if(uint32_t *found, size_t count, uint32_t gram, size_t is_gram)
{
    found[count] = gram;
    return count + is_gram;
}

/* List the grams of a text that a profile holds, in langdetect's order: where a character is added,
   those of one, two and three characters that end there. None is taken at a capital behind a
   capital. Runs of spaces are as good as one. */
static size_t find_grams(const Detector *self, const uint32_t *text, size_t size)
{
    uint16_t *letters = self->text;
    uint32_t *found = self->found;
    letters[0] = letters[1] = SPACE;
    for (size_t i = 0; i < size; i++) {
        letters[i + 2] = text[i] < self->code_points ? self->letters[text[i]] : self->other;
    }
    size_t count = 0;
    for (size_t i = 2; i < size + 2; i++) {
        if (letters[i] & letters[i - 1] & UPPER) {
            continue;
        }
        const size_t first = letters[i - 2] & (UPPER - 1), second = letters[i - 1] & (UPPER - 1);
        const size_t third = letters[i] & (UPPER - 1);
        const uint32_t last = 4 * (uint32_t)i;
        count = push_if(found, count, last + 1, self->is_single[third]);
        if ((first | second | third) < NARROW) {
            count = push_if(found, count, last + 2, get_bit(self->pairs, pair_place(second, third)));
            count = push_if(found, count, last + 3,
                            get_bit(self->triples, triple_place(first, second, third)));
        } else if (second != self->other && third != self->other) {
            const uint64_t pair = gram_key(NO_LETTER, second, third);
            count = push_if(found, count, last + 2, find_gram(self, pair) >= 0);
            const uint64_t triple = gram_key(first, second, third);
            count = push_if(found, count, last + 3, find_gram(self, triple) >= 0);
        }
    }
    return count;
}

/* The place of a gram that `find_grams` listed. */
static size_t gram_of(const Detector *self, uint32_t found)
{
    const uint16_t *last = self->text + found / 4;
    const uint32_t length = found % 4;
    const uint64_t second = length > 1 ? last[-1] & (UPPER - 1) : NO_LETTER;
    const uint64_t first = length > 2 ? last[-2] & (UPPER - 1) : NO_LETTER;
    return (size_t)find_gram(self, gram_key(first, second, last[0] & (UPPER - 1)));
}

/* -------------------------------------------------------------------------------- chances */

/* What Python's random.Random with the seed draws, of its outputs that are known in advance. */
typedef struct {
    const uint32_t *next, *end;
    double spare; /* a normal deviate: they come in pairs */
    int has_spare;
} Chance;

/* Random.random: 53 bits. */
static double draw_unit(Chance *chance)
{
    const uint32_t high = chance->next[0] >> 5, low = chance->next[1] >> 6;
    chance->next += 2;
    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0);
}

/* Random.gauss(0.0, 1.0); 0 where the known outputs are used up. */
static int draw_normal(Chance *chance, double *deviate)
{
    if (chance->has_spare) {
        chance->has_spare = 0;
        *deviate = chance->spare;
        return 1;
    }
    if (chance->end - chance->next < 4) {
        return 0;
    }
    const double angle = draw_unit(chance) * (2.0 * 3.14159265358979323846);
    const double radius = sqrt(-2.0 * logarithm(1.0 - draw_unit(chance)));
    *deviate = cosine(angle) * radius;
    chance->spare = sine(angle) * radius;
    chance->has_spare = 1;
    return 1;
}

/* Random.choice, as an index below `size`; `size` where the known outputs are used up. */
static size_t draw_index(Chance *chance, size_t size)
{
    const int surplus = __builtin_clz((uint32_t)size);
    while (chance->next < chance->end) {
        const size_t index = *chance->next++ >> surplus;
        if (index < size) {
            return index;
        }
    }
    return size;
}

/* ---------------------------------------------------------------------------------- trials */

/* Divide the probabilities by their sum; return the largest. The sum is no zero: it was 1 at most
   five factors ago, and a factor is above 7e-6 since no deviate is below -8.6. */
static double normalise(double *probabilities, size_t languages)
{
    double sum = probabilities[0], largest = 0.0;
    for (size_t l = 1; l < languages; l++) {
        sum += probabilities[l];
    }
    for (size_t l = 0; l < languages; l++) {
        probabilities[l] /= sum;
    }
    for (size_t l = 0; l < languages; l++) {
        largest = probabilities[l] > largest ? probabilities[l] : largest;
    }
    return largest;
}

/* Multiply the probabilities of a trial by those of grams drawn until one language prevails. */
static int run_trial(const Detector *self, size_t grams, Chance *chance, double *probabilities)
{
    const size_t languages = self->n_languages;
    double deviate;
    if (!draw_normal(chance, &deviate)) {
        return 0;
    }
    const double weight = (ALPHA + deviate * ALPHA_WIDTH) / BASE_FREQUENCY;
    for (size_t l = 0; l < languages; l++) {
        probabilities[l] = 1.0 / (double)languages;
    }
    for (int round = 0;; round++) {
        const size_t index = draw_index(chance, grams);
        if (index == grams) {
            return 0;
        }
        const size_t gram = gram_of(self, self->found[index]);
        double factors[MOST_LANGUAGES];
        for (size_t l = 0; l < languages; l++) {
            factors[l] = weight;
        }
        for (uint32_t s = self->starts[gram]; s < self->starts[gram + 1]; s++) {
            factors[self->languages[s]] = weight + self->shares[s];
        }
        for (size_t l = 0; l < languages; l++) {
            probabilities[l] *= factors[l];
        }
        if (round % ROUNDS_PER_CHECK == 0 &&
            (normalise(probabilities, languages) > CONVERGED || round >= MOST_ROUNDS)) {
            return 1;
        }
    }
}

/* List the languages above the threshold, the most probable first, of equals the first first. */
static size_t rank(const double *probabilities, size_t languages, Answer *answers)
{
    size_t count = 0;
    for (size_t l = 0; l < languages; l++) {
        if (probabilities[l] > LEAST_PROBABILITY) {
            size_t place = count++;
            for (; place && answers[place - 1].probability < probabilities[l]; place--) {
                answers[place] = answers[place - 1];
            }
            answers[place] = (Answer){l, probabilities[l]};
        }
    }
    return count;
}

Outcome detector_detect(const Detector *self, uint32_t *text, size_t size, Answer *answers,
                        size_t *n_answers)
{
    size = remove_latin(text, size < TEXT_CHARACTERS ? size : TEXT_CHARACTERS);
    const size_t grams = find_grams(self, text, size);
    if (!grams) {
        return NO_FEATURES;
    }
    Chance chance = {self->draws, self->draws + self->n_draws, 0.0, 0};
    double means[MOST_LANGUAGES] = {0.0}, probabilities[MOST_LANGUAGES];
    for (int trial = 0; trial < TRIALS; trial++) {
        if (!run_trial(self, grams, &chance, probabilities)) {
            return OUT_OF_DRAWS;
        }
        for (size_t l = 0; l < self->n_languages; l++) {
            means[l] += probabilities[l] / TRIALS;
        }
    }
    *n_answers = rank(means, self->n_languages, answers);
    return FOUND;
}
