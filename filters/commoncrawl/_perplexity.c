/* The Python side of `_unigram.c` and `_ngrams.c`: a SentencePiece model that is asked for the pieces
   of lines, and with a KenLM model for their probability.

   The interpreter's lock is held meanwhile: the cache and the working memory of a model are changed
   without another lock. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000 /* buffers are in the stable interface from Python 3.11 on */
#endif
#include <Python.h>

#include "_ngrams.h"
#include "_unigram.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEPT_BYTES = 1 << 20,     /* of a line for which the working memory is kept */
    LONGEST_LINE = 1 << 26    /* bytes; normalised, it has to fit 31 bits */
};

typedef struct {
    PyObject_HEAD
    Unigram unigram;
    int is_built;
    uint8_t *line;
    size_t room; /* bytes of the longest line that fits */
    Py_buffer file;  /* of the n-grams */
    Ngrams ngrams;   /* of order 0 when there are none */
    uint32_t *words; /* of each piece, the number of its word */
    uint32_t *sentence;
    size_t sentence_room;
} Pieces;

static int pieces_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"model", NULL};
    Pieces *self = (Pieces *)object;
    Py_buffer model;
    if (self->unigram.file) {
        PyErr_SetString(PyExc_ValueError, "a model is loaded once");
        return -1;
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*", names, &model)) {
        return -1;
    }
    const char *refusal = unigram_make(&self->unigram, model.buf, (size_t)model.len);
    PyBuffer_Release(&model);
    if (refusal) {
        if (!*refusal) {
            PyErr_NoMemory();
        } else {
            PyErr_SetString(PyExc_ValueError, refusal);
        }
        return -1;
    }
    self->is_built = 1;
    return 0;
}

static void pieces_dealloc(PyObject *object)
{
    Pieces *self = (Pieces *)object;
    PyTypeObject *type = Py_TYPE(object);
    free(self->line);
    free(self->words);
    free(self->sentence);
    if (self->file.obj) {
        PyBuffer_Release(&self->file);
    }
    unigram_free(&self->unigram);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

/* Encode a line, given as bytes or a bytearray; return 0 with an exception set. */
static int encode(Pieces *self, const Py_buffer *line)
{
    const size_t size = (size_t)line->len;
    if (!self->is_built) {
        PyErr_SetString(PyExc_ValueError, "no model was loaded");
        return 0;
    }
    if (size > LONGEST_LINE) {
        PyErr_SetString(PyExc_OverflowError, "a line of more than 64 MiB");
        return 0;
    }
    if (!self->line || size > self->room || self->room > KEPT_BYTES) {
        free(self->line);
        self->room = size < KEPT_BYTES ? KEPT_BYTES : size;
        self->line = malloc(self->room + CHUNK_BYTES);
        if (!self->line) {
            PyErr_NoMemory();
            return 0;
        }
    }
    memcpy(self->line, line->buf, size);
    memset(self->line + size, 0, CHUNK_BYTES);
    if (!unigram_encode(&self->unigram, self->line, size)) {
        PyErr_NoMemory();
        return 0;
    }
    return 1;
}

static const uint8_t *text_of(const Unigram *model, uint32_t item, size_t *size)
{
    if (item & UNKNOWN_FLAG) {
        return unigram_surface(model, item, size);
    }
    *size = model->pieces[item].bytes;
    return model->pieces[item].text;
}

/* The pieces of a line with a space behind each but the last. */
static PyObject *joined(const Unigram *model)
{
    size_t total = model->items_count ? model->items_count - 1 : 0, size;
    for (size_t i = 0; i < model->items_count; i++) {
        text_of(model, model->items[i], &size);
        total += size;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
    if (!bytes) {
        return NULL;
    }
    char *at = PyBytes_AsString(bytes);
    for (size_t i = 0; i < model->items_count; i++) {
        const uint8_t *text = text_of(model, model->items[i], &size);
        if (i) {
            *at++ = ' ';
        }
        memcpy(at, text, size);
        at += size;
    }
    return bytes;
}

static PyObject *pieces_encode(PyObject *object, PyObject *args)
{
    Pieces *self = (Pieces *)object;
    Py_buffer line;
    if (!PyArg_ParseTuple(args, "y*", &line)) {
        return NULL;
    }
    PyObject *result = NULL;
    if (encode(self, &line)) {
        PyObject *bytes = joined(&self->unigram);
        if (bytes) {
            result = Py_BuildValue("Nn", bytes, (Py_ssize_t)self->unigram.items_count);
        }
        unigram_shrink(&self->unigram, KEPT_BYTES);
    }
    PyBuffer_Release(&line);
    return result;
}

/* Whether KenLM would take a piece for one word; it ends words at blanks, and lines at a zero. */
static int is_word(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ') {
            return 0;
        }
    }
    return 1;
}

