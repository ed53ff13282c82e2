/* The probability of a sentence under a model of KenLM, as KenLM computes it.

   The file is KenLM's memory: hash tables with linear probing, one per length of n-grams, at places
   that follow from the counts in the head of the file ("probing", version 5 of the format). An
   n-gram's key is a hash of its words' numbers from the last one back, so the keys of a word are
   known before anything is looked up, and their slots are fetched ahead.

   Sums are of 32-bit floating point, in KenLM's order. The sign of a stored probability says whether
   longer n-grams end in this one; a back-off of -0.0 says that no longer n-gram begins with it. */

#include "_ngrams.h"

#include <float.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "sums must be rounded to 32 bits, as KenLM's are"
#endif

enum {
    MAGIC_BYTES = 56, /* of the text at the beginning, with zeros behind */
    CHECK_BYTES = 32, /* of numbers that tell machines apart */
    FIXED_BYTES = 20, /* of the order, the factor, the kind of model and its version */
    PROBING = 0,      /* of kinds of models */
    WORD_BYTES = 12,
    WEIGHTS_BYTES = 8,
    MIDDLE_BYTES = 16,
    LONGEST_BYTES = 12
};

#define SIGN UINT32_C(0x80000000)

static uint32_t read32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t read64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The numbers with which KenLM finds out whether the file is of such a machine as this one. */
static int is_of_this_machine(const uint8_t *at)
{
    const float floats[] = {0.0f, 1.0f, -0.5f};
    const uint32_t words[] = {1, UINT32_MAX, 0};
    const uint64_t one = 1;
    return !memcmp(at, floats, 12) && !memcmp(at + 12, words, 12) && !memcmp(at + 24, &one, 8);
}

/* Take a table for so many entries off the file; return 0 where the file is too short. */
static int take(Table *table, const uint8_t **at, const uint8_t *end, uint64_t entries,
                float factor, size_t slot_bytes)
{
    if (entries > UINT64_C(1) << 40) {
        return 0;
    }
    const uint64_t wanted = (uint64_t)(factor * (float)entries);
    table->slots = wanted > entries + 1 ? wanted : entries + 1;
    table->inverse = UINT64_MAX / table->slots;
    table->slot_bytes = slot_bytes;
    table->begin = *at;
    if (table->slots > (uint64_t)(end - *at) / slot_bytes) {
        return 0;
    }
    *at += table->slots * slot_bytes;
    return 1;
}

const char *ngrams_read(Ngrams *ngrams, const uint8_t *file, size_t size)
{
    static const char magic[MAGIC_BYTES] = "mmap lm http://kheafield.com/code format version 5\n";
    static const size_t head = MAGIC_BYTES + CHECK_BYTES + FIXED_BYTES;
    if (size < head || memcmp(file, magic, MAGIC_BYTES) ||
        !is_of_this_machine(file + MAGIC_BYTES)) {
        return "it is not in KenLM's binary format";
    }
    const uint8_t *fixed = file + MAGIC_BYTES + CHECK_BYTES, *end = file + size;
    const float factor = as_float(read32(fixed + 4));
    ngrams->order = fixed[0];
    if (read32(fixed + 8) != PROBING || read32(fixed + 16) != 0) {
        return "it has no hash tables";
    }
    if (ngrams->order < 2 || ngrams->order > MAX_ORDER || !(factor >= 1.0f && factor <= 100.0f)) {
        return "its n-grams are of another length";
    }
    const size_t counts = head, total = (counts + 8 * (size_t)ngrams->order + 7) / 8 * 8;
    if (size < total + 8 || read32(file + total) != 0) {
        return "its vocabulary is of another version";
    }
    const uint8_t *at = file + total + 8;
    const uint64_t words = read64(file + counts);
    ngrams->words_count = read32(file + total + 4);
    if (!take(&ngrams->vocabulary, &at, end, words, factor, WORD_BYTES) ||
        words + 1 > (uint64_t)(end - at) / WEIGHTS_BYTES || ngrams->words_count > words + 1) {
        return "the file is cut short";
    }
    ngrams->unigrams = at;
    at += (words + 1) * WEIGHTS_BYTES;
    for (int n = 2; n <= ngrams->order; n++) {
        const uint64_t entries = read64(file + counts + 8 * (size_t)(n - 1));
        const size_t slot_bytes = n < ngrams->order ? MIDDLE_BYTES : LONGEST_BYTES;
        if (!take(&ngrams->tables[n - 2], &at, end, entries, factor, slot_bytes)) {
            return "the file is cut short";
        }
    }
    ngrams->begin_word = ngrams_word(ngrams, (const uint8_t *)"<s>", 3);
    ngrams->end_word = ngrams_word(ngrams, (const uint8_t *)"</s>", 4);
    return NULL;
}

