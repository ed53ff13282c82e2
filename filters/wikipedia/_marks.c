/* Find the marks of wikitext, as the pattern `MARK` of `filters/wikipedia/marks.py` does.

   Most marks are links whose text is their label. They are written as text here, so that Python
   sees only the marks that need a decision. Where no link or template can be open, bars and ends of
   paragraphs decide nothing, and the whole text up to the next mark is one piece. `marks.py` says
   what is what; it does the same without this module. Every character is read a limited number of
   times. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000
#endif
#include <Python.h>

#include <stdint.h>
#include <string.h>
#include <wchar.h>

enum {
    FIRST_MARKER = 0xFDD0, /* `filters.wikipedia.markers`: what no text holds */
    LAST_MARKER = 0xFDEF,
    BLOCK = 0xFDD3, /* where a block element starts or ends */
    LEFT_TO_RIGHT = 0x200E, /* marks of direction, which titles cannot have */
    RIGHT_TO_LEFT = 0x200F,
    MARKS = 128,   /* characters with a row in `kinds` */
    MAX_NAME = 200 /* characters of a template's name in `template_names` */
};

/* What ends a run of characters. */
enum {
    BEGINS = 1, /* may begin a mark */
    ENDS_LINK = 2, /* is in no part of a link that is matched whole */
    ENDS_TEMPLATE = 4,
    BLANK = 8, /* " " and "\t" */
    INDENTS = 16, /* may stand before a table on its line */
    NOT_PLAIN = 32, /* a label with it is not written as it is */
    ENDS_NAME = 64  /* of a template */
};

static uint8_t kinds[MARKS];

static void set_kinds(void)
{
    const char *sets[] = {"[]{}|\n", "[]{}|\n", "{}[]", " \t", " \t:*#;", "':=", "{}|[]<>"};
    for (int kind = 0; kind < 7; kind++) {
        for (const char *at = sets[kind]; *at; at++) {
            kinds[(unsigned char)*at] |= (uint8_t)(1 << kind);
        }
    }
}

static inline int is_kind(Py_UCS4 character, int kind)
{
    return character < MARKS && kinds[character] & kind;
}

typedef struct {
    Py_UCS4 *characters; /* with a zero behind them */
    Py_ssize_t size;
    Py_UCS4 *shown;       /* the text since the last mark; it has room for the page */
    Py_ssize_t size_shown;
    Py_ssize_t links;     /* no more links are open where the last call ended */
    Py_ssize_t templates; /* and no more templates and arguments */
} Page;

/* A run of so many braces may be several templates, which may close one by one. */
enum { SEVERAL = 4 };

typedef struct {
    Py_ssize_t start, end;
} Span;

static inline Py_ssize_t run_end(const Page *page, Py_ssize_t at, int kind)
{
    while (at < page->size && is_kind(page->characters[at], kind)) {
        at++;
    }
    return at;
}

static inline Py_ssize_t run_until(const Page *page, Py_ssize_t at, int kind)
{
    while (at < page->size && !is_kind(page->characters[at], kind)) {
        at++;
    }
    return at;
}

static inline int are(const Page *page, Py_ssize_t at, Py_UCS4 one, Py_UCS4 two)
{
    return at + 1 < page->size && page->characters[at] == one && page->characters[at + 1] == two;
}

/* Tell whether a character is stripped from the edge of a target or label. */
static inline int is_stripped(Py_UCS4 character)
{
    return character == ' ' || character == '\t' || character == '\n' ||
           (character >= FIRST_MARKER && character <= LAST_MARKER) ||
           character == LEFT_TO_RIGHT || character == RIGHT_TO_LEFT;
}

/* Tell whether a part of a link is shown as it is. */
static int is_plain(const Page *page, Span part)
{
    if (part.start == part.end || is_stripped(page->characters[part.start]) ||
        is_stripped(page->characters[part.end - 1])) {
        return 0;
    }
    return run_until(page, part.start, NOT_PLAIN) >= part.end;
}

