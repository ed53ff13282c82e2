/* The Python side of `_bpe_model.c`: an encoder that is made from arrays of numbers, and asked.

   `tokenizer/fast.py` makes the arrays from a model. They are checked here, so that no number leads
   out of a table. The interpreter's lock is held while a text is encoded: an encoder's cache is
   changed without another lock. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000 /* buffers are in the stable interface from Python 3.11 on */
#endif
#include <Python.h>

#include "_bpe.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_BYTES = 1 << 20 }; /* of a text for which the working memory is kept */

typedef struct {
    PyObject_HEAD
    Bpe bpe;
    int is_built;
    int prefix; /* whether a space is put before a text */
    uint8_t *text;
    uint16_t *ids;
    size_t room; /* bytes of the longest text that fits */
} Encoder;

static int refuse(const char *message)
{
    PyErr_SetString(PyExc_ValueError, message);
    return -1;
}

/* Rows of so many 32-bit numbers. */
static int check_rows(const Py_buffer *view, size_t columns, const char *message)
{
    const size_t row = columns * sizeof(uint32_t);
    return (size_t)view->len % row ? refuse(message) : 0;
}

static int fill(Encoder *self, const Py_buffer *characters, const Py_buffer *joins,
                const Py_buffer *merges)
{
    Bpe *bpe = &self->bpe;
    if (check_rows(characters, 2, "characters: rows of 2 numbers are needed") < 0 ||
        check_rows(joins, 2, "joins: rows of 2 numbers are needed") < 0 ||
        check_rows(merges, 4, "merges: rows of 4 numbers are needed") < 0) {
        return -1;
    }
    const size_t character_rows = (size_t)characters->len / 8, join_rows = (size_t)joins->len / 8,
                 merge_rows = (size_t)merges->len / 16;
    if (!bpe_make(bpe, join_rows, merge_rows)) {
        PyErr_NoMemory();
        return -1;
    }
    uint32_t row[4];
    int space_is_piece = 0;
    for (size_t i = 0; i < character_rows; i++) {
        memcpy(row, (const char *)characters->buf + 8 * i, 8);
        if (row[0] >= CHARACTERS || row[1] >= NO_SYMBOL - 1) {
            return refuse("characters: a number is out of range");
        }
        space_is_piece |= row[0] == SPACE_MARK && row[1] < bpe->pieces;
        bpe_add_character(bpe, row[0], row[1]);
    }
    if (!space_is_piece) {
        return refuse("characters: the space must be a piece");
    }
    for (size_t i = 0; i < join_rows; i++) {
        memcpy(row, (const char *)joins->buf + 8 * i, 8);
        if (row[0] >= CHARACTERS || row[1] >= CHARACTERS) {
            return refuse("joins: a number is out of range");
        }
        bpe_add_join(bpe, row[0], row[1]);
    }
    for (size_t i = 0; i < merge_rows; i++) {
        memcpy(row, (const char *)merges->buf + 16 * i, 16);
        if (row[2] >= bpe->pieces) {
            return refuse("merges: a number is out of range");
        }
        bpe_add_merge(bpe, row[0], row[1], row[2], row[3]);
    }
    return 0;
}

static int encoder_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"pieces", "byte_ids", "characters", "joins", "merges", "prefix", NULL};
    Encoder *self = (Encoder *)object;
    Py_buffer byte_ids, characters, joins, merges;
    int pieces;
    if (self->bpe.symbols) {
        return refuse("an encoder is made once");
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iy*y*y*y*p", names, &pieces, &byte_ids,
                                     &characters, &joins, &merges, &self->prefix)) {
        return -1;
    }
    int result = 0;
    if (pieces < 1 || pieces > 1 << 16) {
        result = refuse("pieces: ids must fit 16 bits");
    } else if (byte_ids.len != sizeof self->bpe.byte_ids) {
        result = refuse("byte_ids: 256 numbers of 16 bits are needed");
    } else {
        self->bpe.pieces = (uint32_t)pieces;
        memcpy(self->bpe.byte_ids, byte_ids.buf, sizeof self->bpe.byte_ids);
        result = fill(self, &characters, &joins, &merges);
    }
    self->is_built = result == 0;
    PyBuffer_Release(&byte_ids);
    PyBuffer_Release(&characters);
    PyBuffer_Release(&joins);
    PyBuffer_Release(&merges);
    return result;
}

