/* Byte pair encoding as SentencePiece does it, with a cache. Without Python: see `_bpe.c`. */

#ifndef CORPUSMILL_BPE_H
#define CORPUSMILL_BPE_H

#include <stddef.h>
#include <stdint.h>

enum {
    CHARACTERS = 0x110000, /* of Unicode */
    SPACE_MARK = 0x2581,   /* stands for a space in pieces */
    CHUNK_BYTES = 16,      /* of the longest chunk that is cached */
    CHUNK_IDS = 7,         /* of the longest chunk that is cached */
    SLACK_BYTES = 16,      /* that may be read behind a text */
    SLACK_IDS = 8,         /* that may be written behind the ids */
    CACHE_SLOTS = 1 << 18  /* 8 MiB */
};

#define NO_SYMBOL UINT32_MAX

/* A chunk and its ids. Two of them share a cache line. */
typedef struct {
    uint64_t low, high; /* the bytes of the chunk, zeros behind */
    uint16_t ids[CHUNK_IDS];
    uint8_t bytes;
    uint8_t count; /* of ids, 0 when the slot is free */
} Slot;

/* Two neighbours, and what they become. */
typedef struct {
    uint64_t pair;   /* the left symbol in the upper half, the right one in the lower half */
    uint32_t merged; /* NO_SYMBOL when the place is free */
    uint32_t rank;   /* lower ranks merge first */
} Merge;

/* A symbol of a chunk that is being merged. */
typedef struct {
    uint32_t begin; /* byte of the chunk */
    uint32_t symbol;
    uint32_t previous, next; /* nodes, NO_SYMBOL at the ends */
    uint32_t merged;         /* what it becomes with the next, NO_SYMBOL for nothing */
} Node;

/* A merge that may be done: `order` holds the rank in its upper half, the node in its lower half. */
typedef struct {
    uint64_t order;
    uint32_t merged;
} Candidate;

/* A symbol below `pieces` is the id of a piece. Other symbols are characters that occur in pieces
   but are none; they, and characters without a symbol, are given by their bytes. */
typedef struct {
    uint32_t pieces;
    uint16_t byte_ids[256];
    uint32_t *symbols; /* of each character, plus 1; 0 for none */
    int32_t ascii_ids[128]; /* of characters that are pieces, else -1 */
    uint64_t ascii_joins[128][2]; /* bits: which ASCII characters follow one in some piece */
    uint64_t *joins; /* all such pairs of characters, plus 1, in open addressing */
    uint64_t joins_mask;
    Merge *merges; /* in open addressing */
    uint64_t merges_mask;
    Slot *cache;
    Node *nodes;
    size_t nodes_size;
    Candidate *heap;
    size_t heap_count, heap_size;
} Bpe;

#pragma GCC visibility push(hidden) /* not to be mixed up with other libraries' names */

/* Make room for `joins` pairs of characters and `merges` merges; return 0 when there is none. The
   caller has set `pieces` and `byte_ids`. */
int bpe_make(Bpe *bpe, size_t joins, size_t merges);

void bpe_add_character(Bpe *bpe, uint32_t character, uint32_t symbol);
void bpe_add_join(Bpe *bpe, uint32_t left, uint32_t right);
void bpe_add_merge(Bpe *bpe, uint32_t left, uint32_t right, uint32_t merged, uint32_t rank);

/* Free what `bpe_make` made, also after it failed. */
void bpe_free(Bpe *bpe);

/* Encode valid UTF-8, behind which SLACK_BYTES may be read, to at most an id per byte, behind
   which SLACK_IDS may be written. Return the number of ids, or -1 when memory ran out. */
ptrdiff_t bpe_encode(Bpe *bpe, const uint8_t *text, size_t size, uint16_t *ids);

#pragma GCC visibility pop

#endif