static int has_colon(const Page *page, Span part)
{
    for (Py_ssize_t at = part.start; at < part.end; at++) {
        if (page->characters[at] == ':') {
            return 1;
        }
    }
    return 0;
}

/* Append an object, of which this takes the reference; return false if that fails. */
static int append(PyObject *list, PyObject *item)
{
    const int failed = !item || PyList_Append(list, item);
    Py_XDECREF(item);
    return !failed;
}

static int append_text(PyObject *list, PyObject *text, Py_ssize_t start, Py_ssize_t end)
{
    return start == end || append(list, PyUnicode_Substring(text, start, end));
}

/* Append the text since the last mark. */
static int append_shown(PyObject *list, Page *page)
{
    const Py_UCS4 *shown = page->shown;
    const Py_ssize_t size = page->size_shown;
    page->size_shown = 0;
    if (size == 0) {
        return 1;
    }
    if (sizeof(wchar_t) == sizeof *shown) {
        return append(list, PyUnicode_FromWideChar((const wchar_t *)shown, size));
    }
    const uint16_t one = 1;
    int order = *(const uint8_t *)&one ? -1 : 1;
    return append(list, PyUnicode_DecodeUTF32((const char *)shown,
                                              size * (Py_ssize_t)sizeof *shown, "surrogatepass",
                                              &order));
}

static PyObject *part_of(PyObject *text, const Span *part)
{
    return part->end < 0 ? Py_NewRef(Py_None) : PyUnicode_Substring(text, part->start, part->end);
}

static int append_mark(PyObject *list, PyObject *text, Span mark, Span one, Span two)
{
    PyObject *sign = PyUnicode_Substring(text, mark.start, mark.start + 1);
    PyObject *first = part_of(text, &one), *second = part_of(text, &two);
    if (!sign || !first || !second) {
        Py_XDECREF(sign);
        Py_XDECREF(first);
        Py_XDECREF(second);
        return 0;
    }
    return append(list, Py_BuildValue("(NnnNN)", sign, mark.start, mark.end, first, second));
}

static const Span none = {-1, -1};

/* Return the end of a mark at a line end or a block, or -1 if none is here. */
static Py_ssize_t line_mark(const Page *page, Py_ssize_t start)
{
    const Py_ssize_t blanks = run_end(page, start + 1, BLANK);
    if (page->characters[start] == '\n' && blanks < page->size &&
        page->characters[blanks] == '\n') {
        return start + 1;
    }
    const Py_ssize_t indents = run_end(page, blanks, INDENTS);
    if (are(page, indents, '{', '|')) {
        return indents + 2;
    }
    return are(page, blanks, '|', '}') ? blanks + 2 : -1;
}

static void show(Page *page, Py_ssize_t start, Py_ssize_t end)
{
    const Py_ssize_t size = end - start;
    memcpy(page->shown + page->size_shown, page->characters + start,
           (size_t)size * sizeof *page->shown);
    page->size_shown += size;
}

/* Count the links and templates that a mark opens or closes. The scanner closes at least as many:
   it abandons those between a mark and its partner, too. */
static void count_open(Page *page, Span mark)
{
    const Py_ssize_t size = mark.end - mark.start;
    switch (page->characters[mark.start]) {
    case '[':
        page->links++;
        break;
    case ']':
        page->links -= page->links > 0;
        break;
    case '{':
        page->templates += size < SEVERAL ? 1 : PY_SSIZE_T_MAX / 2 - page->templates;
        break;
    case '}':
        page->templates -= page->templates > 0;
        break;
    default:
        break;
    }
}

/* Read from a place on; return where, or -1 with an error. `*stop` says whether the last mark may
   be continued elsewhere than at its end. */
