/* Unigram models of SentencePiece, with a cache. Without Python: see `_perplexity.c`. */

#ifndef CORPUSMILL_UNIGRAM_H
#define CORPUSMILL_UNIGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 24,      /* of the longest chunk that is cached */
    CHUNK_PIECES = 12,     /* of the longest chunk that is cached */
    CACHE_SLOTS = 1 << 16, /* 4 MiB */
    MAX_PIECES = 1 << 16,  /* ids have 16 bits in the cache */
    SPACE_BYTES = 3        /* of U+2581, which stands for a space */
};

/* Set in an item that stands for unknown characters; the rest of it is a place in `surface`. */
#define UNKNOWN_FLAG 0x80000000u

/* A chunk of a line, between two spaces, and its pieces. A slot is a cache line. */
typedef struct {
    uint64_t key[CHUNK_BYTES / 8]; /* the bytes of the chunk, zeros behind */
    uint16_t ids[CHUNK_PIECES];
    float limit;   /* the pieces are right where the score before the chunk is less, unsigned */
    uint8_t bytes; /* 0 when the slot is free */
    uint8_t count;
} Slot;

/* A node of the trie of pieces. The child by a byte is at `base ^ byte` if its parent says so. */
typedef struct {
    uint32_t base;
    uint32_t parent;
    int32_t id;  /* of the piece that ends here, -1 for none */
    float score; /* of that piece */
} Unit;

typedef struct {
    const uint8_t *text; /* in the file of the model */
    uint32_t bytes;
    float score;
    uint8_t is_normal;
} Piece;

/* The best way to a place in a segment, as SentencePiece computes it. */
typedef struct {
    float score;
    int32_t start; /* of the last piece, -1 when there is no way yet */
    int32_t id;    /* -1 for an unknown character */
} Way;

/* The best ways to a place in exact arithmetic: its score, and that of the next best last piece. */
typedef struct {
    double best, second;
    int32_t start, id;
    uint32_t characters; /* to this place */
} Lead;

typedef struct {
    uint8_t *file; /* a copy of the model, which pieces point to */
    Piece *pieces;
    size_t count, room;
    float unknown_score;
    Unit *units;
    size_t units_count;
    uint32_t *rules; /* the double array of the normaliser's rules, NULL for none */
    size_t rules_count;
    const uint8_t *values; /* what characters are replaced by, each up to a zero */
    size_t values_bytes;
    uint8_t is_plain[128]; /* ASCII characters that no rule begins with, but before others */
    Slot *cache;
    /* Of the line that is being encoded: */
    float score;         /* of the pieces so far, as SentencePiece sums it */
    size_t bare;         /* segments of a space alone that wait for what follows them */
    int after_space;     /* whether a space would be one too many */
    uint8_t *segment;    /* a space and what follows it, normalised */
    size_t segment_size; /* 0 when none is open */
    size_t segment_room;
    Way *ways;
    Lead *leads;
    size_t ways_room, leads_room;
    uint32_t *items; /* the result: ids, or places in `surface` with UNKNOWN_FLAG */
    size_t items_count, items_room;
    uint8_t *surface; /* unknown characters: their number of bytes, 4 bytes long, and the bytes */
    size_t surface_size, surface_room;
} Unigram;

#pragma GCC visibility push(hidden) /* not to be mixed up with other libraries' names */

/* Read the bytes of a model. Return NULL, or why it is not supported, or "" without memory. */
const char *unigram_make(Unigram *model, const uint8_t *file, size_t size);

/* Free what `unigram_make` made, also after it failed. */
void unigram_free(Unigram *model);

/* Encode a line, behind which CHUNK_BYTES may be read, into `items`; return 0 without memory. */
int unigram_encode(Unigram *model, const uint8_t *line, size_t size);

/* Give up working memory beyond so many bytes of a line. */
void unigram_shrink(Unigram *model, size_t bytes);

/* The unknown characters of an item. */
const uint8_t *unigram_surface(const Unigram *model, uint32_t item, size_t *size);

#pragma GCC visibility pop

static inline int is_space(const uint8_t *at)
{
    return at[0] == 0xE2 && at[1] == 0x96 && at[2] == 0x81;
}

/* Make room for `needed` entries, and for half as many again, in the array that is pointed to;
   return 0 without memory. */
static inline int reserve(void *array, size_t *room, size_t needed, size_t entry)
{
    void *old, *grown;
    memcpy(&old, array, sizeof old); /* it is a pointer of any type */
    const size_t larger = needed + needed / 2 + 64;
    grown = realloc(old, larger * entry);
    if (!grown) {
        return 0;
    }
    memcpy(array, &grown, sizeof grown);
    *room = larger;
    return 1;
}

#define RESERVE(array, room, needed)                                                              \
    ((needed) <= (room) || reserve(&(array), &(room), needed, sizeof *(array)))

/* Units of the rules' double array, which has the format of the library darts-clone. */
static inline uint32_t label_of(uint32_t unit)
{
    return unit & (UINT32_C(1) << 31 | 0xFF);
}

static inline uint32_t offset_of(uint32_t unit)
{
    return (unit >> 10) << ((unit & (UINT32_C(1) << 9)) >> 6);
}

static inline int has_value(uint32_t unit)
{
    return unit >> 8 & 1;
}

/* Read a character of UTF-8 as SentencePiece does; return its bytes, 0 where it is not valid. */
static inline size_t character_bytes(const uint8_t *at, const uint8_t *end)
{
    const size_t left = (size_t)(end - at);
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] >= 0xC2 && at[0] < 0xE0) {
        return left >= 2 && (at[1] & 0xC0) == 0x80 ? 2 : 0;
    }
    if ((at[0] & 0xF0) == 0xE0) {
        const int is_valid = left >= 3 && (at[1] & 0xC0) == 0x80 && (at[2] & 0xC0) == 0x80 &&
                             (at[0] > 0xE0 || at[1] >= 0xA0) && (at[0] != 0xED || at[1] < 0xA0);
        return is_valid ? 3 : 0;
    }
    if (at[0] >= 0xF0 && at[0] < 0xF5) {
        const int is_valid = left >= 4 && (at[1] & 0xC0) == 0x80 && (at[2] & 0xC0) == 0x80 &&
                             (at[3] & 0xC0) == 0x80 && (at[0] > 0xF0 || at[1] >= 0x90) &&
                             (at[0] != 0xF4 || at[1] < 0x90);
        return is_valid ? 4 : 0;
    }
    return 0;
}

#endif
