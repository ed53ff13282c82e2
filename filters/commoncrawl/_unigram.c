/* The pieces of a line under a unigram model, as SentencePiece 0.2 finds them.

   SentencePiece normalises a line, writes U+2581 for spaces and before the line, and looks for the
   best way from place to place: the score of a way is the sum of its pieces' scores, in 32-bit
   floating point, from the beginning of the line. No piece has a U+2581 behind its first
   character (other models are refused), so all ways meet before each U+2581, and a line falls apart
   into segments there. What a segment's pieces are depends on the others only by the rounding of
   sums, which depends on the score with which the segment begins.

   A cache holds the pieces of short chunks: what stands between two spaces of the line before it is
   normalised. Beside them it has the limit up to which no rounding can change them. With the score
   before the chunk in question, every sum of the segment is off by at most half a unit in the last
   place per addition. Along the best way in exact arithmetic, the best last piece of each place
   leads over the next best one; where each lead is larger than twice what the sums to its place can
   be off, SentencePiece finds this way, too. Elsewhere the segment is computed as SentencePiece
   does it, from the score that SentencePiece has reached. */

#include "_unigram.h"

#include <float.h>
#include <math.h>

#if FLT_EVAL_METHOD != 0
#error "sums must be rounded to 32 bits, as SentencePiece's are"
#endif

enum {
    RULES_LOOKED_AT = 32, /* of those that apply, the shortest ones, as in SentencePiece */
    CHUNKS_AT_ONCE = 16   /* whose slots are fetched while others are worked on */
};

#define RESET_SCORE 100000.0f /* beyond which SentencePiece begins at zero again */

static const uint8_t SPACE[SPACE_BYTES] = {0xE2, 0x96, 0x81};

/* ------------------------------------------------------------------------------------ Best way */

const uint8_t *unigram_surface(const Unigram *model, uint32_t item, size_t *size)
{
    const uint8_t *at = model->surface + (item & ~UNKNOWN_FLAG);
    uint32_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    *size = bytes;
    return at + sizeof bytes;
}

/* Add unknown characters to the result: SentencePiece makes one piece of neighbours. */
static int add_unknown(Unigram *model, const uint8_t *text, uint32_t bytes)
{
    if (model->surface_size + bytes + 4 > INT32_MAX || /* what an item can hold */
        !RESERVE(model->surface, model->surface_room, model->surface_size + bytes + 4)) {
        return 0;
    }
    const uint32_t last = model->items_count ? model->items[model->items_count - 1] : 0;
    uint32_t size = 0, begin = (uint32_t)model->surface_size;
    if (last & UNKNOWN_FLAG) {
        begin = last & ~UNKNOWN_FLAG;
        memcpy(&size, model->surface + begin, sizeof size);
    } else {
        model->items[model->items_count++] = UNKNOWN_FLAG | begin;
        model->surface_size += sizeof size;
    }
    memcpy(model->surface + model->surface_size, text, bytes);
    model->surface_size += bytes;
    size += bytes;
    memcpy(model->surface + begin, &size, sizeof size);
    return 1;
}

