/* Predictions of supervised fastText models, bit for bit those of fasttext-wheel 0.9.2.

   `filters/fasttext_file.py` reads a model file and gives its arrays; this module holds them and
   answers for one line at a time. What takes the time in fastText is done once here: a word's
   subword hashes (a cache from words to lists of rows), the decoding of compressed rows (they
   arrive as floats), and reading characters through a stream.

   Equal bits need equal float32 operations in an equal order: rows are added one after another in
   fastText's order, each dimension by itself, and products are never fused with sums (compile with
   -ffp-contract=off, without -ffast-math). Whoever loads a model compares some lines with fastText
   before it trusts this module.

   The interpreter's lock is held throughout: the cache is changed without another. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000 /* buffers are in the stable interface from Python 3.11 on */
#endif
#include <Python.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef __GNUC__
#error "GCC or Clang is needed, for vectors; without this module fastText itself answers"
#endif

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

typedef struct {
    uint32_t hash;
    uint32_t cell; /* of the word's bytes, its rows follow; 0 when the slot is free */
    uint16_t rows;
    uint8_t bytes;
    uint8_t is_word; /* labels in a line count for nothing */
} Slot;

typedef struct {
    PyObject_HEAD
    Py_buffer entries_view, input_view, output_view, scale_view, tree_view, kept_view;
    const char *input;   /* (rows, dim) float32, at any address */
    const float *output; /* (labels or inner nodes, dim) float32 */
    const float *scale;  /* a factor for each output row, or NULL */
    const int32_t *tree; /* (2 labels - 1, 2): left and right, -1 for leaves; NULL for softmax */
    const int32_t *kept; /* (bucket,): the place of a bucket that was kept, -1; NULL for all */
    uint64_t *is_kept;   /* a bit for each bucket: most are not, and these bits fit a near cache */
    Py_ssize_t rows, dim, labels;
    int32_t vocabulary_words, vocabulary_size;
    int minn, maxn, word_ngrams;
    uint32_t bucket;
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
} Predictor;

typedef enum { NOTHING, FOUND, OUT_OF_MEMORY, NOT_FINITE } Outcome;

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

static void add_rows(Predictor *self)
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

static inline void push_row(Predictor *self, int32_t row)
{
    if (self->pending_rows == PENDING_ROWS) {
        add_rows(self);
    }
    self->pending[self->pending_rows++] = row;
}

static inline void push_bucket(Predictor *self, uint32_t bucket)
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

static int32_t find_entry(const Predictor *self, const uint8_t *word, size_t bytes, uint32_t hash)
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
static int push_subwords(Predictor *self, const uint8_t *word, size_t bytes)
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
static int push_new_word(Predictor *self, const uint8_t *word, size_t bytes, uint32_t hash)
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

static int push_word(Predictor *self, const uint8_t *word, size_t bytes, uint32_t hash)
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

static int keep_word_hash(Predictor *self, uint32_t hash)
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

static void push_word_ngrams(Predictor *self)
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
static int read_line(Predictor *self, const uint8_t *text, size_t size)
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

typedef struct {
    int found;
    int32_t label;
    float score; /* natural logarithm of the probability, and of 1e-5 more than it */
} Best;

static inline float log_of(float probability)
{
    return (float)log((double)probability + 1e-5);
}

static float dot(const Predictor *self, Py_ssize_t row)
{
    const float *weights = self->output + row * self->dim;
    float sum = 0.0f;
    for (Py_ssize_t d = 0; d < self->dim; d++) {
        sum += weights[d] * self->hidden[d];
    }
    return self->scale ? sum * self->scale[row] : sum;
}

/* The later of two equal scores wins, as in a heap of one. */
static inline int is_worse(const Best *best, float score)
{
    return best->found && score < best->score;
}

