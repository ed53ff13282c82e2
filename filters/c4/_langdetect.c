/* The Python side of `_langdetect_model.c`: a detector that is made from arrays, and asked.

   `filters/c4/profiles.py` reads langdetect's profiles and gives the arrays. They are checked here,
   so that no array leads out of another; they are held, not copied. The interpreter's lock is held
   while a text is read: a detector writes to memory of its own. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000 /* buffers are in the stable interface from Python 3.11 on */
#endif
#include <Python.h>

#include "_langdetect.h"

/* Enough for what is read of nearly every text, whatever is taken out of it. */
enum { FIRST_PART = 1 << 14 };

enum { LETTERS, GRAMS, STARTS, LANGUAGES, SHARES, DRAWS, BASES, MARKS, COMPOSED, ARRAYS };
static const Py_ssize_t ITEM_BYTES[ARRAYS] = {2, 8, 4, 1, 8, 4, 4, 4, 4};

typedef struct {
    PyObject_HEAD
    Py_buffer views[ARRAYS];
    PyObject *names; /* a tuple of the languages' names */
    uint32_t *text;
    size_t text_size;
    Detector model;
    int is_built;
} LanguageDetector;

static int refuse(const char *message)
{
    PyErr_SetString(PyExc_ValueError, message);
    return -1;
}

static int check_arrays(const LanguageDetector *self)
{
    const Detector *model = &self->model;
    Py_ssize_t items[ARRAYS];
    for (int a = 0; a < ARRAYS; a++) {
        items[a] = self->views[a].len / ITEM_BYTES[a];
        if (self->views[a].len % ITEM_BYTES[a] ||
            (uintptr_t)self->views[a].buf % (uintptr_t)ITEM_BYTES[a]) {
            return refuse("an array is not of its type");
        }
    }
    if (model->n_languages < 1 || model->n_languages > MOST_LANGUAGES ||
        items[GRAMS] > 1 << 23 || items[SHARES] >= (Py_ssize_t)1 << 31) {
        return refuse("a size is out of range");
    }
    if (model->other <= SPACE || model->other >= UPPER) {
        return refuse("other: a number out of range");
    }
    for (Py_ssize_t i = 0; i < items[LETTERS]; i++) {
        if ((model->letters[i] & (UPPER - 1)) == NO_LETTER) {
            return refuse("letters: a character without a number");
        }
    }
    if (items[STARTS] != items[GRAMS] + 1 || model->starts[0] != 0 ||
        model->starts[items[GRAMS]] != items[SHARES] || items[LANGUAGES] != items[SHARES]) {
        return refuse("starts, languages, shares: lengths that differ");
    }
    for (Py_ssize_t gram = 0; gram < items[GRAMS]; gram++) {
        if (model->starts[gram] > model->starts[gram + 1]) {
            return refuse("starts: out of order");
        }
        for (int place = 0; place < 3; place++) {
            if ((model->grams[gram] >> 16 * place & 0xFFFF) >= UPPER) {
                return refuse("grams: a number out of range");
            }
        }
    }
    for (Py_ssize_t share = 0; share < items[SHARES]; share++) {
        if (model->languages[share] >= model->n_languages) {
            return refuse("languages: one without a name");
        }
    }
    if (items[COMPOSED] != items[BASES] * items[MARKS]) {
        return refuse("composed: not one letter for each base and mark");
    }
    return 0;
}

static int detector_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"names",  "other", "letters", "grams", "starts",   "languages",
                            "shares", "draws", "bases",   "marks", "composed", NULL};
    LanguageDetector *self = (LanguageDetector *)object;
    Detector *model = &self->model;
    Py_buffer *views = self->views;
    PyObject *languages;
    unsigned short other;
    if (self->names) {
        return refuse("a detector is made once");
    }
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "OHy*y*y*y*y*y*y*y*y*", names, &languages, &other, &views[LETTERS],
            &views[GRAMS], &views[STARTS], &views[LANGUAGES], &views[SHARES], &views[DRAWS],
            &views[BASES], &views[MARKS], &views[COMPOSED])) {
        return -1;
    }
    self->names = PySequence_Tuple(languages);
    if (!self->names) {
        return -1;
    }
    model->n_languages = (size_t)PyTuple_Size(self->names);
    model->other = other;
    model->letters = views[LETTERS].buf;
    model->code_points = (size_t)views[LETTERS].len / sizeof *model->letters;
    model->grams = views[GRAMS].buf;
    model->n_grams = (size_t)views[GRAMS].len / sizeof *model->grams;
    model->starts = views[STARTS].buf;
    model->languages = views[LANGUAGES].buf;
    model->shares = views[SHARES].buf;
    model->draws = views[DRAWS].buf;
    model->n_draws = (size_t)views[DRAWS].len / sizeof *model->draws;
    model->bases = views[BASES].buf;
    model->n_bases = (size_t)views[BASES].len / sizeof *model->bases;
    model->marks = views[MARKS].buf;
    model->n_marks = (size_t)views[MARKS].len / sizeof *model->marks;
    model->composed = views[COMPOSED].buf;
    if (check_arrays(self) < 0) {
        return -1;
    }
    if (!detector_build(model)) {
        PyErr_NoMemory();
        return -1;
    }
    self->is_built = 1;
    return 0;
}

