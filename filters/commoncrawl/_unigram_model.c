/* Read the file of a SentencePiece model: its pieces into a trie, its normaliser's rules as they are.

   A model is refused where a line could not be cut as `_unigram.c` does it, or where the file is not
   as SentencePiece writes it; nothing is believed that could lead out of a table. */

#include "_unigram.h"

#include <float.h>
#include <math.h>

enum {
    NORMAL = 1,
    UNKNOWN = 2,
    CONTROL = 3,
    UNUSED = 5,
    UNIGRAM = 1, /* of model types */
    BLOCK = 256, /* units of a trie that one base reaches */
    TRIES = 64   /* free units that are tried before the trie is made longer */
};

#define NO_UNIT UINT32_MAX
#define UNKNOWN_PENALTY 10.0f

/* --------------------------------------------------------------------------------- Model file */

/* A message of a protocol buffer that is being read. */
typedef struct {
    const uint8_t *at, *end;
} Message;

/* A field of it: its number and type, and a number or bytes. */
typedef struct {
    uint64_t number, value;
    uint32_t type;
    Message bytes;
} Field;

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static int read_varint(Message *message, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && message->at < message->end; shift += 7) {
        const uint8_t byte = *message->at++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return 1;
        }
    }
    return 0;
}

/* Read the next field; return 0 where the message is at its end or is broken (`at` says which). */
static int read_field(Message *message, Field *field)
{
    uint64_t key, size = 0;
    if (message->at == message->end) {
        return 0;
    }
    const uint8_t *begin = message->at;
    if (!read_varint(message, &key)) {
        message->at = begin;
        return 0;
    }
    field->number = key >> 3;
    field->type = key & 7;
    if (field->type == VARINT) {
        if (!read_varint(message, &field->value)) {
            message->at = begin;
            return 0;
        }
        return 1;
    }
    if (field->type == FIXED64 || field->type == FIXED32) {
        size = field->type == FIXED64 ? 8 : 4;
    } else if (field->type != BYTES || !read_varint(message, &size)) {
        message->at = begin;
        return 0;
    }
    if (size > (uint64_t)(message->end - message->at)) {
        message->at = begin;
        return 0;
    }
    field->bytes = (Message){message->at, message->at + size};
    message->at += size;
    return 1;
}

/* What of the settings matters. */
typedef struct {
    uint64_t model_type, space_behind, byte_fallback, prefix, remove_spaces, mark_spaces;
    Message rules;
} Settings;