static int descend(const Predictor *self, int32_t node, float score, float least, Best *best)
{
    if (score < least || is_worse(best, score)) {
        return 1;
    }
    const int32_t left = self->tree[2 * node], right = self->tree[2 * node + 1];
    if (left < 0) {
        *best = (Best){1, node, score};
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

static int softmax(const Predictor *self, Best *best)
{
    float *scores = self->scores;
    float most = 0.0f, total = 0.0f;
    for (Py_ssize_t i = 0; i < self->labels; i++) {
        scores[i] = dot(self, i);
        if (!isfinite(scores[i])) {
            return 0;
        }
        most = i == 0 || scores[i] > most ? scores[i] : most;
    }
    for (Py_ssize_t i = 0; i < self->labels; i++) {
        scores[i] = (float)exp((double)(scores[i] - most));
        total += scores[i];
    }
    for (Py_ssize_t i = 0; i < self->labels; i++) {
        const float score = log_of(scores[i] / total);
        if (!is_worse(best, score)) {
            *best = (Best){1, (int32_t)i, score};
        }
    }
    return 1;
}

static Outcome predict(Predictor *self, const uint8_t *text, size_t size, Best *best)
{
    best->found = 0;
    if (!read_line(self, text, size)) {
        return OUT_OF_MEMORY;
    }
    if (self->line_rows == 0) {
        return NOTHING;
    }
    const float share = (float)(1.0 / (double)self->line_rows);
    for (Py_ssize_t d = 0; d < self->dim; d++) {
        self->hidden[d] *= share;
    }
    if (!(self->tree ? descend(self, (int32_t)(2 * self->labels - 2), 0.0f, log_of(0.0f), best)
                     : softmax(self, best))) {
        return NOT_FINITE;
    }
    return best->found ? FOUND : NOTHING;
}

/* ------------------------------------------------------------------------------------ Python */

static int refuse(const char *message)
{
    PyErr_SetString(PyExc_ValueError, message);
    return -1;
}

/* An entry is its bytes, a NUL, a count of 8 bytes and a kind of 1 byte. */
static int build_vocabulary(Predictor *self)
{
    const char *at = self->entries_view.buf, *end = at + self->entries_view.len;
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
        PyErr_NoMemory();
        return -1;
    }
    memset(self->vocabulary, 0xFF, places * sizeof *self->vocabulary);
    self->vocabulary_mask = (uint32_t)(places - 1);
    for (size_t id = 0; id < size; id++) {
        const char *stop = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (!stop || end - stop < 10 || stop - at > INT32_MAX) {
            return refuse("entries: fewer than words and labels together");
        }
        if (stop[9] != ((int32_t)id >= self->vocabulary_words)) {
            return refuse("entries: a label among the words");
        }
        uint32_t hash = FNV_BASIS;
        for (const char *c = at; c < stop; c++) {
            hash = hash_byte(hash, (uint8_t)*c);
        }
        self->entry[id] = at;
        self->entry_bytes[id] = (uint32_t)(stop - at);
        self->entry_hash[id] = hash;
        if (find_entry(self, (const uint8_t *)at, (size_t)(stop - at), hash) >= 0) {
            return refuse("entries: one is there twice");
        }
        uint32_t place = hash & self->vocabulary_mask;
        while (self->vocabulary[place] >= 0) {
            place = (place + 1) & self->vocabulary_mask;
        }
        self->vocabulary[place] = (int32_t)id;
        at = stop + 10;
    }
    return 0;
}

static int check_arrays(const Predictor *self)
{
    const Py_ssize_t labels = self->labels, nodes = 2 * labels - 1;
    const Py_ssize_t outputs = self->tree ? labels - 1 : labels;
    const Py_ssize_t limit = (Py_ssize_t)1 << 31; /* ids are of 32 bits */
    const Py_ssize_t row_bytes = self->dim * (Py_ssize_t)sizeof(float);
    if (self->dim < 1 || self->dim > 1 << 16 || labels < 1 || labels > 1 << 24 ||
        self->rows < self->vocabulary_words || self->rows >= limit ||
        self->vocabulary_words < 0 || self->vocabulary_size >= 1 << 30 || self->minn < 0 ||
        self->maxn < 0 || self->maxn > CACHED_WORD_BYTES || self->word_ngrams < 1) {
        return refuse("a size is out of range");
    }
    if (self->input_view.len < self->rows * row_bytes) {
        return refuse("embeddings: too short");
    }
    if (self->output_view.len < outputs * row_bytes) {
        return refuse("output: too short");
    }
    if (self->scale && self->scale_view.len < outputs * (Py_ssize_t)sizeof(float)) {
        return refuse("scale: too short");
    }
    if (self->tree) {
        if (self->tree_view.len < nodes * 2 * (Py_ssize_t)sizeof(int32_t)) {
            return refuse("tree: too short");
        }
        for (Py_ssize_t node = labels; node < nodes; node++) {
            for (int side = 0; side < 2; side++) {
                const int32_t child = self->tree[2 * node + side];
                if (child < 0 || child >= node) {
                    return refuse("tree: a branch leads nowhere");
                }
            }
        }
        for (Py_ssize_t leaf = 0; leaf < labels; leaf++) {
            if (self->tree[2 * leaf] >= 0) {
                return refuse("tree: a leaf has branches");
            }
        }
    }
    if (self->maxn == 0 && self->word_ngrams == 1) {
        return 0; /* no buckets */
    }
    if (self->bucket == 0) {
        return refuse("bucket: none for the n-grams");
    }
    const Py_ssize_t places = self->rows - self->vocabulary_words;
    if (!self->kept) {
        return (Py_ssize_t)self->bucket > places ? refuse("embeddings: too few rows") : 0;
    }
    if (self->kept_view.len < (Py_ssize_t)self->bucket * (Py_ssize_t)sizeof(int32_t)) {
        return refuse("kept: too short");
    }
    for (uint32_t i = 0; i < self->bucket; i++) {
        if (self->kept[i] < -1 || self->kept[i] >= places) {
            return refuse("kept: a place that is not there");
        }
    }
    return 0;
}

/* Fill a view of an argument that may be None. */
static int view_optional(PyObject *argument, Py_buffer *view)
{
    return argument == Py_None ? 0 : PyObject_GetBuffer(argument, view, PyBUF_SIMPLE);
}

static int mark_kept(Predictor *self)
{
    if (!self->kept) {
        return 0;
    }
    self->is_kept = calloc(self->bucket / 64 + 1, sizeof *self->is_kept);
    if (!self->is_kept) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < self->bucket; i++) {
        self->is_kept[i / 64] |= (uint64_t)(self->kept[i] >= 0) << i % 64;
    }
    return 0;
}

