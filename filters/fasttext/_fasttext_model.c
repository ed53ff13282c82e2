/* Predictions of supervised fastText models, bit for bit those of fasttext-wheel 0.9.2.

   What takes the time in fastText is done once here: a word's subword hashes (a cache from words to
   lists of rows), the decoding of compressed rows (they arrive as floats), and reading characters
   through a stream.

   Equal bits need equal float32 operations in an equal order: rows are added one after another in
   fastText's order, each dimension by itself, and products are never fused with sums (compile with
   -ffp-contract=off, without -ffast-math). Whoever loads a model compares some lines with fastText
   before it trusts this. */

#ifndef __GNUC__
#error "GCC or Clang is needed, for vectors; without this module fastText itself answers"
#endif

#include "_fasttext.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef float Quad __attribute__((vector_size(16)));

enum {
    PENDING_ROWS = 1 << 14,     /* rows that are known and not yet added */
    PREFETCH_ROWS = 24,         /* how far ahead of its addition a row is asked for */
    CACHED_WORD_BYTES = 64,     /* longer words are rare: they are hashed anew */
    CACHED_WORD_ROWS = 66 * 66 + 1, /* most rows of such a word, with its two boundary marks */
    CACHE_SLOTS = 1 << 18,      /* a power of two; emptied when half of them are taken */
    CACHE_CELLS = 1 << 22       /* of 4 bytes: words and their rows */
};

static const uint32_t FNV_BASIS = 2166136261u;
static const uint32_t FNV_PRIME = 16777619u;
static const uint64_t WORD_NGRAM_FACTOR = 116049371u;
static const char END_OF_LINE[] = "</s>";
static const char LABEL_PREFIX[] = "__label__";

/* FNV-1a as fastText has it: bytes are signed, so that those from 0x80 on flip the upper bits. */
static inline uint32_t hash_byte(uint32_t hash, uint8_t byte)
{
    return (hash ^ (uint32_t)(int8_t)byte) * FNV_PRIME;
}