static Py_ssize_t read_from(Page *page, PyObject *text, Py_ssize_t at, PyObject *list,
                            int *stop)
{
    const Py_UCS4 *characters = page->characters;
    Py_ssize_t literal = at; /* where the text before the next mark starts */
    while (at < page->size && !*stop) {
        const Py_UCS4 character = characters[at];
        if (!is_kind(character, BEGINS) && character != BLOCK) {
            at++;
            continue;
        }
        Span mark = {at, -1}, one = none, two = none;
        int plain = 0;
        if (character == '|') {
            mark.end = at + 1;
        } else if (character == '\n' || character == BLOCK) {
            mark.end = line_mark(page, at);
            *stop = mark.end > 0 && characters[mark.end - 1] == '}' && mark.end < page->size &&
                    characters[mark.end] == '}';
        } else if (at + 1 < page->size && characters[at + 1] == character) {
            mark.end = at + 2;
            if (character == '[') {
                Span target = {mark.end, run_until(page, mark.end, ENDS_LINK)}, label = none;
                Py_ssize_t close = target.end;
                if (close < page->size && characters[close] == '|') {
                    label.start = close + 1;
                    close = label.end = run_until(page, label.start, ENDS_LINK);
                }
                if (are(page, close, ']', ']')) {
                    mark.end = close + 2;
                    one = target;
                    two = label;
                    plain = is_plain(page, label.end < 0 ? target : label) &&
                            (label.end < 0 || !has_colon(page, target));
                }
            } else if (character == '{') {
                const Span content = {mark.end, run_until(page, mark.end, ENDS_TEMPLATE)};
                const int within = at >= 2 && are(page, at - 2, '{', '{');
                if (!within && content.end > content.start && are(page, content.end, '}', '}') &&
                    !(content.end + 2 < page->size && characters[content.end + 2] == '}')) {
                    mark.end = content.end + 2;
                    one = content;
                } else {
                    while (mark.end < page->size && characters[mark.end] == '{') {
                        mark.end++;
                    }
                }
            } else if (character == '}') {
                while (mark.end < page->size && characters[mark.end] == '}') {
                    mark.end++;
                }
            } else {
                *stop = mark.end < page->size && characters[mark.end] == ']';
            }
        }
        if (mark.end < 0) {
            at++;
            continue;
        }
        const int closed = !page->links && !page->templates; /* what a bar could divide */
        if ((character == '|' && closed) ||
            (character == '\n' && !page->links && characters[mark.end - 1] == '\n')) {
            at = mark.end;
            continue;
        }
        if (plain && closed) {
            show(page, literal, at);
            const Span label = two.end < 0 ? one : two;
            show(page, label.start, label.end);
            literal = at = mark.end;
            continue;
        }
        if (closed) {
            show(page, literal, at);
            literal = at;
        }
        if (!append_shown(list, page) || !append_text(list, text, literal, at)) {
            return -1;
        }
        if (character == '|') {
            if (!append_text(list, text, at, at + 1)) {
                return -1;
            }
        } else if (plain) {
            const Span label = two.end < 0 ? one : two;
            if (!append_text(list, text, label.start, label.end)) {
                return -1;
            }
        } else if (!append_mark(list, text, mark, one, two)) {
            return -1;
        } else if (one.end < 0) {
            count_open(page, mark);
        }
        literal = at = mark.end;
    }
    show(page, literal, at);
    return append_shown(list, page) ? at : -1;
}

static void free_page(PyObject *capsule)
{
    Page *page = PyCapsule_GetPointer(capsule, "page");
    if (page) {
        PyMem_Free(page->characters);
        PyMem_Free(page->shown);
        PyMem_Free(page);
    }
}

static PyObject *open_page(PyObject *Py_UNUSED(module), PyObject *text)
{
    if (!PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "a text is wanted");
        return NULL;
    }
    Page *page = PyMem_Calloc(1, sizeof *page);
    if (!page) {
        return PyErr_NoMemory();
    }
    page->size = PyUnicode_GetLength(text);
    page->characters = PyUnicode_AsUCS4Copy(text);
    page->shown = PyMem_Malloc((size_t)(page->size + 1) * sizeof *page->shown);
    if (!page->shown) {
        PyErr_NoMemory();
    }
    const int made = page->characters && page->shown;
    PyObject *capsule = made ? PyCapsule_New(page, "page", free_page) : NULL;
    if (!capsule) {
        PyMem_Free(page->characters);
        PyMem_Free(page->shown);
        PyMem_Free(page);
    }
    return capsule;
}