static const char *take_ngrams(Pieces *self)
{
    const Unigram *model = &self->unigram;
    Ngrams ngrams;
    const char *refusal = ngrams_read(&ngrams, self->file.buf, (size_t)self->file.len);
    if (refusal) {
        return refusal;
    }
    self->words = malloc(model->count * sizeof *self->words);
    if (!self->words) {
        return "";
    }
    for (size_t i = 0; i < model->count; i++) {
        if (!is_word(model->pieces[i].text, model->pieces[i].bytes)) {
            return "a piece has a blank";
        }
        self->words[i] = ngrams_word(&ngrams, model->pieces[i].text, model->pieces[i].bytes);
    }
    self->ngrams = ngrams;
    return NULL;
}

static PyObject *pieces_take_ngrams(PyObject *object, PyObject *args)
{
    Pieces *self = (Pieces *)object;
    if (self->file.obj || !self->is_built) {
        PyErr_SetString(PyExc_ValueError, "n-grams are taken once, behind a model of pieces");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "y*", &self->file)) {
        return NULL;
    }
    const char *refusal = take_ngrams(self);
    if (refusal) {
        free(self->words);
        self->words = NULL;
        PyBuffer_Release(&self->file);
        if (*refusal) {
            PyErr_SetString(PyExc_ValueError, refusal);
            return NULL;
        }
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

/* Write the words of a sentence, from its begin to its end. Return their number, 0 where KenLM would
   see other words, -1 without memory. */
static Py_ssize_t find_words(Pieces *self)
{
    const Unigram *model = &self->unigram;
    if (!RESERVE(self->sentence, self->sentence_room, model->items_count + 2)) {
        return -1;
    }
    uint32_t *word = self->sentence;
    *word++ = self->ngrams.begin_word;
    for (size_t i = 0; i < model->items_count; i++) {
        const uint32_t item = model->items[i];
        if (item & UNKNOWN_FLAG) {
            size_t size;
            const uint8_t *text = unigram_surface(model, item, &size);
            if (!is_word(text, size)) {
                return 0;
            }
            *word++ = ngrams_word(&self->ngrams, text, size);
        } else {
            *word++ = self->words[item];
        }
    }
    *word++ = self->ngrams.end_word;
    return word - self->sentence;
}

static PyObject *pieces_score(PyObject *object, PyObject *args)
{
    Pieces *self = (Pieces *)object;
    Py_buffer line;
    if (!PyArg_ParseTuple(args, "y*", &line)) {
        return NULL;
    }
    PyObject *result = NULL;
    if (!self->ngrams.order) {
        PyErr_SetString(PyExc_ValueError, "no n-grams were taken");
    } else if (encode(self, &line)) {
        const Py_ssize_t count = find_words(self);
        if (count < 0) {
            PyErr_NoMemory();
        } else if (!count) {
            result = Py_NewRef(Py_None);
        } else {
            const float score = ngrams_score(&self->ngrams, self->sentence, (size_t)count);
            result = Py_BuildValue("fn", score, count - 1);
        }
        unigram_shrink(&self->unigram, KEPT_BYTES);
        if (self->sentence_room > KEPT_BYTES) {
            free(self->sentence);
            self->sentence = NULL;
            self->sentence_room = 0;
        }
    }
    PyBuffer_Release(&line);
    return result;
}

static PyMethodDef pieces_methods[] = {
    {"take_ngrams", pieces_take_ngrams, METH_VARARGS,
     "Take the bytes of a KenLM model, which must stay as they are, for `score`.\n\n"
     "Raises ValueError for models of other kinds than hash tables."},
    {"score", pieces_score, METH_VARARGS,
     "Return the log10 probability of a line and of its end, and its pieces plus 1 for the end, or\n"
     "None if KenLM would split a piece.\n\n"
     "Raises OverflowError for a line of more than 64 MiB."},
    {"encode", pieces_encode, METH_VARARGS,
     "Return the pieces of a line in UTF-8, joined by spaces, and their number.\n\n"
     "Raises OverflowError for a line of more than 64 MiB."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot pieces_slots[] = {{Py_tp_doc, "A unigram model of SentencePiece.\n\n"
                                                 "Raises ValueError for models of other kinds."},
                                     {Py_tp_init, pieces_init},
                                     {Py_tp_dealloc, pieces_dealloc},
                                     {Py_tp_methods, pieces_methods},
                                     {0, NULL}};

static PyType_Spec pieces_spec = {"filters.commoncrawl._perplexity.Pieces", sizeof(Pieces), 0,
                                  Py_TPFLAGS_DEFAULT, pieces_slots};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&pieces_spec);
    if (!type) {
        return -1;
    }
    const int result = PyModule_AddObjectRef(module, "Pieces", type);
    Py_DECREF(type);
    return result;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_perplexity",
    .m_doc = "Pieces and probabilities of lines, as SentencePiece and KenLM give them.",
    .m_slots = module_slots};

PyMODINIT_FUNC PyInit__perplexity(void)
{
    return PyModuleDef_Init(&module_definition);
}