static void give_up_room(Encoder *self)
{
    free(self->text);
    free(self->ids);
    self->text = NULL;
    self->ids = NULL;
    self->room = 0;
}

static void encoder_dealloc(PyObject *object)
{
    Encoder *self = (Encoder *)object;
    PyTypeObject *type = Py_TYPE(object);
    give_up_room(self);
    bpe_free(&self->bpe);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static int make_room(Encoder *self, size_t bytes)
{
    if (self->text && bytes <= self->room) {
        return 1;
    }
    give_up_room(self);
    const size_t room = bytes < KEPT_BYTES ? KEPT_BYTES : bytes;
    self->text = malloc(room + SLACK_BYTES);
    self->ids = malloc((room + 2 + SLACK_IDS) * sizeof *self->ids); /* with bos and eos */
    if (!self->text || !self->ids) {
        give_up_room(self);
        return 0;
    }
    self->room = room;
    return 1;
}

static PyObject *encoder_encode(PyObject *object, PyObject *args)
{
    Encoder *self = (Encoder *)object;
    PyObject *string;
    int bos, eos;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "Uii", &string, &bos, &eos)) {
        return NULL;
    }
    if (!self->is_built) {
        PyErr_SetString(PyExc_ValueError, "the encoder was not made");
        return NULL;
    }
    const char *utf8 = PyUnicode_AsUTF8AndSize(string, &length);
    if (!utf8) {
        return NULL;
    }
    const size_t prefix = self->prefix && length ? 1 : 0, size = (size_t)length + prefix;
    if (size >= NO_SYMBOL) {
        PyErr_SetString(PyExc_OverflowError, "a text of 4 GB or more");
        return NULL;
    }
    if (!make_room(self, size)) {
        return PyErr_NoMemory();
    }
    self->text[0] = ' ';
    memcpy(self->text + prefix, utf8, (size_t)length);
    memset(self->text + size, 0, SLACK_BYTES);
    uint16_t *begin = self->ids;
    if (bos >= 0) {
        *begin++ = (uint16_t)bos;
    }
    const ptrdiff_t count = bpe_encode(&self->bpe, self->text, size, begin);
    if (count < 0) {
        return PyErr_NoMemory();
    }
    uint16_t *end = begin + count;
    if (eos >= 0) {
        *end++ = (uint16_t)eos;
    }
    PyObject *result = PyByteArray_FromStringAndSize((const char *)self->ids,
                                                     (end - self->ids) * (Py_ssize_t)sizeof *end);
    if (self->room > KEPT_BYTES) {
        give_up_room(self);
    }
    return result;
}

static PyMethodDef encoder_methods[] = {
    {"encode", encoder_encode, METH_VARARGS,
     "Return the ids of a text as 16-bit numbers, between bos and eos unless these are negative.\n\n"
     "Raises UnicodeEncodeError where the text has a lone surrogate."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot encoder_slots[] = {{Py_tp_doc, "A BPE model of SentencePiece, ready to encode."},
                                      {Py_tp_init, encoder_init},
                                      {Py_tp_dealloc, encoder_dealloc},
                                      {Py_tp_methods, encoder_methods},
                                      {0, NULL}};

static PyType_Spec encoder_spec = {"tokenizer._bpe.Encoder", sizeof(Encoder), 0,
                                   Py_TPFLAGS_DEFAULT, encoder_slots};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&encoder_spec);
    if (!type) {
        return -1;
    }
    const int result = PyModule_AddObjectRef(module, "Encoder", type);
    Py_DECREF(type);
    return result;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_bpe",
    .m_doc = "The ids of SentencePiece's BPE models, many times faster.", .m_slots = module_slots};

PyMODINIT_FUNC PyInit__bpe(void)
{
    return PyModuleDef_Init(&module_definition);
}