static float read_float(const uint8_t *at)
{
    const uint32_t bits = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                          (uint32_t)at[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static const char *read_piece(Unigram *model, Message message, int *unknowns)
{
    Field field;
    Piece piece = {0};
    uint64_t type = NORMAL;
    while (read_field(&message, &field)) {
        if (field.number == 1 && field.type == BYTES) {
            piece.text = field.bytes.at;
            piece.bytes = (uint32_t)(field.bytes.end - field.bytes.at);
        } else if (field.number == 2 && field.type == FIXED32) {
            piece.score = read_float(field.bytes.at);
        } else if (field.number == 3 && field.type == VARINT) {
            type = field.value;
        }
    }
    if (message.at != message.end || !piece.bytes || memchr(piece.text, 0, piece.bytes)) {
        return "a piece is broken";
    }
    if (type != NORMAL && type != UNKNOWN && type != CONTROL && type != UNUSED) {
        return "pieces are defined by the user or are bytes";
    }
    if (!isfinite(piece.score)) {
        return "a score is no finite number";
    }
    *unknowns += type == UNKNOWN;
    piece.is_normal = type == NORMAL;
    for (size_t i = 1; type == NORMAL && i + SPACE_BYTES <= piece.bytes; i++) {
        if (is_space(piece.text + i)) {
            return "a piece has a space behind its beginning";
        }
    }
    if (model->count == MAX_PIECES) {
        return "there are more pieces than 16 bits can count";
    }
    if (!RESERVE(model->pieces, model->room, model->count + 1)) {
        return "";
    }
    model->pieces[model->count++] = piece;
    return NULL;
}

static void read_trainer(Message message, Settings *settings)
{
    Field field;
    while (read_field(&message, &field)) {
        if (field.type == VARINT) {
            settings->model_type = field.number == 3 ? field.value : settings->model_type;
            settings->space_behind = field.number == 24 ? field.value : settings->space_behind;
            settings->byte_fallback = field.number == 35 ? field.value : settings->byte_fallback;
        }
    }
}

static void read_normalizer(Message message, Settings *settings)
{
    Field field;
    while (read_field(&message, &field)) {
        if (field.type == VARINT) {
            settings->prefix = field.number == 3 ? field.value : settings->prefix;
            settings->remove_spaces = field.number == 4 ? field.value : settings->remove_spaces;
            settings->mark_spaces = field.number == 5 ? field.value : settings->mark_spaces;
        } else if (field.type == BYTES && field.number == 2) {
            settings->rules = field.bytes;
        }
    }
}

static const char *read_model(Unigram *model, Message message, Settings *settings)
{
    Field field;
    int unknowns = 0;
    while (read_field(&message, &field)) {
        if (field.type != BYTES) {
            continue;
        }
        if (field.number == 1) {
            const char *refusal = read_piece(model, field.bytes, &unknowns);
            if (refusal) {
                return refusal;
            }
        } else if (field.number == 2) {
            read_trainer(field.bytes, settings);
        } else if (field.number == 3) {
            read_normalizer(field.bytes, settings);
        }
    }
    if (message.at != message.end) {
        return "the file is broken";
    }
    if (settings->model_type != UNIGRAM) {
        return "it is no unigram model";
    }
    if (settings->space_behind || settings->byte_fallback || unknowns != 1) {
        return "it marks spaces behind words, falls back on bytes or has no unknown piece";
    }
    if (!settings->prefix || !settings->remove_spaces || !settings->mark_spaces) {
        return "it treats spaces in another way";
    }
    float least = FLT_MAX;
    int has_normal = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (model->pieces[i].is_normal) {
            least = model->pieces[i].score < least ? model->pieces[i].score : least;
            has_normal = 1;
        }
    }
    model->unknown_score = least - UNKNOWN_PENALTY;
    return has_normal ? NULL : "it has no pieces";
}

/* ---------------------------------------------------------------------------------------- Trie */

static int compare_pieces(const void *a, const void *b)
{
    const Piece *left = *(const Piece *const *)a, *right = *(const Piece *const *)b;
    const uint32_t shorter = left->bytes < right->bytes ? left->bytes : right->bytes;
    const int order = memcmp(left->text, right->text, shorter);
    return order ? order : (left->bytes > right->bytes) - (left->bytes < right->bytes);
}

/* Pieces with the same beginning, in order, that a unit of the trie stands for. */
typedef struct {
    uint32_t unit, first, last, depth;
} Branch;

/* The trie while it is made. Units without a parent are in a list, the lowest first. */
typedef struct {
    Unit *units;
    uint32_t *next, *previous; /* free units; the list begins and ends at 0, which is the root */
    size_t count, units_room, next_room, previous_room;
} Builder;

static int add_block(Builder *builder)
{
    const size_t begin = builder->count, end = begin + BLOCK;
    if (!RESERVE(builder->units, builder->units_room, end) ||
        !RESERVE(builder->next, builder->next_room, end) ||
        !RESERVE(builder->previous, builder->previous_room, end)) {
        return 0;
    }
    for (size_t i = begin; i < end; i++) {
        builder->units[i] = (Unit){0, NO_UNIT, -1, 0.0f};
        if (i == 0) {
            builder->next[0] = builder->previous[0] = 0;
            continue;
        }
        const uint32_t last = builder->previous[0];
        builder->next[last] = (uint32_t)i;
        builder->previous[i] = last;
        builder->next[i] = 0;
        builder->previous[0] = (uint32_t)i;
    }
    builder->count = end;
    return 1;
}

static int fits(const Builder *builder, uint32_t base, const uint8_t *bytes, int count)
{
    for (int i = 0; i < count; i++) {
        const uint32_t place = base ^ bytes[i];
        if (!place || builder->units[place].parent != NO_UNIT) {
            return 0;
        }
    }
    return 1;
}

/* Find a base whose units for these bytes are free; return 0 without memory. */
static int find_base(Builder *builder, const uint8_t *bytes, int count, uint32_t *base)
{
    int tries = 0;
    for (uint32_t place = builder->next[0]; place && tries < TRIES; tries++) {
        *base = place ^ bytes[0];
        if (fits(builder, *base, bytes, count)) {
            return 1;
        }
        place = builder->next[place];
    }
    *base = (uint32_t)builder->count;
    return add_block(builder);
}

static void take(Builder *builder, uint32_t place, uint32_t parent)
{
    builder->units[place].parent = parent;
    builder->next[builder->previous[place]] = builder->next[place];
    builder->previous[builder->next[place]] = builder->previous[place];
}

static int build_trie(Builder *builder, const Unigram *model, const Piece **sorted, uint32_t count)
{
    size_t branches = 0, room = 0;
    Branch *stack = NULL;
    int done = add_block(builder) && RESERVE(stack, room, 1);
    if (done) {
        stack[branches++] = (Branch){0, 0, count, 0};
    }
    while (done && branches) {
        Branch branch = stack[--branches];
        uint8_t bytes[BLOCK];
        uint32_t firsts[BLOCK + 1];
        int children = 0;
        uint32_t at = branch.first;
        if (sorted[at]->bytes == branch.depth) { /* a piece that ends here; there is only one */
            builder->units[branch.unit].id = (int32_t)(sorted[at] - model->pieces);
            builder->units[branch.unit].score = sorted[at]->score;
            at++;
        }
        for (; at < branch.last; at++) {
            const uint8_t byte = sorted[at]->text[branch.depth];
            if (!children || bytes[children - 1] != byte) {
                bytes[children] = byte;
                firsts[children++] = at;
            }
        }
        if (!children) {
            continue;
        }
        firsts[children] = branch.last;
        uint32_t base;
        done = find_base(builder, bytes, children, &base) &&
               RESERVE(stack, room, branches + (size_t)children);
        if (done) {
            builder->units[branch.unit].base = base;
        }
        for (int i = 0; done && i < children; i++) {
            const uint32_t child = base ^ bytes[i];
            take(builder, child, branch.unit);
            stack[branches++] = (Branch){child, firsts[i], firsts[i + 1], branch.depth + 1};
        }
    }
    free(stack);
    return done;
}

static const char *make_trie(Unigram *model)
{
    const Piece **sorted = malloc(model->count * sizeof *sorted);
    if (!sorted) {
        return "";
    }
    uint32_t count = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (model->pieces[i].is_normal) {
            sorted[count++] = &model->pieces[i];
        }
    }
    qsort(sorted, count, sizeof *sorted, compare_pieces);
    const char *refusal = NULL;
    for (uint32_t i = 1; i < count; i++) {
        if (!compare_pieces(&sorted[i - 1], &sorted[i])) {
            refusal = "a piece is there twice";
        }
    }
    Builder builder = {0};
    if (!refusal && !build_trie(&builder, model, sorted, count)) {
        refusal = "";
    }
    free(builder.next);
    free(builder.previous);
    free(sorted);
    model->units = builder.units;
    model->units_count = builder.count;
    return refusal;
}

