/* The keys of a page's lines, as `paragraph_keys` of `filters/commoncrawl/paragraphs.py` defines
   them: each line is stripped, its characters are replaced by the tables of a `Rewriter`, and the
   first 8 bytes of its SHA-1 (FIPS 180-4) are its key.

   The tables come from Python, so nothing here depends on a version of Unicode. A page with a
   character whose replacement depends on its neighbours gets no answer: Python computes its keys. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000 /* buffers are in the stable interface from Python 3.11 on */
#endif
#include <Python.h>

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && defined(__x86_64__)
#define HAS_SHA_INSTRUCTIONS 1
#include <cpuid.h>
#include <immintrin.h>
#endif

enum {
    STAYS = 0,     /* the row of characters that do not change */
    IRREGULAR = 1, /* the row of characters that need the whole page prepared */
    CODE_POINTS = 0x110000,
    ROW_BYTES = 4, /* of a replacement, with zeros at its end */
    BLOCK_BYTES = 64,
    PADDING_BYTES = 9, /* at least: a bit, and the length of the message in bits */
    KEY_BYTES = 8
};

typedef struct {
    const uint16_t *rows; /* for each code point the number of its replacement */
    const uint8_t *after; /* the replacements */
    size_t replacements;
    const uint8_t *ascii; /* what replaces each ASCII character; 0 if it is deleted */
    const uint8_t *spaces; /* for the first code points whether they are stripped */
    size_t spaces_end;
} Tables;

/* ------------------------------------------------------------------------------------- SHA-1 */

static inline uint32_t rotated(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static inline uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void store_big_endian(uint8_t *at, uint32_t word)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(word >> (24 - 8 * i));
    }
}

#define NEXT_WORD(t)                                                                              \
    (w[(t) & 15] = rotated(w[((t) + 13) & 15] ^ w[((t) + 8) & 15] ^ w[((t) + 2) & 15] ^            \
                               w[(t) & 15],                                                       \
                           1))
#define ROUND(function, constant, word)                                                           \
    do {                                                                                          \
        const uint32_t next = rotated(a, 5) + (function) + e + (constant) + (word);                \
        e = d;                                                                                    \
        d = c;                                                                                    \
        c = rotated(b, 30);                                                                       \
        b = a;                                                                                    \
        a = next;                                                                                 \
    } while (0)

static void sha1_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t w[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
#pragma GCC unroll 20
    for (int t = 0; t < 16; t++) {
        w[t] = big_endian(block + 4 * t);
        ROUND(d ^ (b & (c ^ d)), 0x5A827999u, w[t]);
    }
#pragma GCC unroll 20
    for (int t = 16; t < 20; t++) {
        ROUND(d ^ (b & (c ^ d)), 0x5A827999u, NEXT_WORD(t));
    }
#pragma GCC unroll 20
    for (int t = 20; t < 40; t++) {
        ROUND(b ^ c ^ d, 0x6ED9EBA1u, NEXT_WORD(t));
    }
#pragma GCC unroll 20
    for (int t = 40; t < 60; t++) {
        ROUND((b & c) | (d & (b | c)), 0x8F1BBCDCu, NEXT_WORD(t));
    }
#pragma GCC unroll 20
    for (int t = 60; t < 80; t++) {
        ROUND(b ^ c ^ d, 0xCA62C1D6u, NEXT_WORD(t));
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

#ifdef HAS_SHA_INSTRUCTIONS

/* Four rounds: the new words of the message, then the state; `before` is that of four rounds ago. */
#define FOUR_ROUNDS(i, function)                                                                  \
    do {                                                                                          \
        if ((i) >= 4) {                                                                           \
            w[(i) & 3] = _mm_sha1msg2_epu32(                                                      \
                _mm_xor_si128(_mm_sha1msg1_epu32(w[(i) & 3], w[((i) + 1) & 3]), w[((i) + 2) & 3]), \
                w[((i) + 3) & 3]);                                                                \
        }                                                                                         \
        const __m128i added =                                                                     \
            (i) ? _mm_sha1nexte_epu32(before, w[(i) & 3]) : _mm_add_epi32(e, w[(i) & 3]);         \
        before = abcd;                                                                            \
        abcd = _mm_sha1rnds4_epu32(abcd, added, function);                                        \
    } while (0)

__attribute__((target("sha,sse4.1,ssse3"))) static void
sha1_block_by_instructions(uint32_t state[5], const uint8_t *block)
{
    const __m128i reversed = _mm_set_epi64x(0x0001020304050607ll, 0x08090A0B0C0D0E0Fll);
    const __m128i abcd_start = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1B);
    const __m128i e = _mm_set_epi32((int)state[4], 0, 0, 0);
    __m128i abcd = abcd_start, before = abcd_start, w[4];
    for (int i = 0; i < 4; i++) {
        const __m128i *words = (const __m128i *)(block + 16 * i);
        w[i] = _mm_shuffle_epi8(_mm_loadu_si128(words), reversed);
    }
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        FOUR_ROUNDS(i, 0);
    }
#pragma GCC unroll 5
    for (int i = 5; i < 10; i++) {
        FOUR_ROUNDS(i, 1);
    }
#pragma GCC unroll 5
    for (int i = 10; i < 15; i++) {
        FOUR_ROUNDS(i, 2);
    }
#pragma GCC unroll 5
    for (int i = 15; i < 20; i++) {
        FOUR_ROUNDS(i, 3);
    }
    state[4] = (uint32_t)_mm_extract_epi32(_mm_sha1nexte_epu32(before, e), 3);
    abcd = _mm_shuffle_epi32(_mm_add_epi32(abcd, abcd_start), 0x1B);
    _mm_storeu_si128((__m128i *)state, abcd);
}

