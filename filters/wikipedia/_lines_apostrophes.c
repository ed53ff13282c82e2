/* Remove the marks of bold and italics line by line, as `apostrophes.py` does.

   Python is called back for a line in which one mark of bold is an apostrophe. */

#include "_lines.h"

/* What would be read as a mark at the start of a line without the apostrophes before. */
static const char line_marks[] = " \t*#:;=|{!-";

/* Append a line with runs of apostrophes without them; return false with an error. */
static int append_unmarked(Text *out, const Py_UCS4 *line, const Py_UCS4 *end, PyObject *unpaired)
{
    Py_ssize_t bold = 0, italic = 0;
    for (const Py_UCS4 *at = find(line, end, '\''); at < end; at = find(at, end, '\'')) {
        const Py_UCS4 *run = at;
        while (at < end && *at == '\'') {
            at++;
        }
        bold += at - run > 2;
        italic += at - run == 2 || at - run > 4;
    }
    if (bold % 2 && italic % 2) {
        PyObject *given = object_of(line, end - line);
        PyObject *shown = given ? PyObject_CallFunctionObjArgs(unpaired, given, NULL) : NULL;
        const int done = shown && append_object(out, shown);
        Py_XDECREF(given);
        Py_XDECREF(shown);
        return done;
    }
    if (!reserve(out, end - line)) {
        return 0;
    }
    Py_UCS4 *to = out->characters + out->size;
    for (const Py_UCS4 *at = line; at < end;) {
        if (*at != '\'') {
            *to++ = *at++;
            continue;
        }
        const Py_UCS4 *run = at;
        while (at < end && *at == '\'') {
            at++;
        }
        Py_ssize_t literal = at - run;
        Py_UCS4 shown = '\'';
        if (literal > 1) {
            literal = literal == 4 ? 1 : literal > 5 ? literal - 5 : 0;
            shown = APOSTROPHE;
        }
        while (literal-- > 0) {
            *to++ = shown;
        }
    }
    out->size = to - out->characters;
    return 1;
}

static int append_paired(Text *out, const Py_UCS4 *text, const Py_UCS4 *text_end,
                         PyObject *unpaired)
{
    const Py_UCS4 *done = text;
    for (const Py_UCS4 *at = text; at < text_end;) {
        const Py_UCS4 *line = at;
        int marked = 0;
        for (; at < text_end && *at != '\n'; at++) {
            marked |= *at == '\'' && at + 1 < text_end && at[1] == '\'';
        }
        if (marked) {
            if (!append(out, done, line - done)) {
                return 0;
            }
            const Py_ssize_t start = out->size;
            if (!append_one(out, EMPTY) || !append_unmarked(out, line, at, unpaired)) {
                return 0;
            }
            Py_UCS4 *shown = out->characters + start + 1;
            const Py_ssize_t size = out->size - start - 1;
            if ((size && !is_one_of(*shown, line_marks)) || is_one_of(*line, line_marks)) {
                memmove(shown - 1, shown, (size_t)size * sizeof *shown);
                out->size--;
            }
            done = at;
        }
        at += at < text_end;
    }
    return append(out, done, text_end - done);
}

static void remove_all(Text *text, Py_UCS4 character)
{
    const Py_UCS4 *end = text->characters + text->size;
    Py_UCS4 *to = text->characters + (find(text->characters, end, character) - text->characters);
    for (const Py_UCS4 *at = to; at < end; at++) {
        *to = *at;
        to += *at != character;
    }
    text->size = to - text->characters;
}

PyObject *pair_apostrophes(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given, *unpaired, *result = NULL;
    if (!PyArg_ParseTuple(args, "UO", &given, &unpaired)) {
        return NULL;
    }
    Text text = {0}, out = {0};
    if (append_object(&text, given) && reserve(&out, text.size) &&
        append_paired(&out, text.characters, text.characters + text.size, unpaired)) {
        remove_all(&out, JOINT);
        result = object_of(out.characters, out.size);
    }
    release(&text);
    release(&out);
    return result;
}