/* --------------------------------------------------------------------------- Normaliser's rules */

static int is_valid_utf8(const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        const size_t bytes = character_bytes(at, end);
        if (!bytes) {
            return 0;
        }
        at += bytes;
    }
    return 1;
}

/* What follows a byte of a rule: the place that the next bytes lead on from. */
static uint32_t place_below(const Unigram *model, uint32_t place)
{
    return place ^ offset_of(model->rules[place]);
}

/* Whether rules go on with a byte from a place. */
static int goes_on(const Unigram *model, uint32_t place, uint32_t byte)
{
    place ^= byte;
    return place < model->rules_count && label_of(model->rules[place]) == byte;
}

/* Note which ASCII characters no rule begins with, but before characters beyond ASCII. */
static void find_plain(Unigram *model)
{
    const uint32_t root = offset_of(model->rules[0]);
    for (uint32_t first = 0; first < 0x80; first++) {
        if (first == ' ' || !goes_on(model, root, first)) {
            continue;
        }
        const uint32_t place = root ^ first, below = place_below(model, place);
        model->is_plain[first] = !has_value(model->rules[place]);
        for (uint32_t second = 1; second < 0x80; second++) {
            model->is_plain[first] &= !goes_on(model, below, second);
        }
    }
}

/* Check all rules, place by place: spaces must stay cuts, and values be whole characters. */
static const char *check_rules(const Unigram *model)
{
    uint8_t *seen = calloc(model->rules_count, 1);
    uint32_t *stack = malloc(model->rules_count * sizeof *stack);
    const char *refusal = seen && stack ? NULL : "";
    size_t count = 0;
    if (!refusal) {
        stack[count] = offset_of(model->rules[0]);
        seen[stack[count++]] = 1; /* `make_rules` has checked that it is inside */
    }
    while (!refusal && count) {
        const uint32_t from = stack[--count];
        for (uint32_t byte = 0; byte < BLOCK && !refusal; byte++) {
            if (!goes_on(model, from, byte)) {
                continue;
            }
            const uint32_t place = from ^ byte, below = place_below(model, place);
            if (byte == ' ' || byte == 0) {
                refusal = "a rule replaces spaces";
            } else if (below >= model->rules_count) {
                refusal = "its rules are broken";
            } else if (has_value(model->rules[place])) {
                const uint32_t value = model->rules[below] & (UINT32_MAX >> 1);
                if (value >= model->values_bytes || (model->values[value] & 0xC0) == 0x80) {
                    refusal = "its rules are broken";
                }
            }
            if (!refusal && !seen[below]) {
                seen[below] = 1;
                stack[count++] = below;
            }
        }
    }
    free(seen);
    free(stack);
    return refusal;
}

