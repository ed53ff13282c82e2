/* The Python side of `_fasttext_model.c`: a model that is made from arrays, and asked.

   `filters/fasttext_file.py` reads a model file and gives its arrays. They are checked here, so that
   no array leads out of another; they are held, not copied. The interpreter's lock is held while a
   line is read: a model's cache is changed without another lock. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000 /* buffers are in the stable interface from Python 3.11 on */
#endif
#include <Python.h>

#include "_fasttext.h"

#include <string.h>

typedef struct {
    PyObject_HEAD
    Py_buffer entries_view, input_view, output_view, scale_view, tree_view, kept_view;
    Model model;
    int is_built;
} Predictor;

static int refuse(const char *message)
{
    PyErr_SetString(PyExc_ValueError, message);
    return -1;
}

static int check_arrays(const Predictor *self)
{
    const Model *model = &self->model;
    const Py_ssize_t labels = model->labels, nodes = 2 * labels - 1;
    const Py_ssize_t outputs = model->tree ? labels - 1 : labels;
    const Py_ssize_t limit = (Py_ssize_t)1 << 31; /* ids are of 32 bits */
    const Py_ssize_t row_bytes = model->dim * (Py_ssize_t)sizeof(float);
    if (model->dim < 1 || model->dim > 1 << 16 || labels < 1 || labels > 1 << 24 ||
        model->rows < model->vocabulary_words || model->rows >= limit ||
        model->vocabulary_words < 0 || model->vocabulary_size >= 1 << 30 || model->minn < 0 ||
        model->maxn < 0 || model->maxn > LONGEST_NGRAM || model->word_ngrams < 1) {
        return refuse("a size is out of range");
    }
    if (self->input_view.len < model->rows * row_bytes) {
        return refuse("embeddings: too short");
    }
    if (self->output_view.len < outputs * row_bytes) {
        return refuse("output: too short");
    }
    if (model->scale && self->scale_view.len < outputs * (Py_ssize_t)sizeof(float)) {
        return refuse("scale: too short");
    }
    if (model->tree) {
        if (self->tree_view.len < nodes * 2 * (Py_ssize_t)sizeof(int32_t)) {
            return refuse("tree: too short");
        }
        for (Py_ssize_t node = labels; node < nodes; node++) {
            for (int side = 0; side < 2; side++) {
                const int32_t child = model->tree[2 * node + side];
                if (child < 0 || child >= node) {
                    return refuse("tree: a branch leads nowhere");
                }
            }
        }
        for (Py_ssize_t leaf = 0; leaf < labels; leaf++) {
            if (model->tree[2 * leaf] >= 0) {
                return refuse("tree: a leaf has branches");
            }
        }
    }
    if (model->maxn == 0 && model->word_ngrams == 1) {
        return 0; /* no buckets */
    }
    if (model->bucket == 0) {
        return refuse("bucket: none for the n-grams");
    }
    const Py_ssize_t places = model->rows - model->vocabulary_words;
    if (!model->kept) {
        return (Py_ssize_t)model->bucket > places ? refuse("embeddings: too few rows") : 0;
    }
    if (self->kept_view.len < (Py_ssize_t)model->bucket * (Py_ssize_t)sizeof(int32_t)) {
        return refuse("kept: too short");
    }
    for (uint32_t i = 0; i < model->bucket; i++) {
        if (model->kept[i] < -1 || model->kept[i] >= places) {
            return refuse("kept: a place that is not there");
        }
    }
    return 0;
}

/* Fill a view of an argument that may be None. */
static int view_optional(PyObject *argument, Py_buffer *view)
{
    return argument == Py_None ? 0 : PyObject_GetBuffer(argument, view, PyBUF_SIMPLE);
}

