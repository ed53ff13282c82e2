/* Byte pair encoding of a text in chunks that no merge crosses.

   A text is cut between two characters that stand side by side in no piece of the model: no merge
   can join them, and merges on both sides do not see each other. So the ids of a text are those of
   its chunks, one after the other (words and marks, in most scripts), and the ids of a chunk do
   not depend on where it stands. A cache of fixed size holds the ids of short chunks. */

#include "_bpe.h"

#include <stdlib.h>
#include <string.h>

static uint64_t scatter(uint64_t low, uint64_t high)
{
    uint64_t z = low * 0x9E3779B97F4A7C15u + high * 0xC2B2AE3D27D4EB4Fu;
    z ^= z >> 29;
    z *= 0xBF58476D1CE4E5B9u;
    return z ^ z >> 32;
}

/* The size of a table in open addressing that `count` entries fill by less than a half. */
static size_t table_size(size_t count)
{
    size_t size = 16;
    while (size < 2 * count + 1) {
        size *= 2;
    }
    return size;
}

int bpe_make(Bpe *bpe, size_t joins, size_t merges)
{
    const size_t joins_size = table_size(joins), merges_size = table_size(merges);
    bpe->joins_mask = joins_size - 1;
    bpe->merges_mask = merges_size - 1;
    bpe->symbols = calloc(CHARACTERS, sizeof *bpe->symbols);
    bpe->joins = calloc(joins_size, sizeof *bpe->joins);
    bpe->merges = malloc(merges_size * sizeof *bpe->merges);
    bpe->cache = calloc(CACHE_SLOTS, sizeof *bpe->cache);
    if (!bpe->symbols || !bpe->joins || !bpe->merges || !bpe->cache) {
        return 0;
    }
    for (size_t i = 0; i < merges_size; i++) {
        bpe->merges[i].merged = NO_SYMBOL;
    }
    for (size_t i = 0; i < 128; i++) {
        bpe->ascii_ids[i] = bpe->byte_ids[i];
    }
    return 1;
}

void bpe_free(Bpe *bpe)
{
    free(bpe->symbols);
    free(bpe->joins);
    free(bpe->merges);
    free(bpe->cache);
    free(bpe->nodes);
    free(bpe->heap);
}

void bpe_add_character(Bpe *bpe, uint32_t character, uint32_t symbol)
{
    const uint32_t written = character == SPACE_MARK ? ' ' : character;
    bpe->symbols[character] = symbol + 1;
    bpe->symbols[written] = symbol + 1;
    if (written < 128 && symbol < bpe->pieces) {
        bpe->ascii_ids[written] = (int32_t)symbol;
    }
}

static uint64_t join_key(uint32_t left, uint32_t right)
{
    return ((uint64_t)left << 32 | right) + 1;
}

void bpe_add_join(Bpe *bpe, uint32_t left, uint32_t right)
{
    const uint64_t key = join_key(left, right);
    uint64_t place = scatter(key, 0) & bpe->joins_mask;
    while (bpe->joins[place] && bpe->joins[place] != key) {
        place = (place + 1) & bpe->joins_mask;
    }
    bpe->joins[place] = key;
    left = left == SPACE_MARK ? ' ' : left;
    right = right == SPACE_MARK ? ' ' : right;
    if (left < 128 && right < 128) {
        bpe->ascii_joins[left][right >> 6] |= (uint64_t)1 << (right & 63);
    }
}

void bpe_add_merge(Bpe *bpe, uint32_t left, uint32_t right, uint32_t merged, uint32_t rank)
{
    const uint64_t pair = (uint64_t)left << 32 | right;
    uint64_t place = scatter(pair, 0) & bpe->merges_mask;
    while (bpe->merges[place].merged != NO_SYMBOL) {
        place = (place + 1) & bpe->merges_mask;
    }
    bpe->merges[place] = (Merge){pair, merged, rank};
}

static const Merge *find_merge(const Bpe *bpe, uint32_t left, uint32_t right)
{
    const uint64_t pair = (uint64_t)left << 32 | right;
    uint64_t place = scatter(pair, 0) & bpe->merges_mask;
    while (bpe->merges[place].merged != NO_SYMBOL) {
        if (bpe->merges[place].pair == pair) {
            return &bpe->merges[place];
        }
        place = (place + 1) & bpe->merges_mask;
    }
    return NULL;
}