/* The slot of a key, at its rest when divided by the number of slots. */
static const uint8_t *slot_of(const Table *table, uint64_t key)
{
#ifdef __SIZEOF_INT128__
    /* The product's upper half is the quotient or one less: a division takes several times as long. */
    __extension__ typedef unsigned __int128 Product;
    const uint64_t quotient = (uint64_t)((Product)key * table->inverse >> 64);
    uint64_t rest = key - quotient * table->slots;
    rest -= rest >= table->slots ? table->slots : 0;
#else
    const uint64_t rest = key % table->slots;
#endif
    return table->begin + rest * table->slot_bytes;
}

/* Look for a key from its slot on; return what stands behind it, or NULL. */
static const uint8_t *find(const Table *table, const uint8_t *slot, uint64_t key)
{
    const uint8_t *end = table->begin + table->slots * table->slot_bytes;
    for (;;) {
        const uint64_t found = read64(slot);
        if (found == key) {
            return slot + sizeof found;
        }
        if (!found) {
            return NULL;
        }
        slot += table->slot_bytes;
        slot = slot == end ? table->begin : slot;
    }
}

/* MurmurHash64A with seed 0, by Austin Appleby, who placed it in the public domain. */
static uint64_t hash_of(const uint8_t *at, size_t size)
{
    const uint64_t factor = UINT64_C(0xc6a4a7935bd1e995);
    uint64_t hash = size * factor, tail = 0;
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t part = read64(at) * factor;
        part = (part ^ part >> 47) * factor;
        hash = (hash ^ part) * factor;
    }
    if (size) {
        memcpy(&tail, at, size);
        hash = (hash ^ tail) * factor;
    }
    hash = (hash ^ hash >> 47) * factor;
    return hash ^ hash >> 47;
}

uint32_t ngrams_word(const Ngrams *ngrams, const uint8_t *text, size_t size)
{
    const uint64_t key = hash_of(text, size);
    const uint8_t *found = find(&ngrams->vocabulary, slot_of(&ngrams->vocabulary, key), key);
    const uint32_t word = found ? read32(found) : 0;
    return word < ngrams->words_count ? word : 0;
}

/* The keys of the n-grams that end in a word, from 2 words on, and their slots. */
typedef struct {
    uint64_t keys[MAX_ORDER - 1];
    const uint8_t *slots[MAX_ORDER - 1];
} Aim;

static void aim_at(const Ngrams *ngrams, const uint32_t *words, size_t position, Aim *aim)
{
    uint64_t key = words[position];
    for (int n = 0; n < ngrams->order - 1 && (size_t)n < position; n++) {
        key = key * UINT64_C(8978948897894561157) ^
              (UINT64_C(1) + words[position - 1 - (size_t)n]) * UINT64_C(17894857484156487943);
        aim->keys[n] = key;
        aim->slots[n] = slot_of(&ngrams->tables[n], key);
#ifdef __GNUC__
        __builtin_prefetch(aim->slots[n]);
#endif
    }
}

/* How many words before the next one matter, and what the back-offs are that begin with them. */
typedef struct {
    float back_offs[MAX_ORDER];
    int length;
} State;

/* The log10 probability of a word in its state, and the state of the next one. */
static float score_word(const Ngrams *ngrams, uint32_t word, const Aim *aim, const State *state,
                        State *next)
{
    const uint8_t *weights = ngrams->unigrams + (size_t)word * WEIGHTS_BYTES;
    uint32_t stored = read32(weights), back_off = read32(weights + 4);
    float score = as_float(stored | SIGN);
    int matched = 1;
    next->back_offs[0] = as_float(back_off);
    next->length = back_off != SIGN;
    for (int n = 0; n < state->length && !(stored & SIGN); n++) {
        weights = find(&ngrams->tables[n], aim->slots[n], aim->keys[n]);
        if (!weights) {
            break;
        }
        matched = n + 2;
        stored = read32(weights);
        if (matched == ngrams->order) {
            score = as_float(stored);
            break;
        }
        score = as_float(stored | SIGN);
        back_off = read32(weights + 4);
        next->back_offs[n + 1] = as_float(back_off);
        if (back_off != SIGN) {
            next->length = matched;
        }
    }
    for (int n = matched - 1; n < state->length; n++) {
        score += state->back_offs[n];
    }
    return score;
}

float ngrams_score(const Ngrams *ngrams, const uint32_t *words, size_t count)
{
    Aim aims[WORDS_AHEAD + 1];
    State states[2];
    float total = 0.0f;
    states[0].length = 1;
    states[0].back_offs[0] =
        as_float(read32(ngrams->unigrams + (size_t)words[0] * WEIGHTS_BYTES + 4));
    for (size_t ahead = 1; ahead < count + WORDS_AHEAD; ahead++) {
        if (ahead < count) {
            aim_at(ngrams, words, ahead, &aims[ahead % (WORDS_AHEAD + 1)]);
        }
        if (ahead > WORDS_AHEAD) {
            const size_t position = ahead - WORDS_AHEAD;
            const Aim *aim = &aims[position % (WORDS_AHEAD + 1)];
            total += score_word(ngrams, words[position], aim, &states[(position + 1) % 2],
                                &states[position % 2]);
        }
    }
    return total;
}