static void detector_dealloc(PyObject *object)
{
    LanguageDetector *self = (LanguageDetector *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (int a = 0; a < ARRAYS; a++) {
        PyBuffer_Release(&self->views[a]); /* nothing happens for one that was never filled */
    }
    Py_XDECREF(self->names);
    PyMem_Free(self->text);
    detector_free(&self->model);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

/* Copy the first characters of a string to the detector's memory. */
static int copy_text(LanguageDetector *self, PyObject *text, size_t size, int is_whole)
{
    if (self->text_size < size) {
        uint32_t *larger = PyMem_Realloc(self->text, size * sizeof *larger);
        if (!larger) {
            PyErr_NoMemory();
            return -1;
        }
        self->text = larger;
        self->text_size = size;
    }
    PyObject *part = is_whole ? Py_NewRef(text) : PyUnicode_Substring(text, 0, (Py_ssize_t)size);
    if (!part) {
        return -1;
    }
    const int copied =
        size == 0 || PyUnicode_AsUCS4(part, self->text, (Py_ssize_t)size, 0) != NULL;
    Py_DECREF(part);
    return copied ? 0 : -1;
}

static PyObject *list_answers(const LanguageDetector *self, const Answer *answers, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *answer =
            Py_BuildValue("(Od)", PyTuple_GetItem(self->names, (Py_ssize_t)answers[i].language),
                          answers[i].probability);
        if (!answer || PyList_SetItem(list, (Py_ssize_t)i, answer) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *detector_detect_text(PyObject *object, PyObject *text)
{
    LanguageDetector *self = (LanguageDetector *)object;
    Answer answers[MOST_LANGUAGES];
    size_t count = 0, size = 0;
    if (!self->is_built) {
        PyErr_SetString(PyExc_ValueError, "the detector was not made");
        return NULL;
    }
    if (!PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "a text is a str");
        return NULL;
    }
    const size_t length = (size_t)PyUnicode_GetLength(text);
    int is_whole = 0;
    for (size_t part = FIRST_PART; !is_whole && size < TEXT_CHARACTERS; part *= 4) {
        is_whole = part >= length;
        size = is_whole ? length : part;
        if (copy_text(self, text, size, is_whole) < 0) {
            return NULL;
        }
        size = detector_clean(&self->model, self->text, size, is_whole);
    }
    switch (detector_detect(&self->model, self->text, size, answers, &count)) {
    case FOUND:
        return list_answers(self, answers, count);
    case NO_FEATURES:
        Py_RETURN_NONE;
    default:
        PyErr_SetString(PyExc_OverflowError, "more numbers are drawn than are known in advance");
        return NULL;
    }
}

static PyMethodDef detector_methods[] = {
    {"detect", detector_detect_text, METH_O,
     "Return the languages of a text with their probabilities, or None where it has no features.\n\n"
     "Raises OverflowError where more numbers must be drawn than are known in advance."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot detector_slots[] = {{Py_tp_doc, "langdetect's profiles, ready to be asked."},
                                       {Py_tp_init, detector_init},
                                       {Py_tp_dealloc, detector_dealloc},
                                       {Py_tp_methods, detector_methods},
                                       {0, NULL}};

static PyType_Spec detector_spec = {"filters.c4._langdetect.Detector", sizeof(LanguageDetector), 0,
                                    Py_TPFLAGS_DEFAULT, detector_slots};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&detector_spec);
    if (!type) {
        return -1;
    }
    const int result = PyModule_AddObjectRef(module, "Detector", type);
    Py_DECREF(type);
    return result;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_langdetect",
    .m_doc = "Language answers of langdetect, bit for bit, many times faster.",
    .m_slots = module_slots};

PyMODINIT_FUNC PyInit__langdetect(void)
{
    return PyModuleDef_Init(&module_definition);
}
