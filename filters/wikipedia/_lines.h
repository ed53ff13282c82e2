/* Texts of code points that grow at their end, the markers in them, and what `_lines.c` offers. */

#ifndef CORPUSMILL_WIKIPEDIA_LINES_H
#define CORPUSMILL_WIKIPEDIA_LINES_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000
#endif
#include <Python.h>

#include <stdint.h>
#include <string.h>
#include <wchar.h>

enum { /* `filters.wikipedia.markers` */
    FIRST_MARKER = 0xFDD0,
    REMOVED = 0xFDD0,
    BREAK = 0xFDD2,
    EMPTY = 0xFDD4,
    EQUALS = 0xFDD5,
    JOINT = 0xFDDF,
    APOSTROPHE = 0xFDE8,
    COLON = 0xFDE9,
    LAST_MARKER = 0xFDEF
};

/* A text that grows at its end. */
typedef struct {
    Py_UCS4 *characters;
    Py_ssize_t size, room;
} Text;

static inline int reserve(Text *text, Py_ssize_t more)
{
    if (more <= text->room - text->size) {
        return 1;
    }
    const Py_ssize_t room = text->size + more + text->size / 2 + 64;
    Py_UCS4 *grown = PyMem_Realloc(text->characters, (size_t)room * sizeof *grown);
    if (!grown) {
        PyErr_NoMemory();
        return 0;
    }
    text->characters = grown;
    text->room = room;
    return 1;
}

static inline int append(Text *text, const Py_UCS4 *from, Py_ssize_t size)
{
    if (size == 0) {
        return 1;
    }
    if (!reserve(text, size)) {
        return 0;
    }
    memcpy(text->characters + text->size, from, (size_t)size * sizeof *from);
    text->size += size;
    return 1;
}

static inline int append_one(Text *text, Py_UCS4 character)
{
    return append(text, &character, 1);
}

static inline int append_object(Text *text, PyObject *object)
{
    if (!PyUnicode_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "a text is wanted");
        return 0;
    }
    const Py_ssize_t size = PyUnicode_GetLength(object);
    if (!reserve(text, size) || (size && !PyUnicode_AsUCS4(object, text->characters + text->size,
                                                            size, 0))) {
        return 0;
    }
    text->size += size;
    return 1;
}

static inline void release(Text *text)
{
    PyMem_Free(text->characters);
    memset(text, 0, sizeof *text);
}

static inline PyObject *object_of(const Py_UCS4 *characters, Py_ssize_t size)
{
    if (sizeof(wchar_t) == sizeof *characters) {
        return PyUnicode_FromWideChar((const wchar_t *)characters, size);
    }
    const uint16_t one = 1;
    int order = *(const uint8_t *)&one ? -1 : 1;
    return PyUnicode_DecodeUTF32((const char *)characters, size * (Py_ssize_t)sizeof *characters,
                                 "surrogatepass", &order);
}

static inline int is_one_of(Py_UCS4 character, const char *set)
{
    return character && character < 128 && strchr(set, (int)character);
}

static inline const Py_UCS4 *find(const Py_UCS4 *at, const Py_UCS4 *end, Py_UCS4 character)
{
    while (at < end && *at != character) {
        at++;
    }
    return at;
}

static inline int is_blank(Py_UCS4 character)
{
    return character == ' ' || character == '\t';
}

static inline int is_dash(Py_UCS4 character)
{
    return character == '-' || character == 0x2013 || character == 0x2014;
}

/* Tell whether a character is white space, as `str.isspace` does. */
static inline int is_space(Py_UCS4 character)
{
    if (character < 128) {
        return is_one_of(character, "\t\n\v\f\r\x1c\x1d\x1e\x1f ");
    }
    return (character >= 0x2000 && character <= 0x200A) || character == 0x85 ||
           character == 0xA0 || character == 0x1680 || character == 0x2028 ||
           character == 0x2029 || character == 0x202F || character == 0x205F ||
           character == 0x3000;
}

/* The functions of the module `_lines`, as `_lines.pyi` says. */
PyObject *pair_apostrophes(PyObject *module, PyObject *args);
PyObject *repair_gaps(PyObject *module, PyObject *given);

#endif