static size_t bytes_of(uint8_t first)
{
    return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* Begin the sums at zero again, as SentencePiece does where a score is large. */
static void reset_scores(Way *ways, size_t from, size_t to)
{
    const float offset = ways[from].score;
    for (size_t i = from; i <= to; i++) {
        if (i == from || ways[i].start >= 0) {
            ways[i].score -= offset;
        }
    }
}

/* Go on from a unit and a place in the text to the end of the next longer piece; return false if
   there is none. */
static inline int next_piece(const Unit *units, const uint8_t *text, size_t size, size_t *end,
                             uint32_t *unit)
{
    while (*end < size) {
        const uint32_t next = units[*unit].base ^ text[(*end)++];
        if (units[next].parent != *unit) {
            return 0;
        }
        *unit = next;
        if (units[next].id >= 0) {
            return 1;
        }
    }
    return 0;
}

/* Find the best way through a segment from the score so far, and move on to its end. */
static int add_segment(Unigram *model, const uint8_t *text, size_t size)
{
    if (size >= INT32_MAX || /* what a way can hold */
        !RESERVE(model->ways, model->ways_room, size + 1) ||
        !RESERVE(model->items, model->items_room, model->items_count + size)) {
        return 0;
    }
    const Unit *units = model->units;
    Way *ways = model->ways;
    for (size_t i = 0; i <= size; i++) {
        ways[i].start = -1;
    }
    ways[0].score = model->score;
    size_t furthest = 0;
    for (size_t begin = 0; begin < size;) {
        if (ways[begin].score < -RESET_SCORE || ways[begin].score > RESET_SCORE) {
            reset_scores(ways, begin, furthest);
        }
        const float here = ways[begin].score;
        const size_t character = begin + bytes_of(text[begin]);
        int has_single = 0;
        uint32_t unit = 0;
        for (size_t end = begin; next_piece(units, text, size, &end, &unit);) {
            furthest = end > furthest ? end : furthest;
            has_single |= end == character;
            const float score = units[unit].score + here;
            if (ways[end].start < 0 || score > ways[end].score) {
                ways[end] = (Way){score, (int32_t)begin, units[unit].id};
            }
        }
        if (!has_single) {
            furthest = character > furthest ? character : furthest;
            const float score = model->unknown_score + here;
            if (ways[character].start < 0 || score > ways[character].score) {
                ways[character] = (Way){score, (int32_t)begin, -1};
            }
        }
        begin = character;
    }
    model->score = ways[size].score;
    /* Turn the way round, so that it can be followed from the beginning. */
    size_t end = size;
    int32_t after = -1;
    while (end) {
        const size_t start = (size_t)ways[end].start;
        ways[end].start = after;
        after = (int32_t)end;
        end = start;
    }
    for (size_t begin = 0; after >= 0; begin = end) {
        end = (size_t)after;
        if (ways[end].id >= 0) {
            model->items[model->items_count++] = (uint32_t)ways[end].id;
        } else if (!add_unknown(model, text + begin, (uint32_t)(end - begin))) {
            return 0;
        }
        after = ways[end].start;
    }
    return 1;
}

static void consider(Lead *lead, double score, size_t start, int32_t id)
{
    if (score > lead->best) {
        lead->second = lead->best;
        lead->best = score;
        lead->start = (int32_t)start;
        lead->id = id;
    } else if (score > lead->second) {
        lead->second = score;
    }
}

/* Find the best way through a segment in exact arithmetic, and write its pieces and their limit to
   a slot; return 0 for a way that has too many pieces or unknown characters, -1 without memory.

   Scores are small sums of 32-bit numbers: in 64 bits, they are off by less than a millionth. */
static int find_lead(Unigram *model, const uint8_t *text, size_t size, Slot *slot)
{
    if (!RESERVE(model->leads, model->leads_room, size + 1)) {
        return -1;
    }
    const Unit *units = model->units;
    Lead *leads = model->leads;
    for (size_t i = 0; i <= size; i++) {
        leads[i] = (Lead){-INFINITY, -INFINITY, -1, -1, 0};
    }
    leads[0].best = 0;
    double largest = 0;
    for (size_t begin = 0; begin < size;) {
        const double here = leads[begin].best;
        const size_t character = begin + bytes_of(text[begin]);
        leads[character].characters = leads[begin].characters + 1;
        int has_single = 0;
        uint32_t unit = 0;
        for (size_t end = begin; next_piece(units, text, size, &end, &unit);) {
            has_single |= end == character;
            const double score = here + units[unit].score;
            largest = fabs(score) > largest ? fabs(score) : largest;
            consider(&leads[end], score, begin, units[unit].id);
        }
        if (!has_single) {
            const double score = here + model->unknown_score;
            largest = fabs(score) > largest ? fabs(score) : largest;
            consider(&leads[character], score, begin, -1);
        }
        begin = character;
    }
    /* A place behind `n` characters is off by at most n sums, each by half a unit in the last place
       of a number below |score before| + `largest`: 2 ** -24 of it. Some is added for safety. */
    const double rounding = 1.01 / (1 << 24);
    double limit = (double)RESET_SCORE - 1;
    size_t count = 0;
    for (size_t end = size; end; end = (size_t)leads[end].start) {
        if (leads[end].id < 0 || ++count > CHUNK_PIECES) {
            return 0;
        }
        const double lead = leads[end].best - leads[end].second - 1e-6;
        const double enough = lead / (2 * rounding * leads[end].characters);
        limit = enough < limit ? enough : limit;
    }
    slot->limit = (float)(limit - largest - 1);
    slot->count = (uint8_t)count;
    for (size_t end = size; end; end = (size_t)leads[end].start) {
        slot->ids[--count] = (uint16_t)leads[end].id;
    }
    return 1;
}

/* -------------------------------------------------------------------------------------- A line */

/* Add the segments of a space alone that something follows. */
static int add_bare(Unigram *model)
{
    while (model->bare) {
        if (!add_segment(model, SPACE, SPACE_BYTES)) {
            return 0;
        }
        model->bare--;
    }
    return 1;
}

/* Add the open segment. A space alone waits: at the end of a line it is removed. */
static int close_segment(Unigram *model)
{
    const size_t size = model->segment_size;
    model->segment_size = 0;
    if (size == SPACE_BYTES) {
        model->bare++;
        return 1;
    }
    return !size || (add_bare(model) && add_segment(model, model->segment, size));
}

static int open_segment(Unigram *model)
{
    if (!RESERVE(model->segment, model->segment_room, SPACE_BYTES)) {
        return 0;
    }
    memcpy(model->segment, SPACE, SPACE_BYTES);
    model->segment_size = SPACE_BYTES;
    return 1;
}

/* Add characters that stand for one of the line, or for a few of them. */
static int add_characters(Unigram *model, const uint8_t *at, const uint8_t *end, int *is_single)
{
    while (model->after_space && at < end && *at == ' ') {
        at++;
    }
    if (at == end) {
        return 1;
    }
    model->after_space = end[-1] == ' ';
    while (at < end) {
        const size_t bytes = bytes_of(*at);
        if (*at == ' ' || (bytes == SPACE_BYTES && is_space(at))) {
            *is_single = 0;
            if (!close_segment(model) || !open_segment(model)) {
                return 0;
            }
        } else {
            if (!RESERVE(model->segment, model->segment_room, model->segment_size + bytes)) {
                return 0;
            }
            memcpy(model->segment + model->segment_size, at, bytes);
            model->segment_size += bytes;
        }
        at += bytes;
    }
    return 1;
}

/* The longest rule that applies to the next characters: its bytes, 0 for none, and its value. */
static size_t find_rule(const Unigram *model, const uint8_t *at, const uint8_t *end,
                        const uint8_t **value)
{
    size_t longest = 0;
    int rules = 0;
    uint32_t place = offset_of(model->rules[0]);
    for (const uint8_t *next = at; next < end; next++) {
        place ^= *next;
        if (place >= model->rules_count || label_of(model->rules[place]) != *next) {
            break;
        }
        const uint32_t unit = model->rules[place];
        place ^= offset_of(unit);
        if (has_value(unit) && rules++ < RULES_LOOKED_AT) {
            longest = (size_t)(next - at) + 1;
            *value = model->values + (model->rules[place] & (UINT32_MAX >> 1));
        }
    }
    return longest;
}

/* Normalise a chunk into the open segment, and into further ones where it has spaces after all. */
static int normalise(Unigram *model, const uint8_t *at, const uint8_t *end, int *is_single)
{
    static const uint8_t replacement[] = {0xEF, 0xBF, 0xBD}; /* U+FFFD */
    while (at < end) {
        if (*at < 0x80 && model->is_plain[*at] && (at + 1 == end || at[1] < 0x80)) {
            if (!RESERVE(model->segment, model->segment_room, model->segment_size + 1)) {
                return 0;
            }
            model->segment[model->segment_size++] = *at++;
            model->after_space = 0;
            continue;
        }
        const uint8_t *value = NULL;
        size_t bytes = model->rules ? find_rule(model, at, end, &value) : 0;
        int done;
        if (bytes) {
            const uint8_t *stop = value + strlen((const char *)value);
            done = add_characters(model, value, stop, is_single);
        } else if ((bytes = character_bytes(at, end))) {
            done = add_characters(model, at, at + bytes, is_single);
        } else {
            bytes = 1;
            done = add_characters(model, replacement, replacement + 3, is_single);
        }
        if (!done) {
            return 0;
        }
        at += bytes;
    }
    return 1;
}

/* A chunk of a line, and where the cache may have it. */
typedef struct {
    const uint8_t *at;
    size_t size;
    Slot *slots; /* two of them, NULL for a long chunk */
    uint64_t key[CHUNK_BYTES / 8];
} Chunk;

/* Read a short chunk as numbers, with zeros behind it, and have its slots fetched. */
static void find_slots(const Unigram *model, Chunk *chunk)
{
    static const uint8_t ones[2 * CHUNK_BYTES] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                  255, 255, 255, 255, 255, 255, 255, 255,
                                                  255, 255, 255, 255, 255, 255, 255, 255};
    static const uint64_t factors[] = {0x9E3779B97F4A7C15u, 0xC2B2AE3D27D4EB4Fu,
                                       0xD6E8FEB86659FD93u};
    uint64_t mask[CHUNK_BYTES / 8], z = 0;
    memcpy(chunk->key, chunk->at, CHUNK_BYTES);
    memcpy(mask, ones + CHUNK_BYTES - chunk->size, CHUNK_BYTES);
    for (int i = 0; i < CHUNK_BYTES / 8; i++) {
        chunk->key[i] &= mask[i];
        z += chunk->key[i] * factors[i];
    }
    z ^= z >> 29;
    z *= 0xBF58476D1CE4E5B9u;
    z ^= z >> 32;
    chunk->slots = &model->cache[z & (CACHE_SLOTS - 2)];
#ifdef __GNUC__
    __builtin_prefetch(&chunk->slots[0]);
    __builtin_prefetch(&chunk->slots[1]);
#endif
}