static int predictor_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"entries", "n_words", "n_labels", "embeddings", "rows",
                            "dim",     "output",  "scale",    "tree",       "bucket",
                            "kept",    "minn",    "maxn",     "word_ngrams", NULL};
    Predictor *self = (Predictor *)object;
    Model *model = &self->model;
    PyObject *scale, *tree, *kept;
    int n_words, n_labels, bucket;
    if (self->entries_view.obj) {
        return refuse("a predictor is made once");
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*iiy*nny*OOiOiii", names, &self->entries_view,
                                     &n_words, &n_labels, &self->input_view, &model->rows,
                                     &model->dim, &self->output_view, &scale, &tree, &bucket,
                                     &kept, &model->minn, &model->maxn, &model->word_ngrams)) {
        return -1;
    }
    if (view_optional(scale, &self->scale_view) < 0 || view_optional(tree, &self->tree_view) < 0 ||
        view_optional(kept, &self->kept_view) < 0) {
        return -1;
    }
    if (n_words < 0 || n_labels < 1 || n_words > 1 << 29 || n_labels > 1 << 24 || bucket < 0) {
        return refuse("a size is out of range");
    }
    model->vocabulary_words = n_words;
    model->vocabulary_size = n_words + n_labels;
    model->labels = n_labels;
    model->bucket = (uint32_t)bucket;
    model->input = self->input_view.buf;
    model->output = self->output_view.buf;
    model->scale = self->scale_view.buf;
    model->tree = self->tree_view.buf;
    model->kept = model->maxn > 0 || model->word_ngrams > 1 ? self->kept_view.buf : NULL;
    if (check_arrays(self) < 0) {
        return -1;
    }
    const char *problem =
        model_build(model, self->entries_view.buf, (size_t)self->entries_view.len);
    if (problem == MODEL_OUT_OF_MEMORY) {
        PyErr_NoMemory();
        return -1;
    }
    if (problem) {
        return refuse(problem);
    }
    self->is_built = 1;
    return 0;
}

static void predictor_dealloc(PyObject *object)
{
    Predictor *self = (Predictor *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_buffer *views[] = {&self->entries_view, &self->input_view, &self->output_view,
                          &self->scale_view, &self->tree_view,  &self->kept_view};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        PyBuffer_Release(views[i]); /* nothing happens for one that was never filled */
    }
    model_free(&self->model);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *predictor_top(PyObject *object, PyObject *line)
{
    Predictor *self = (Predictor *)object;
    Py_buffer text;
    Best best;
    if (!self->is_built) {
        PyErr_SetString(PyExc_ValueError, "the predictor was not made");
        return NULL;
    }
    if (PyObject_GetBuffer(line, &text, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const Outcome outcome = model_predict(&self->model, text.buf, (size_t)text.len, &best);
    PyBuffer_Release(&text);
    switch (outcome) {
    case FOUND:
        return Py_BuildValue("(id)", (int)best.label, (double)best.probability);
    case NOTHING:
        Py_RETURN_NONE;
    case NOT_FINITE:
        PyErr_SetString(PyExc_FloatingPointError, "a score is not finite");
        return NULL;
    default:
        return PyErr_NoMemory();
    }
}

static PyMethodDef predictor_methods[] = {
    {"top", predictor_top, METH_O,
     "Return the number of the best label of a line of UTF-8 and its probability, or None.\n\n"
     "Raises FloatingPointError where a score is not finite."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot predictor_slots[] = {{Py_tp_doc, "A supervised model, ready to be asked."},
                                        {Py_tp_init, predictor_init},
                                        {Py_tp_dealloc, predictor_dealloc},
                                        {Py_tp_methods, predictor_methods},
                                        {0, NULL}};

static PyType_Spec predictor_spec = {"filters.fasttext._fasttext.Predictor", sizeof(Predictor), 0,
                                     Py_TPFLAGS_DEFAULT, predictor_slots};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&predictor_spec);
    if (!type) {
        return -1;
    }
    const int result = PyModule_AddObjectRef(module, "Predictor", type);
    Py_DECREF(type);
    return result;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_fasttext",
    .m_doc = "Predictions of fastText models, bit for bit, several times faster.",
    .m_slots = module_slots};

PyMODINIT_FUNC PyInit__fasttext(void)
{
    return PyModuleDef_Init(&module_definition);
}