/* Read a character of valid UTF-8 and move on. */
static uint32_t next_character(const uint8_t *text, size_t *position)
{
    const uint8_t *at = text + *position;
    if (at[0] < 0x80) {
        *position += 1;
        return at[0];
    }
    if (at[0] < 0xE0) {
        *position += 2;
        return (uint32_t)(at[0] & 0x1F) << 6 | (at[1] & 0x3F);
    }
    if (at[0] < 0xF0) {
        *position += 3;
        return (uint32_t)(at[0] & 0x0F) << 12 | (uint32_t)(at[1] & 0x3F) << 6 | (at[2] & 0x3F);
    }
    *position += 4;
    return (uint32_t)(at[0] & 0x07) << 18 | (uint32_t)(at[1] & 0x3F) << 12 |
           (uint32_t)(at[2] & 0x3F) << 6 | (at[3] & 0x3F);
}

static int is_joined(const Bpe *bpe, uint32_t left, uint32_t right)
{
    if (left < 128 && right < 128) {
        return (int)(bpe->ascii_joins[left][right >> 6] >> (right & 63) & 1);
    }
    if (!bpe->symbols[left] || !bpe->symbols[right]) {
        return 0; /* a character of no piece */
    }
    const uint64_t key =
        join_key(left == ' ' ? SPACE_MARK : left, right == ' ' ? SPACE_MARK : right);
    uint64_t place = scatter(key, 0) & bpe->joins_mask;
    while (bpe->joins[place]) {
        if (bpe->joins[place] == key) {
            return 1;
        }
        place = (place + 1) & bpe->joins_mask;
    }
    return 0;
}

/* Where the chunk ends that begins at `begin`. */
static size_t chunk_end(const Bpe *bpe, const uint8_t *text, size_t begin, size_t size)
{
    size_t position = begin;
    uint32_t left = next_character(text, &position);
    while (position < size) {
        size_t after = position;
        const uint32_t right = next_character(text, &after);
        if (!is_joined(bpe, left, right)) {
            break;
        }
        left = right;
        position = after;
    }
    return position;
}

static int less(const Candidate *a, const Candidate *b)
{
    return a->order < b->order;
}

static void push(Bpe *bpe, Candidate candidate)
{
    size_t child = bpe->heap_count++;
    while (child) {
        const size_t parent = (child - 1) / 2;
        if (!less(&candidate, &bpe->heap[parent])) {
            break;
        }
        bpe->heap[child] = bpe->heap[parent];
        child = parent;
    }
    bpe->heap[child] = candidate;
}

static Candidate pop(Bpe *bpe)
{
    const Candidate first = bpe->heap[0], last = bpe->heap[--bpe->heap_count];
    size_t parent = 0, child;
    while ((child = 2 * parent + 1) < bpe->heap_count) {
        if (child + 1 < bpe->heap_count && less(&bpe->heap[child + 1], &bpe->heap[child])) {
            child++;
        }
        if (!less(&bpe->heap[child], &last)) {
            break;
        }
        bpe->heap[parent] = bpe->heap[child];
        parent = child;
    }
    bpe->heap[parent] = last;
    return first;
}

/* Note what a node becomes with its next one, and that it may. */
static void consider(Bpe *bpe, uint32_t number)
{
    Node *node = &bpe->nodes[number];
    const Merge *merge = NULL;
    if (node->next != NO_SYMBOL && node->symbol != NO_SYMBOL) {
        merge = find_merge(bpe, node->symbol, bpe->nodes[node->next].symbol);
    }
    node->merged = merge ? merge->merged : NO_SYMBOL;
    if (merge) {
        push(bpe, (Candidate){(uint64_t)merge->rank << 32 | number, merge->merged});
    }
}

/* Make room for a chunk of so many bytes; return 0 when there is none. */
static int reserve(Bpe *bpe, size_t bytes)
{
    if (bytes > bpe->nodes_size) {
        free(bpe->nodes);
        free(bpe->heap);
        bpe->nodes_size = bytes < 256 ? 256 : bytes;
        bpe->heap_size = 3 * bpe->nodes_size; /* a pair per node, and two more per merge */
        bpe->nodes = malloc(bpe->nodes_size * sizeof *bpe->nodes);
        bpe->heap = malloc(bpe->heap_size * sizeof *bpe->heap);
        if (!bpe->nodes || !bpe->heap) {
            bpe->nodes_size = 0;
            return 0;
        }
    }
    return 1;
}