static int predictor_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"entries", "n_words", "n_labels", "embeddings", "rows",
                            "dim",     "output",  "scale",    "tree",       "bucket",
                            "kept",    "minn",    "maxn",     "word_ngrams", NULL};
    Predictor *self = (Predictor *)object;
    PyObject *scale, *tree, *kept;
    int n_words, n_labels, bucket;
    if (self->entries_view.obj) {
        return refuse("a predictor is made once");
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*iiy*nny*OOiOiii", names, &self->entries_view,
                                     &n_words, &n_labels, &self->input_view, &self->rows,
                                     &self->dim, &self->output_view, &scale, &tree, &bucket,
                                     &kept, &self->minn, &self->maxn, &self->word_ngrams)) {
        return -1;
    }
    if (view_optional(scale, &self->scale_view) < 0 || view_optional(tree, &self->tree_view) < 0 ||
        view_optional(kept, &self->kept_view) < 0) {
        return -1;
    }
    if (n_words < 0 || n_labels < 1 || n_words > 1 << 29 || n_labels > 1 << 24 || bucket < 0) {
        return refuse("a size is out of range");
    }
    self->vocabulary_words = n_words;
    self->vocabulary_size = n_words + n_labels;
    self->labels = n_labels;
    self->bucket = (uint32_t)bucket;
    self->input = self->input_view.buf;
    self->output = self->output_view.buf;
    self->scale = self->scale_view.buf;
    self->tree = self->tree_view.buf;
    self->kept = self->maxn > 0 || self->word_ngrams > 1 ? self->kept_view.buf : NULL;
    if (check_arrays(self) < 0 || mark_kept(self) < 0 || build_vocabulary(self) < 0) {
        return -1;
    }
    self->slots = calloc(CACHE_SLOTS, sizeof(Slot));
    self->cells = malloc(CACHE_CELLS * sizeof(int32_t));
    self->cells_taken = 1;
    self->pending = malloc(PENDING_ROWS * sizeof(int32_t));
    self->hidden = malloc((size_t)self->dim * sizeof(float));
    self->scores = malloc((size_t)self->labels * sizeof(float));
    if (!self->slots || !self->cells || !self->pending || !self->hidden || !self->scores) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static void predictor_dealloc(PyObject *object)
{
    Predictor *self = (Predictor *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_buffer *views[] = {&self->entries_view, &self->input_view, &self->output_view,
                          &self->scale_view, &self->tree_view,  &self->kept_view};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        PyBuffer_Release(views[i]); /* nothing happens for one that was never filled */
    }
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
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *predictor_top(PyObject *object, PyObject *line)
{
    Predictor *self = (Predictor *)object;
    Py_buffer text;
    Best best;
    if (!self->scores) {
        PyErr_SetString(PyExc_ValueError, "the predictor was not made");
        return NULL;
    }
    if (PyObject_GetBuffer(line, &text, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const Outcome outcome = predict(self, text.buf, (size_t)text.len, &best);
    PyBuffer_Release(&text);
    switch (outcome) {
    case FOUND:
        return Py_BuildValue("(id)", (int)best.label, (double)expf(best.score));
    case NOTHING:
        Py_RETURN_NONE;
    case NOT_FINITE:
        PyErr_SetString(PyExc_FloatingPointError, "a score is not finite");
        return NULL;
    default:
        return PyErr_NoMemory();
    }
}

static PyMethodDef predictor_methods[] = {
    {"top", predictor_top, METH_O,
     "Return the number of the best label of a line of UTF-8 and its probability, or None.\n\n"
     "Raises FloatingPointError where a score is not finite."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot predictor_slots[] = {{Py_tp_doc, "A supervised model, ready to be asked."},
                                        {Py_tp_init, predictor_init},
                                        {Py_tp_dealloc, predictor_dealloc},
                                        {Py_tp_methods, predictor_methods},
                                        {0, NULL}};

static PyType_Spec predictor_spec = {"filters._fasttext.Predictor", sizeof(Predictor), 0,
                                     Py_TPFLAGS_DEFAULT, predictor_slots};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&predictor_spec);
    if (!type) {
        return -1;
    }
    const int result = PyModule_AddObjectRef(module, "Predictor", type);
    Py_DECREF(type);
    return result;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_fasttext",
    .m_doc = "Predictions of fastText models, bit for bit, several times faster.",
    .m_slots = module_slots};

PyMODINIT_FUNC PyInit__fasttext(void)
{
    return PyModuleDef_Init(&module_definition);
}