static int holds(const Slot *slot, const Chunk *chunk)
{
    return slot->key[0] == chunk->key[0] && slot->key[1] == chunk->key[1] &&
           slot->key[2] == chunk->key[2] && slot->bytes == chunk->size;
}

static int is_right(const Unigram *model, const Slot *slot)
{
    return model->score < slot->limit && model->score > -slot->limit;
}

/* Add the pieces of a slot, and sum their scores as SentencePiece does. */
static int add_slot(Unigram *model, const Slot *slot)
{
    if (!RESERVE(model->items, model->items_room, model->items_count + CHUNK_PIECES)) {
        return 0;
    }
    uint32_t *items = model->items + model->items_count;
    float score = model->score;
    for (int i = 0; i < slot->count; i++) {
        items[i] = slot->ids[i];
        score = model->pieces[slot->ids[i]].score + score;
    }
    model->items_count += slot->count;
    model->score = score;
    model->segment_size = 0;
    model->after_space = 0;
    return 1;
}

/* Add a space of the line: it ends a segment and begins one, if it is not one too many. */
static int add_space(Unigram *model)
{
    if (model->after_space) {
        return 1;
    }
    model->after_space = 1;
    return close_segment(model) && open_segment(model);
}

/* Add a chunk, which stands behind a space or at the beginning of the line. */
static int add_chunk(Unigram *model, const Chunk *chunk)
{
    Slot *slots = chunk->slots;
    if (slots && holds(&slots[1], chunk)) { /* what comes again stays, in the first of the two */
        const Slot first = slots[0];
        slots[0] = slots[1];
        slots[1] = first;
    }
    const int is_known = slots && holds(&slots[0], chunk);
    if (is_known && !model->bare && is_right(model, &slots[0])) {
        return add_slot(model, &slots[0]);
    }
    int is_single = 1;
    if (!normalise(model, chunk->at, chunk->at + chunk->size, &is_single)) {
        return 0;
    }
    if (slots && !is_known && is_single && model->segment_size > SPACE_BYTES) {
        Slot made = {.bytes = (uint8_t)chunk->size};
        memcpy(made.key, chunk->key, sizeof made.key);
        const int found = find_lead(model, model->segment, model->segment_size, &made);
        if (found < 0) {
            return 0;
        }
        if (found) {
            slots[slots[0].bytes != 0] = made;
            if (!model->bare && is_right(model, &made)) {
                return add_slot(model, &made);
            }
        }
    }
    return 1; /* what follows the chunk closes the segment */
}