/* Merge the characters of a chunk, the lowest rank first and of several the leftmost. */
static ptrdiff_t encode_chunk(Bpe *bpe, const uint8_t *chunk, size_t size, uint16_t *ids)
{
    if (!reserve(bpe, size)) {
        return -1;
    }
    uint32_t count = 0;
    for (size_t position = 0; position < size; count++) {
        Node *node = &bpe->nodes[count];
        node->begin = (uint32_t)position;
        node->symbol = bpe->symbols[next_character(chunk, &position)] - 1; /* or NO_SYMBOL */
        node->previous = count - 1; /* of the first: NO_SYMBOL */
        node->next = position < size ? count + 1 : NO_SYMBOL;
    }
    bpe->heap_count = 0;
    for (uint32_t number = 0; number < count; number++) {
        consider(bpe, number);
    }
    while (bpe->heap_count) {
        const Candidate best = pop(bpe);
        const uint32_t number = (uint32_t)best.order;
        Node *node = &bpe->nodes[number];
        if (node->merged != best.merged) {
            continue; /* one of the two was merged with another meanwhile */
        }
        Node *gone = &bpe->nodes[node->next];
        node->symbol = best.merged;
        node->next = gone->next;
        gone->merged = NO_SYMBOL;
        if (node->next != NO_SYMBOL) {
            bpe->nodes[node->next].previous = number;
        }
        consider(bpe, number);
        if (node->previous != NO_SYMBOL) {
            consider(bpe, node->previous);
        }
    }
    uint16_t *end = ids;
    for (uint32_t number = 0; number != NO_SYMBOL; number = bpe->nodes[number].next) {
        const Node *node = &bpe->nodes[number];
        if (node->symbol < bpe->pieces) {
            *end++ = (uint16_t)node->symbol;
            continue;
        }
        const size_t limit = node->next == NO_SYMBOL ? size : bpe->nodes[node->next].begin;
        for (size_t i = node->begin; i < limit; i++) {
            *end++ = bpe->byte_ids[chunk[i]];
        }
    }
    return end - ids;
}

/* Encode a short chunk with the help of the cache: a pair of slots, the later one first. */
static ptrdiff_t encode_cached(Bpe *bpe, const uint8_t *chunk, size_t size, uint16_t *ids)
{
    static const uint8_t ones[2 * CHUNK_BYTES] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                  255, 255, 255, 255, 255, 255, 255, 255};
    uint64_t low, high, low_mask, high_mask;
    memcpy(&low, chunk, sizeof low);
    memcpy(&high, chunk + 8, sizeof high);
    memcpy(&low_mask, ones + CHUNK_BYTES - size, sizeof low_mask);
    memcpy(&high_mask, ones + CHUNK_BYTES - size + 8, sizeof high_mask);
    low &= low_mask;
    high &= high_mask;
    Slot *slots = &bpe->cache[scatter(low, high) & (CACHE_SLOTS - 2)];
    for (int i = 0; i < 2; i++) {
        if (slots[i].low == low && slots[i].high == high && slots[i].bytes == size &&
            slots[i].count) {
            memcpy(ids, slots[i].ids, sizeof slots[i].ids);
            return slots[i].count;
        }
    }
    const ptrdiff_t count = encode_chunk(bpe, chunk, size, ids);
    if (count > 0 && count <= CHUNK_IDS) {
        slots[1] = slots[0];
        slots[0].low = low;
        slots[0].high = high;
        slots[0].bytes = (uint8_t)size;
        slots[0].count = (uint8_t)count;
        memcpy(slots[0].ids, ids, sizeof slots[0].ids);
    }
    return count;
}

ptrdiff_t bpe_encode(Bpe *bpe, const uint8_t *text, size_t size, uint16_t *ids)
{
    uint16_t *end = ids;
    for (size_t begin = 0; begin < size;) {
        const size_t limit = chunk_end(bpe, text, begin, size), bytes = limit - begin;
        const uint8_t *chunk = text + begin;
        begin = limit;
        if (bytes == 1) {
            *end++ = (uint16_t)bpe->ascii_ids[chunk[0]];
            continue;
        }
        const ptrdiff_t count = bytes <= CHUNK_BYTES ? encode_cached(bpe, chunk, bytes, end)
                                                     : encode_chunk(bpe, chunk, bytes, end);
        if (count < 0) {
            return -1;
        }
        end += count;
    }
    return end - ids;
}