static const char *make_rules(Unigram *model, Message rules)
{
    memset(model->is_plain, 1, sizeof model->is_plain);
    model->is_plain[' '] = 0;
    const size_t size = (size_t)(rules.end - rules.at);
    if (!size) {
        return NULL;
    }
    if (size <= 4) {
        return "its rules are broken";
    }
    const size_t bytes = (size_t)rules.at[0] | (size_t)rules.at[1] << 8 |
                         (size_t)rules.at[2] << 16 | (size_t)rules.at[3] << 24;
    if (bytes < 1024 || bytes % 1024 || bytes >= size - 4) {
        return "its rules are broken";
    }
    model->rules_count = bytes / 4;
    model->rules = malloc(bytes);
    if (!model->rules) {
        return "";
    }
    for (size_t i = 0; i < model->rules_count; i++) {
        const uint8_t *at = rules.at + 4 + 4 * i;
        model->rules[i] = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                               (uint32_t)at[3] << 24;
    }
    model->values = rules.at + 4 + bytes;
    model->values_bytes = size - 4 - bytes;
    if (model->values[model->values_bytes - 1] || !is_valid_utf8(model->values, rules.end) ||
        offset_of(model->rules[0]) >= model->rules_count) {
        return "its rules are broken";
    }
    const char *refusal = check_rules(model);
    if (!refusal) {
        find_plain(model);
    }
    return refusal;
}

const char *unigram_make(Unigram *model, const uint8_t *file, size_t size)
{
    model->file = malloc(size + 1);
    if (!model->file) {
        return "";
    }
    memcpy(model->file, file, size);
    Settings settings = {UNIGRAM, 0, 0, 1, 1, 1, {model->file, model->file}};
    const char *refusal = read_model(model, (Message){model->file, model->file + size}, &settings);
    if (!refusal) {
        refusal = make_rules(model, settings.rules);
    }
    if (!refusal) {
        refusal = make_trie(model);
    }
    if (!refusal) {
        model->cache = calloc(CACHE_SLOTS, sizeof *model->cache);
        refusal = model->cache ? NULL : "";
    }
    return refusal;
}

void unigram_free(Unigram *model)
{
    free(model->file);
    free(model->pieces);
    free(model->units);
    free(model->rules);
    free(model->cache);
    free(model->segment);
    free(model->ways);
    free(model->leads);
    free(model->items);
    free(model->surface);
}