static inline int continues_character(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

static inline int separates_words(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == 0;
}

/* ------------------------------------------------------------------------------ hidden layer */

static inline Quad load_quad(const void *address)
{
    Quad quad;
    memcpy(&quad, address, sizeof quad);
    return quad;
}

/* Sixteen dimensions are those of lid.176: the sums stay in registers. */
static void add_rows_of_16(float *hidden, const char *table, const int32_t *ids, size_t count)
{
    const size_t row_bytes = 16 * sizeof(float);
    Quad a = load_quad(hidden), b = load_quad(hidden + 4);
    Quad c = load_quad(hidden + 8), d = load_quad(hidden + 12);
    for (size_t k = 0; k < count; k++) {
        const char *row = table + (size_t)ids[k] * row_bytes;
        if (k + PREFETCH_ROWS < count) {
            __builtin_prefetch(table + (size_t)ids[k + PREFETCH_ROWS] * row_bytes);
        }
        a += load_quad(row);
        b += load_quad(row + 16);
        c += load_quad(row + 32);
        d += load_quad(row + 48);
    }
    memcpy(hidden, &a, sizeof a);
    memcpy(hidden + 4, &b, sizeof b);
    memcpy(hidden + 8, &c, sizeof c);
    memcpy(hidden + 12, &d, sizeof d);
}

static void add_row(float *hidden, const char *row, size_t dim)
{
    size_t d = 0;
    for (; d + 4 <= dim; d += 4) {
        const Quad sum = load_quad(hidden + d) + load_quad(row + d * sizeof(float));
        memcpy(hidden + d, &sum, sizeof sum);
    }
    for (; d < dim; d++) {
        float weight;
        memcpy(&weight, row + d * sizeof(float), sizeof weight);
        hidden[d] += weight;
    }
}

static void add_rows(Model *self)
{
    const size_t dim = (size_t)self->dim;
    if (dim == 16) {
        add_rows_of_16(self->hidden, self->input, self->pending, self->pending_rows);
    } else {
        for (size_t k = 0; k < self->pending_rows; k++) {
            const size_t id = (size_t)self->pending[k];
            add_row(self->hidden, self->input + id * dim * sizeof(float), dim);
        }
    }
    self->line_rows += self->pending_rows;
    self->pending_rows = 0;
}

static inline void push_row(Model *self, int32_t row)
{
    if (self->pending_rows == PENDING_ROWS) {
        add_rows(self);
    }
    self->pending[self->pending_rows++] = row;
}

static inline void push_bucket(Model *self, uint32_t bucket)
{
    if (!self->kept) {
        push_row(self, self->vocabulary_words + (int32_t)bucket);
    } else if (self->is_kept[bucket / 64] >> bucket % 64 & 1) {
        push_row(self, self->vocabulary_words + self->kept[bucket]);
    }
}

/* ------------------------------------------------------------------------------------- words */

/* Tell whether two words of one length are equal; most have 4 to 16 bytes. */
static inline int same_bytes(const void *one, const void *other, size_t bytes)
{
    const uint8_t *a = one, *b = other;
    if (bytes > 16) {
        return memcmp(a, b, bytes) == 0;
    }
    if (bytes >= 8) {
        uint64_t a_first, b_first, a_last, b_last;
        memcpy(&a_first, a, 8);
        memcpy(&b_first, b, 8);
        memcpy(&a_last, a + bytes - 8, 8);
        memcpy(&b_last, b + bytes - 8, 8);
        return ((a_first ^ b_first) | (a_last ^ b_last)) == 0;
    }
    if (bytes >= 4) {
        uint32_t a_first, b_first, a_last, b_last;
        memcpy(&a_first, a, 4);
        memcpy(&b_first, b, 4);
        memcpy(&a_last, a + bytes - 4, 4);
        memcpy(&b_last, b + bytes - 4, 4);
        return ((a_first ^ b_first) | (a_last ^ b_last)) == 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (a[i] != b[i]) {
            return 0;
        }
    }
    return 1;
}

static int32_t find_entry(const Model *self, const uint8_t *word, size_t bytes, uint32_t hash)
{
    uint32_t place = hash & self->vocabulary_mask;
    int32_t id;
    while ((id = self->vocabulary[place]) >= 0) {
        if (self->entry_hash[id] == hash && self->entry_bytes[id] == bytes &&
            same_bytes(self->entry[id], word, bytes)) {
            return id;
        }
        place = (place + 1) & self->vocabulary_mask;
    }
    return -1;
}

/* Push the rows of a word's character n-grams, "<" before it and ">" behind; 0 out of memory. */
static int push_subwords(Model *self, const uint8_t *word, size_t bytes)
{
    const size_t size = bytes + 2;
    if (size > self->marked_bytes) {
        uint8_t *larger = realloc(self->marked, size * 2);
        if (!larger) {
            return 0;
        }
        self->marked = larger;
        self->marked_bytes = size * 2;
    }
    uint8_t *text = self->marked;
    text[0] = '<';
    memcpy(text + 1, word, bytes);
    text[size - 1] = '>';
    for (size_t start = 0; start < size; start++) {
        if (continues_character(text[start])) {
            continue;
        }
        uint32_t hash = FNV_BASIS;
        size_t end = start;
        for (int n = 1; n <= self->maxn && end < size; n++) {
            hash = hash_byte(hash, text[end++]);
            while (end < size && continues_character(text[end])) {
                hash = hash_byte(hash, text[end++]);
            }
            /* A boundary mark alone says nothing. */
            if (n >= self->minn && !(n == 1 && (start == 0 || end == size))) {
                push_bucket(self, hash % self->bucket);
            }
        }
    }
    return 1;
}

/* Push a word's rows; return 1, 0 for a label, -1 out of memory. */
static int push_new_word(Model *self, const uint8_t *word, size_t bytes, uint32_t hash)
{
    const size_t eos_bytes = sizeof END_OF_LINE - 1, prefix_bytes = sizeof LABEL_PREFIX - 1;
    const int32_t id = find_entry(self, word, bytes, hash);
    if (id >= self->vocabulary_words) {
        return 0;
    }
    if (id >= 0) {
        push_row(self, id);
    } else if (bytes >= prefix_bytes && memcmp(word, LABEL_PREFIX, prefix_bytes) == 0) {
        return 0;
    }
    if (self->maxn == 0 || (bytes == eos_bytes && memcmp(word, END_OF_LINE, eos_bytes) == 0)) {
        return 1;
    }
    return push_subwords(self, word, bytes) ? 1 : -1;
}

static int push_word(Model *self, const uint8_t *word, size_t bytes, uint32_t hash)
{
    if (bytes > CACHED_WORD_BYTES) {
        return push_new_word(self, word, bytes, hash);
    }
    if (PENDING_ROWS - self->pending_rows < CACHED_WORD_ROWS) {
        add_rows(self); /* from here on, what is pushed stays together */
    }
    const size_t word_cells = (bytes + 3) / 4;
    uint32_t place = (hash ^ hash >> 15) & (CACHE_SLOTS - 1);
    Slot *slot;
    while ((slot = &self->slots[place])->cell) {
        if (slot->hash == hash && slot->bytes == bytes &&
            same_bytes(&self->cells[slot->cell], word, bytes)) {
            memcpy(&self->pending[self->pending_rows], &self->cells[slot->cell + word_cells],
                   slot->rows * sizeof(int32_t));
            self->pending_rows += slot->rows;
            return slot->is_word;
        }
        place = (place + 1) & (CACHE_SLOTS - 1);
    }
    const size_t before = self->pending_rows;
    const int is_word = push_new_word(self, word, bytes, hash);
    if (is_word < 0) {
        return -1;
    }
    const size_t rows = self->pending_rows - before;
    if (self->slots_taken >= CACHE_SLOTS / 2 ||
        self->cells_taken + word_cells + rows > CACHE_CELLS) {
        memset(self->slots, 0, CACHE_SLOTS * sizeof(Slot));
        self->slots_taken = 0;
        self->cells_taken = 1;
        slot = &self->slots[(hash ^ hash >> 15) & (CACHE_SLOTS - 1)];
    }
    int32_t *cells = &self->cells[self->cells_taken];
    memcpy(cells, word, bytes);
    memcpy(cells + word_cells, &self->pending[before], rows * sizeof(int32_t));
    *slot = (Slot){hash, self->cells_taken, (uint16_t)rows, (uint8_t)bytes, (uint8_t)is_word};
    self->slots_taken++;
    self->cells_taken += (uint32_t)(word_cells + rows);
    return is_word;
}

static int keep_word_hash(Model *self, uint32_t hash)
{
    if (self->word_hashes_taken == self->word_hashes_size) {
        const size_t size = self->word_hashes_size ? 2 * self->word_hashes_size : 1024;
        int32_t *larger = realloc(self->word_hashes, size * sizeof(int32_t));
        if (!larger) {
            return 0;
        }
        self->word_hashes = larger;
        self->word_hashes_size = size;
    }
    self->word_hashes[self->word_hashes_taken++] = (int32_t)hash;
    return 1;
}

static void push_word_ngrams(Model *self)
{
    for (size_t i = 0; i < self->word_hashes_taken; i++) {
        uint64_t hash = (uint64_t)(int64_t)self->word_hashes[i];
        const size_t end = i + (size_t)self->word_ngrams;
        for (size_t j = i + 1; j < self->word_hashes_taken && j < end; j++) {
            hash = hash * WORD_NGRAM_FACTOR + (uint64_t)(int64_t)self->word_hashes[j];
            push_bucket(self, (uint32_t)(hash % self->bucket));
        }
    }
}

/* Add up the rows of a line; its end is a word too. Return 0 when out of memory. */
static int read_line(Model *self, const uint8_t *text, size_t size)
{
    static const size_t eos_bytes = sizeof END_OF_LINE - 1;
    int at_end = 0;
    size_t at = 0;
    self->pending_rows = self->line_rows = self->word_hashes_taken = 0;
    memset(self->hidden, 0, (size_t)self->dim * sizeof(float));
    while (!at_end) {
        while (at < size && separates_words(text[at])) {
            at++;
        }
        const uint8_t *word = text + at;
        uint32_t hash = FNV_BASIS;
        for (; at < size && !separates_words(text[at]); at++) {
            hash = hash_byte(hash, text[at]);
        }
        size_t bytes = (size_t)(text + at - word);
        if (bytes == 0) {
            word = (const uint8_t *)END_OF_LINE;
            bytes = eos_bytes;
            for (size_t i = 0; i < eos_bytes; i++) {
                hash = hash_byte(hash, word[i]);
            }
        }
        /* Written out in the text it ends the line as well. */
        at_end = bytes == eos_bytes && memcmp(word, END_OF_LINE, eos_bytes) == 0;
        const int is_word = push_word(self, word, bytes, hash);
        if (is_word < 0 || (is_word && self->word_ngrams > 1 && !keep_word_hash(self, hash))) {
            return 0;
        }
    }
    if (self->word_ngrams > 1) {
        push_word_ngrams(self);
    }
    add_rows(self);
    return 1;
}

/* ------------------------------------------------------------------------------ output layer */

static inline float log_of(float probability)
{
    return (float)log((double)probability + 1e-5);
}

static float dot(const Model *self, ptrdiff_t row)
{
    const float *weights = self->output + row * self->dim;
    float sum = 0.0f;
    for (ptrdiff_t d = 0; d < self->dim; d++) {
        sum += weights[d] * self->hidden[d];
    }
    return self->scale ? sum * self->scale[row] : sum;
}

/* The later of two equal scores wins, as in a heap of one. */
static inline int is_worse(const Best *best, float score)
{
    return best->found && score < best->score;
}

static int descend(const Model *self, int32_t node, float score, float least, Best *best)
{
    if (score < least || is_worse(best, score)) {
        return 1;
    }
    const int32_t left = self->tree[2 * node], right = self->tree[2 * node + 1];
    if (left < 0) {
        *best = (Best){1, node, score, 0.0f};
        return 1;
    }
    const float product = dot(self, node - self->labels);
    if (!isfinite(product)) {
        return 0;
    }
    const float chance = 1.0f / (1.0f + expf(-product)); /* of the right branch */
    return descend(self, left, score + log_of(1.0f - chance), least, best) &&
           descend(self, right, score + log_of(chance), least, best);
}

static int softmax(const Model *self, Best *best)
{
    float *scores = self->scores;
    float most = 0.0f, total = 0.0f;
    for (ptrdiff_t i = 0; i < self->labels; i++) {
        scores[i] = dot(self, i);
        if (!isfinite(scores[i])) {
            return 0;
        }
        most = i == 0 || scores[i] > most ? scores[i] : most;
    }
    for (ptrdiff_t i = 0; i < self->labels; i++) {
        scores[i] = (float)exp((double)(scores[i] - most));
        total += scores[i];
    }
    for (ptrdiff_t i = 0; i < self->labels; i++) {
        const float score = log_of(scores[i] / total);
        if (!is_worse(best, score)) {
            *best = (Best){1, (int32_t)i, score, 0.0f};
        }
    }
    return 1;
}

Outcome model_predict(Model *self, const uint8_t *text, size_t size, Best *best)
{
    best->found = 0;
    if (!read_line(self, text, size)) {
        return OUT_OF_MEMORY;
    }
    if (self->line_rows == 0) {
        return NOTHING;
    }
    const float share = (float)(1.0 / (double)self->line_rows);
    for (ptrdiff_t d = 0; d < self->dim; d++) {
        self->hidden[d] *= share;
    }
    if (!(self->tree ? descend(self, (int32_t)(2 * self->labels - 2), 0.0f, log_of(0.0f), best)
                     : softmax(self, best))) {
        return NOT_FINITE;
    }
    best->probability = best->found ? expf(best->score) : 0.0f;
    return best->found ? FOUND : NOTHING;
}

/* ----------------------------------------------------------------------------------- building */

const char MODEL_OUT_OF_MEMORY[] = "out of memory";

static const char *build_vocabulary(Model *self, const char *at, size_t bytes)
{
    const char *end = at + bytes;
    const size_t size = (size_t)self->vocabulary_size;
    size_t places = 16;
    while (places < 2 * size) {
        places *= 2;
    }
    self->entry = malloc(size * sizeof *self->entry);
    self->entry_bytes = malloc(size * sizeof *self->entry_bytes);
    self->entry_hash = malloc(size * sizeof *self->entry_hash);
    self->vocabulary = malloc(places * sizeof *self->vocabulary);
    if (!self->entry || !self->entry_bytes || !self->entry_hash || !self->vocabulary) {
        return MODEL_OUT_OF_MEMORY;
    }
    memset(self->vocabulary, 0xFF, places * sizeof *self->vocabulary);
    self->vocabulary_mask = (uint32_t)(places - 1);
    for (size_t id = 0; id < size; id++) {
        const char *stop = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (!stop || end - stop < ENTRY_TAIL || stop - at > INT32_MAX) {
            return "entries: fewer than words and labels together";
        }
        if (stop[ENTRY_TAIL - 1] != ((int32_t)id >= self->vocabulary_words)) {
            return "entries: a label among the words";
        }
        uint32_t hash = FNV_BASIS;
        for (const char *c = at; c < stop; c++) {
            hash = hash_byte(hash, (uint8_t)*c);
        }
        self->entry[id] = at;
        self->entry_bytes[id] = (uint32_t)(stop - at);
        self->entry_hash[id] = hash;
        if (find_entry(self, (const uint8_t *)at, (size_t)(stop - at), hash) >= 0) {
            return "entries: one is there twice";
        }
        uint32_t place = hash & self->vocabulary_mask;
        while (self->vocabulary[place] >= 0) {
            place = (place + 1) & self->vocabulary_mask;
        }
        self->vocabulary[place] = (int32_t)id;
        at = stop + ENTRY_TAIL;
    }
    return NULL;
}

static const char *mark_kept(Model *self)
{
    self->is_kept = calloc(self->bucket / 64 + 1, sizeof *self->is_kept);
    if (!self->is_kept) {
        return MODEL_OUT_OF_MEMORY;
    }
    for (uint32_t i = 0; i < self->bucket; i++) {
        self->is_kept[i / 64] |= (uint64_t)(self->kept[i] >= 0) << i % 64;
    }
    return NULL;
}

const char *model_build(Model *self, const char *entries, size_t bytes)
{
    const char *problem = build_vocabulary(self, entries, bytes);
    if (!problem && self->kept) {
        problem = mark_kept(self);
    }
    if (problem) {
        return problem;
    }
    self->slots = calloc(CACHE_SLOTS, sizeof(Slot));
    self->cells = malloc(CACHE_CELLS * sizeof(int32_t));
    self->cells_taken = 1;
    self->pending = malloc(PENDING_ROWS * sizeof(int32_t));
    self->hidden = malloc((size_t)self->dim * sizeof(float));
    self->scores = malloc((size_t)self->labels * sizeof(float));
    if (!self->slots || !self->cells || !self->pending || !self->hidden || !self->scores) {
        return MODEL_OUT_OF_MEMORY;
    }
    return NULL;
}

void model_free(Model *self)
{
    free((void *)self->entry);
    free(self->entry_bytes);
    free(self->entry_hash);
    free(self->vocabulary);
    free(self->slots);
    free(self->cells);
    free(self->pending);
    free(self->is_kept);
    free(self->hidden);
    free(self->scores);
    free(self->marked);
    free(self->word_hashes);
}