static PyObject *read_marks(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *capsule, *text;
    Py_ssize_t at;
    if (!PyArg_ParseTuple(args, "OUn", &capsule, &text, &at)) {
        return NULL;
    }
    Page *page = PyCapsule_GetPointer(capsule, "page");
    if (!page) {
        return NULL;
    }
    if (at < 0 || at > page->size || PyUnicode_GetLength(text) != page->size) {
        PyErr_SetString(PyExc_ValueError, "the place or the text is wrong");
        return NULL;
    }
    PyObject *list = PyList_New(0);
    if (!list) {
        return NULL;
    }
    int stop = 0;
    page->size_shown = 0;
    at = read_from(page, text, at, list, &stop);
    if (at < 0) {
        Py_DECREF(list);
        return NULL;
    }
    return Py_BuildValue("(Nn)", list, at);
}

static PyObject *is_clean(PyObject *Py_UNUSED(module), PyObject *text)
{
    const Py_ssize_t size = PyUnicode_GetLength(text);
    Py_UCS4 *characters = size < 0 ? NULL : PyUnicode_AsUCS4Copy(text);
    if (!characters) {
        return NULL;
    }
    unsigned found = 0;
    for (Py_ssize_t at = 0; at < size; at++) {
        const Py_UCS4 character = characters[at];
        found |= (character - FIRST_MARKER <= LAST_MARKER - FIRST_MARKER) | (character == '\r') |
                 (character == 0);
    }
    PyMem_Free(characters);
    return PyBool_FromLong(!found);
}

/* Add the name that follows two braces to a set; return false with an error. */
static int add_name(PyObject *names, const Py_UCS4 *characters, PyObject *text, Py_ssize_t start,
                    Py_ssize_t size)
{
    const Py_ssize_t last = size - start < MAX_NAME ? size : start + MAX_NAME;
    Py_ssize_t end = start;
    while (end < last && !is_kind(characters[end], ENDS_NAME)) {
        end++;
    }
    if (end == start) {
        return 1;
    }
    PyObject *name = PyUnicode_Substring(text, start, end);
    const int failed = !name || PySet_Add(names, name);
    Py_XDECREF(name);
    return !failed;
}

static PyObject *template_names(PyObject *Py_UNUSED(module), PyObject *text)
{
    const Py_ssize_t size = PyUnicode_GetLength(text);
    Py_UCS4 *characters = size < 0 ? NULL : PyUnicode_AsUCS4Copy(text);
    if (!characters) {
        return NULL;
    }
    PyObject *names = PySet_New(NULL);
    int done = names != NULL;
    int switches = 0; /* whether there are two underscores */
    for (Py_ssize_t at = 1; done && at < size; at++) {
        const Py_UCS4 character = characters[at];
        if (character == '_') {
            switches |= characters[at - 1] == '_';
        } else if (character == '{' && characters[at - 1] == '{') {
            done = add_name(names, characters, text, at + 1, size);
        }
    }
    PyMem_Free(characters);
    if (!done) {
        Py_XDECREF(names);
        return NULL;
    }
    return Py_BuildValue("(NO)", names, switches ? Py_True : Py_False);
}

static PyMethodDef module_methods[] = {
    {"is_clean", is_clean, METH_O,
     "Tell whether a text has no carriage return, NUL or marker of `filters.wikipedia.markers`."},
    {"template_names", template_names, METH_O,
     "Return the beginnings of all templates, and whether there may be behaviour switches."},
    {"open_page", open_page, METH_O, "Return what `read_marks` reads of a text."},
    {"read_marks", read_marks, METH_VARARGS,
     "read_marks(page, text, place) -> (texts and marks, where they end)"},
    {NULL, NULL, 0, NULL}};

static int module_exec(PyObject *Py_UNUSED(module))
{
    set_kinds();
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, .m_name = "_marks",
                                        .m_doc = "The marks of wikitext.",
                                        .m_methods = module_methods, .m_slots = module_slots};

PyMODINIT_FUNC PyInit__marks(void)
{
    return PyModuleDef_Init(&module_definition);
}