static int has_sha_instructions(void)
{
    unsigned int a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1) &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}

#endif

typedef void (*Sha1Block)(uint32_t state[5], const uint8_t *block);

/* The fastest way of this machine; the module sets it once. */
static Sha1Block sha1_next = sha1_block;

/* Write the first 8 bytes of the SHA-1 of a message. After the message there is room for two
   blocks, which are written to. */
static void write_key(uint8_t *message, size_t bytes, uint8_t *key)
{
    uint32_t state[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
    const size_t blocks = (bytes + PADDING_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES;
    const uint64_t bits = (uint64_t)bytes * 8;
    uint8_t *end = message + blocks * BLOCK_BYTES;
    memset(message + bytes, 0, (size_t)(end - message) - bytes);
    message[bytes] = 0x80;
    store_big_endian(end - 8, (uint32_t)(bits >> 32));
    store_big_endian(end - 4, (uint32_t)bits);
    for (size_t i = 0; i < blocks; i++) {
        sha1_next(state, message + i * BLOCK_BYTES);
    }
    store_big_endian(key, state[0]);
    store_big_endian(key + 4, state[1]);
}

/* ------------------------------------------------------------------------------------- lines */

/* Read a character of valid UTF-8; return its bytes. */
static inline size_t read_character(const uint8_t *at, uint32_t *code)
{
    if (at[0] < 0x80) {
        *code = at[0];
        return 1;
    }
    if (at[0] < 0xE0) {
        *code = (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
        return 2;
    }
    if (at[0] < 0xF0) {
        *code = (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
        return 3;
    }
    *code = (at[0] & 0x07u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
    return 4;
}

static inline int is_space(const Tables *tables, uint32_t code)
{
    return code < tables->spaces_end && tables->spaces[code];
}

static void strip(const Tables *tables, const uint8_t **start, const uint8_t **end)
{
    const uint8_t *from = *start, *to = *end;
    uint32_t code;
    while (from < to) {
        const size_t bytes = read_character(from, &code);
        if (!is_space(tables, code)) {
            break;
        }
        from += bytes;
    }
    while (to > from) {
        const uint8_t *last = to - 1;
        while ((*last & 0xC0) == 0x80) {
            last--;
        }
        read_character(last, &code);
        if (!is_space(tables, code)) {
            break;
        }
        to = last;
    }
    *start = from;
    *end = to;
}

/* Write a line with its characters replaced; return its end, or NULL for an irregular character. */
static uint8_t *rewrite(const Tables *tables, const uint8_t *at, const uint8_t *end, uint8_t *out)
{
    while (at < end) {
        if (*at < 0x80) {
            const uint8_t byte = tables->ascii[*at++];
            *out = byte;
            out += byte != 0;
            continue;
        }
        uint32_t code;
        const size_t bytes = read_character(at, &code);
        const uint16_t row = code < CODE_POINTS ? tables->rows[code] : IRREGULAR;
        if (row == STAYS) {
            for (size_t i = 0; i < bytes; i++) {
                *out++ = at[i];
            }
        } else if (row == IRREGULAR || row >= tables->replacements) {
            return NULL;
        } else {
            const uint8_t *after = tables->after + (size_t)row * ROW_BYTES;
            for (size_t i = 0; i < bytes; i++) {
                const uint8_t byte = after[i] < 0x80 ? tables->ascii[after[i]] : after[i];
                *out = byte;
                out += byte != 0;
            }
        }
        at += bytes;
    }
    return out;
}

/* Write the keys of all lines; return 0 for a page with an irregular character. */
static int write_keys(const Tables *tables, const uint8_t *at, const uint8_t *end, uint8_t *line,
                      uint8_t *keys)
{
    for (;; keys += KEY_BYTES) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *from = at, *to = newline ? newline : end;
        strip(tables, &from, &to);
        const uint8_t *stop = rewrite(tables, from, to, line);
        if (!stop) {
            return 0;
        }
        write_key(line, (size_t)(stop - line), keys);
        if (!newline) {
            return 1;
        }
        at = newline + 1;
    }
}

static size_t lines_of(const uint8_t *at, const uint8_t *end)
{
    size_t lines = 1;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        lines++;
        at++;
    }
    return lines;
}

/* ------------------------------------------------------------------------------------ Python */

static PyObject *keys_of(PyObject *text, const Tables *tables)
{
    Py_ssize_t size;
    const char *page = PyUnicode_AsUTF8AndSize(text, &size);
    if (!page) {
        return NULL; /* a lone surrogate */
    }
    const uint8_t *at = (const uint8_t *)page, *end = at + size;
    uint8_t *line = PyMem_Malloc((size_t)size + 2 * BLOCK_BYTES);
    if (!line) {
        return PyErr_NoMemory();
    }
    PyObject *keys = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(lines_of(at, end) * KEY_BYTES));
    if (keys && !write_keys(tables, at, end, line, (uint8_t *)PyBytes_AsString(keys))) {
        Py_DECREF(keys);
        keys = Py_NewRef(Py_None);
    }
    PyMem_Free(line);
    return keys;
}

static PyObject *line_keys(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *text, *keys = NULL;
    Py_buffer rows = {0}, after = {0}, ascii = {0}, spaces = {0};
    if (!PyArg_ParseTuple(args, "Uy*y*y*y*", &text, &rows, &after, &ascii, &spaces)) {
        return NULL;
    }
    const Tables tables = {rows.buf,  after.buf,  (size_t)after.len / ROW_BYTES,
                           ascii.buf, spaces.buf, (size_t)spaces.len};
    if (rows.len != CODE_POINTS * (Py_ssize_t)sizeof(uint16_t) || after.len % ROW_BYTES ||
        ascii.len < 0x80) {
        PyErr_SetString(PyExc_ValueError, "a table has another size");
    } else {
        keys = keys_of(text, &tables);
    }
    PyBuffer_Release(&rows);
    PyBuffer_Release(&after);
    PyBuffer_Release(&ascii);
    PyBuffer_Release(&spaces);
    return keys;
}

static PyMethodDef module_methods[] = {
    {"line_keys", line_keys, METH_VARARGS,
     "Return 8 bytes for each line of a page, or None if a character of it is irregular.\n\n"
     "Raises UnicodeEncodeError if the page has a lone surrogate."},
    {NULL, NULL, 0, NULL}};

static int module_exec(PyObject *Py_UNUSED(module))
{
#ifdef HAS_SHA_INSTRUCTIONS
    if (has_sha_instructions()) {
        sha1_next = sha1_block_by_instructions;
    }
#endif
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, .m_name = "_paragraphs",
                                        .m_doc = "Keys of the lines of a page.",
                                        .m_methods = module_methods, .m_slots = module_slots};

PyMODINIT_FUNC PyInit__paragraphs(void)
{
    return PyModuleDef_Init(&module_definition);
}