static const uint8_t *find_space(const uint8_t *at, const uint8_t *end)
{
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; at < end; at += 8) { /* some bytes may be read behind the line */
        uint64_t bytes;
        memcpy(&bytes, at, sizeof bytes);
        bytes ^= 0x2020202020202020u;
        const uint64_t zeros = (bytes - 0x0101010101010101u) & ~bytes & 0x8080808080808080u;
        if (zeros) {
            at += __builtin_ctzll(zeros) / 8;
            break;
        }
    }
    return at < end ? at : end;
#else
    const uint8_t *found = memchr(at, ' ', (size_t)(end - at));
    return found ? found : end;
#endif
}

int unigram_encode(Unigram *model, const uint8_t *line, size_t size)
{
    const uint8_t *at = line, *end = line + size;
    Chunk chunks[CHUNKS_AT_ONCE];
    model->score = 0.0f;
    model->bare = 0;
    model->after_space = 1;
    model->items_count = model->surface_size = 0;
    if (!open_segment(model)) {
        return 0;
    }
    while (at < end) {
        int count = 0;
        while (at < end && count < CHUNKS_AT_ONCE) {
            if (*at == ' ') {
                at++;
                continue;
            }
            Chunk *chunk = &chunks[count++];
            chunk->at = at;
            at = find_space(at, end);
            chunk->size = (size_t)(at - chunk->at);
            chunk->slots = NULL;
            if (chunk->size <= CHUNK_BYTES) {
                find_slots(model, chunk);
            }
        }
        for (int i = 0; i < count; i++) {
            if (!add_space(model) || !add_chunk(model, &chunks[i])) {
                return 0;
            }
        }
    }
    return close_segment(model);
}

void unigram_shrink(Unigram *model, size_t bytes)
{
    if (model->segment_room > 2 * bytes || model->items_room > 2 * bytes ||
        model->surface_room > 8 * bytes) {
        free(model->segment);
        free(model->ways);
        free(model->leads);
        free(model->items);
        free(model->surface);
        model->segment = model->surface = NULL;
        model->ways = NULL;
        model->leads = NULL;
        model->items = NULL;
        model->segment_room = model->ways_room = model->leads_room = 0;
        model->items_room = model->surface_room = 0;
    }
}
