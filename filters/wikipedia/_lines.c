/* Pair apostrophes, and split a page into its lines, as `apostrophes.py` and `blocks.py` do.

   Both modules do the same without this one, which calls them back for what is rare: marks of bold
   without a partner, terms of a list with their definitions, lines with a `<br>`, and bars. Every
   character is read a limited number of times. */

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
    LAST_MARKER = 0xFDEF,
    MAX_LEVEL = 6 /* of a heading */
};

/* A text that grows at its end. */
typedef struct {
    Py_UCS4 *characters;
    Py_ssize_t size, room;
} Text;

static int reserve(Text *text, Py_ssize_t more)
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

static int append(Text *text, const Py_UCS4 *from, Py_ssize_t size)
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

static int append_one(Text *text, Py_UCS4 character)
{
    return append(text, &character, 1);
}

static int append_object(Text *text, PyObject *object)
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

static void release(Text *text)
{
    PyMem_Free(text->characters);
    memset(text, 0, sizeof *text);
}

static PyObject *object_of(const Py_UCS4 *characters, Py_ssize_t size)
{
    if (sizeof(wchar_t) == sizeof *characters) {
        return PyUnicode_FromWideChar((const wchar_t *)characters, size);
    }
    const uint16_t one = 1;
    int order = *(const uint8_t *)&one ? -1 : 1;
    return PyUnicode_DecodeUTF32((const char *)characters, size * (Py_ssize_t)sizeof *characters,
                                 "surrogatepass", &order);
}

static int is_one_of(Py_UCS4 character, const char *set)
{
    return character && character < 128 && strchr(set, (int)character);
}

static const Py_UCS4 *find(const Py_UCS4 *at, const Py_UCS4 *end, Py_UCS4 character)
{
    while (at < end && *at != character) {
        at++;
    }
    return at;
}

/* ---- Apostrophes ---- */

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
    Py_UCS4 *to = text->characters;
    for (const Py_UCS4 *at = to, *end = to + text->size; at < end; at++) {
        *to = *at;
        to += *at != character;
    }
    text->size = to - text->characters;
}

static PyObject *pair_apostrophes(PyObject *Py_UNUSED(module), PyObject *args)
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

/* ---- Lines ---- */

typedef struct {
    int level; /* of a heading, or 0 */
    Py_ssize_t start, end;
} Block;

typedef struct {
    PyObject *item_of, *parts_of, *is_row; /* the functions of `blocks.py` */
    Text shown;                            /* the text of the blocks, one after the other */
    Block *blocks;
    Py_ssize_t size, room;
    int parted; /* the next line starts a block: no second empty line */
    int item;   /* the last line is an item of a list */
} Lines;

typedef struct {
    const Py_UCS4 *at, *end;
} Span;

static int is_blank(Py_UCS4 character)
{
    return character == ' ' || character == '\t';
}

static int is_edge(Py_UCS4 character)
{
    return is_blank(character) || character == REMOVED;
}

static Span without_edges(Span line)
{
    while (line.at < line.end && is_edge(line.end[-1])) {
        line.end--;
    }
    while (line.at < line.end && is_edge(*line.at)) {
        line.at++;
    }
    return line;
}

static int add_block(Lines *lines, int level, Py_ssize_t start)
{
    if (lines->size == lines->room) {
        const Py_ssize_t room = lines->room * 2 + 64;
        Block *grown = PyMem_Realloc(lines->blocks, (size_t)room * sizeof *grown);
        if (!grown) {
            PyErr_NoMemory();
            return 0;
        }
        lines->blocks = grown;
        lines->room = room;
    }
    lines->blocks[lines->size++] = (Block){level, start, lines->shown.size};
    return 1;
}

/* Append a line with one blank in place of several or of a tab. */
static int append_one_blank(Text *out, Span line)
{
    if (!reserve(out, line.end - line.at)) {
        return 0;
    }
    Py_UCS4 *to = out->characters + out->size;
    for (const Py_UCS4 *at = line.at; at < line.end;) {
        if (!is_blank(*at)) {
            *to++ = *at++;
            continue;
        }
        const Py_UCS4 *next = at + 1;
        while (next < line.end && *next == EMPTY) {
            next++;
        }
        if (next < line.end && is_blank(*next)) {
            while (next < line.end && (is_blank(*next) || *next == EMPTY)) {
                next++;
            }
            at = next;
        } else {
            at++;
        }
        *to++ = ' ';
    }
    out->size = to - out->characters;
    return 1;
}

/* Put the parts of a line with breaks, each in a block; return how many, or -1 with an error. */
static Py_ssize_t put_parts(Lines *lines, Py_ssize_t start)
{
    Text *shown = &lines->shown;
    PyObject *line = object_of(shown->characters + start, shown->size - start);
    PyObject *parts = line ? PyObject_CallFunctionObjArgs(lines->parts_of, line, NULL) : NULL;
    Py_XDECREF(line);
    shown->size = start;
    if (parts && !PyList_Check(parts)) {
        PyErr_SetString(PyExc_TypeError, "a list is wanted");
        Py_CLEAR(parts);
    }
    Py_ssize_t count = parts ? PyList_Size(parts) : -1;
    for (Py_ssize_t number = 0; number < count; number++) {
        start = shown->size;
        if (!append_object(shown, PyList_GetItem(parts, number)) || !add_block(lines, 0, start)) {
            count = -1;
        }
    }
    Py_XDECREF(parts);
    return count;
}

static int put(Lines *lines, Span line, int item, int preformatted)
{
    Text *shown = &lines->shown;
    const Py_ssize_t start = shown->size, first = lines->size;
    if (!(preformatted ? append(shown, line.at, line.end - line.at)
                       : append_one_blank(shown, line))) {
        return 0;
    }
    if (find(line.at, line.end, BREAK) < line.end) {
        const Py_ssize_t count = put_parts(lines, start);
        if (count <= 0) {
            return count == 0;
        }
    } else if (line.at == line.end) {
        return 1;
    } else if (!add_block(lines, 0, start)) {
        return 0;
    }
    if (item && lines->item && lines->parted && first) { /* no empty line between items */
        memmove(lines->blocks + first - 1, lines->blocks + first,
                (size_t)(lines->size - first) * sizeof *lines->blocks);
        lines->size--;
    }
    lines->parted = 0;
    lines->item = item;
    return 1;
}

static int part(Lines *lines)
{
    const int needed = !lines->parted;
    lines->parted = 1;
    return !needed || add_block(lines, 0, lines->shown.size);
}

static int add(Lines *lines, Span line, int preformatted)
{
    while (line.at < line.end && is_edge(line.end[-1])) {
        line.end--;
    }
    if (line.at < line.end && *line.at == EMPTY) { /* the text after it starts no block */
        while (line.at < line.end && (is_edge(*line.at) || *line.at == EMPTY)) {
            line.at++;
        }
        if (line.at == line.end) {
            return 1;
        }
    }
    return line.at < line.end ? put(lines, line, 0, preformatted) : part(lines);
}

/* Add a heading and the text after it; return 0 for a line that is none, -1 with an error. */
static int add_heading(Lines *lines, Span line)
{
    while (line.at < line.end && is_edge(line.end[-1])) {
        line.end--;
    }
    const Py_ssize_t size = line.end - line.at;
    Py_ssize_t before = 0, after = 0, level;
    while (before < size && line.at[before] == '=') {
        before++;
    }
    if (before == size) {
        return 0;
    }
    while (line.end[-1 - after] == '=') {
        after++;
    }
    Span title, rest = {line.end, line.end};
    if (after) {
        level = before < after ? before : after;
        level = level > MAX_LEVEL ? MAX_LEVEL : level;
        title = (Span){line.at + level, line.end - level};
    } else {
        level = before;
        const Py_UCS4 *close = find(line.at + before, line.end, '=');
        const Py_UCS4 *behind = close;
        while (behind < line.end && *behind == '=') {
            behind++;
        }
        if (before < 2 || before > MAX_LEVEL || behind - close != before) {
            return 0;
        }
        title = (Span){line.at + before, close};
        rest = without_edges((Span){behind, line.end});
    }
    if (!part(lines)) {
        return -1;
    }
    /* A break in a title is a blank, which is stripped and joined to others. */
    Text copy = {0};
    const Py_ssize_t start = lines->shown.size;
    int done = append(&copy, title.at, title.end - title.at);
    for (Py_ssize_t at = 0; at < copy.size; at++) {
        if (copy.characters[at] == BREAK) {
            copy.characters[at] = ' ';
        }
    }
    title = without_edges((Span){copy.characters, copy.characters + copy.size});
    done = done && append_one_blank(&lines->shown, title) &&
           add_block(lines, (int)level, start) && add_block(lines, 0, lines->shown.size);
    release(&copy);
    lines->parted = 1;
    lines->item = 0;
    return done && add(lines, rest, 0) ? 1 : -1;
}

static int add_item(Lines *lines, Span line)
{
    const Py_UCS4 *at = line.at, *last = line.at; /* the last mark that is no blank */
    while (at < line.end && is_one_of(*at, "*#:;")) {
        last = at++;
    }
    while (at < line.end && is_blank(*at)) {
        at++;
    }
    for (;;) { /* further marks, each with a blank behind it */
        const Py_UCS4 *next = at;
        while (next < line.end && (*next == '*' || *next == '#' || *next == ':')) {
            next++;
        }
        if (next == at || next == line.end || !is_blank(*next)) {
            break;
        }
        last = next - 1;
        while (next < line.end && is_blank(*next)) {
            next++;
        }
        at = next;
    }
    if (*last != ';') {
        line = without_edges((Span){at, line.end});
        return line.at == line.end || put(lines, line, 1, 0);
    }
    PyObject *given = object_of(line.at, line.end - line.at);
    PyObject *item = given ? PyObject_CallFunctionObjArgs(lines->item_of, given, NULL) : NULL;
    Text copy = {0};
    int done = item && append_object(&copy, item);
    if (done && copy.size) {
        done = put(lines, (Span){copy.characters, copy.characters + copy.size}, 1, 0);
    }
    Py_XDECREF(given);
    Py_XDECREF(item);
    release(&copy);
    return done;
}

/* Add a line without its first run of four dashes or more, which draw a rule. */
static int add_rule(Lines *lines, Span line)
{
    const Py_UCS4 *at = line.at, *run = at;
    while (at < line.end && at - run < 4) {
        run = *at++ == '-' ? run : at;
    }
    if (at - run < 4) {
        return add(lines, line, 0);
    }
    while (at < line.end && *at == '-') {
        at++;
    }
    Text copy = {0};
    const int done = append(&copy, line.at, run - line.at) && append(&copy, at, line.end - at) &&
                     add(lines, (Span){copy.characters, copy.characters + copy.size}, 0);
    release(&copy);
    return done;
}

/* Tell whether Python says that a line is a row of a table; -1 with an error. */
static int is_row(Lines *lines, Span line)
{
    PyObject *given = object_of(line.at, line.end - line.at);
    PyObject *answer = given ? PyObject_CallFunctionObjArgs(lines->is_row, given, NULL) : NULL;
    const int found = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(given);
    Py_XDECREF(answer);
    return found;
}

static int add_line(Lines *lines, Span line)
{
    if (line.at == line.end) {
        return part(lines);
    }
    int found;
    switch (*line.at) {
    case '=':
        found = add_heading(lines, line);
        if (found) {
            return found > 0;
        }
        if (line.at + 1 < line.end && line.at[1] == '=') { /* a heading that is not closed */
            while (line.at < line.end && (*line.at == '=' || *line.at == ' ')) {
                line.at++;
            }
        }
        return add(lines, line, 0);
    case '|':
        found = is_row(lines, line);
        return found ? found > 0 : add(lines, line, 0);
    case '*':
    case '#':
    case ':':
    case ';':
        return add_item(lines, line);
    case '-':
        return add_rule(lines, line);
    case ' ':
        line.at++;
        return add(lines, line, 1);
    case '\t':
    case REMOVED:
    case BREAK:
    case EMPTY:
        return add(lines, line, 0);
    default: /* plain text: it begins a line, and does not end as an item */
        if (find(line.at, line.end, BREAK) < line.end) {
            return add(lines, line, 0);
        }
        while (is_edge(line.end[-1])) {
            line.end--;
        }
        const Py_ssize_t start = lines->shown.size;
        lines->parted = lines->item = 0;
        return append_one_blank(&lines->shown, line) && add_block(lines, 0, start);
    }
}

/* Tell whether a character may be in a line that is a placeholder for missing text. */
static int is_filler(Py_UCS4 character)
{
    if (character < 128) {
        return is_one_of(character, "\t\n\v\f\r\x1c\x1d\x1e\x1f .,:;!?*_-");
    }
    if (character >= 0x2000 && character <= 0x200A) {
        return 1;
    }
    switch (character) {
    case 0x85: /* further white space */
    case 0xA0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202F:
    case 0x205F:
    case 0x3000:
    case 0xB7: /* a middle dot, dashes, a bullet, an ellipsis */
    case 0x2013:
    case 0x2014:
    case 0x2022:
    case 0x2026:
        return 1;
    default:
        return 0;
    }
}

static int is_placeholder(const Lines *lines, Block block)
{
    Py_ssize_t at = block.start;
    while (at < block.end && is_filler(lines->shown.characters[at])) {
        at++;
    }
    return at == block.end;
}

/* Move the blocks that stay to the end of the array; return the first of them. */
static Py_ssize_t keep_sections(Lines *lines)
{
    Block *blocks = lines->blocks;
    Py_ssize_t kept = lines->size, section = lines->size;
    int content = 0;    /* whether there is text since the heading that comes next */
    int next_level = 0; /* of that heading */
    for (Py_ssize_t number = lines->size - 1; number >= 0; number--) {
        const Block block = blocks[number];
        if (!block.level) {
            content = content || !is_placeholder(lines, block);
        } else if (block.end > block.start && (content || next_level > block.level)) {
            content = 0;
            next_level = block.level;
        } else { /* the text below a heading without a title goes to the section before */
            kept = content || kept > section ? kept : section;
            kept += kept < lines->size && blocks[kept].end == blocks[kept].start;
            continue;
        }
        blocks[--kept] = block;
        section = block.level ? kept : section;
    }
    return kept;
}

/* Append the lines, with the characters that markers represent. */
static int append_joined(Text *out, const Lines *lines, Py_ssize_t first)
{
    if (!reserve(out, lines->shown.size + lines->size)) {
        return 0;
    }
    Py_UCS4 *to = out->characters;
    for (Py_ssize_t number = first; number < lines->size; number++) {
        const Block block = lines->blocks[number];
        if (number > first) {
            *to++ = '\n';
        }
        for (Py_ssize_t at = block.start; at < block.end; at++) {
            const Py_UCS4 character = lines->shown.characters[at];
            if (character < FIRST_MARKER || character > LAST_MARKER) {
                *to++ = character;
            } else if (character != EMPTY) {
                *to++ = character == EQUALS       ? '='
                        : character == APOSTROPHE ? '\''
                        : character == COLON      ? ':'
                                                  : character;
            }
        }
    }
    out->size = to - out->characters;
    return 1;
}

/* Tell whether a text has entities, open marks, blanks before a line end, or empty lines. */
static int is_untidy(const Text *text)
{
    Py_UCS4 before = 0, last = 0;
    for (const Py_UCS4 *at = text->characters, *end = at + text->size; at < end; at++) {
        const Py_UCS4 character = *at;
        switch (character) {
        case '&':
            return 1;
        case '\n':
            if (is_blank(last) || (last == '\n' && before == '\n')) {
                return 1;
            }
            break;
        case '{':
        case '[':
            if (last == character) {
                return 1;
            }
            break;
        case '|':
            if (last == '{') {
                return 1;
            }
            break;
        default:
            break;
        }
        before = last;
        last = character;
    }
    return 0;
}

static PyObject *join_lines(PyObject *Py_UNUSED(module), PyObject *args)
{
    Lines lines = {.parted = 1};
    PyObject *given, *result = NULL;
    if (!PyArg_ParseTuple(args, "UOOO", &given, &lines.item_of, &lines.parts_of, &lines.is_row)) {
        return NULL;
    }
    Text text = {0}, out = {0};
    int done = append_object(&text, given) && reserve(&lines.shown, text.size);
    const Py_UCS4 *at = text.characters, *end = at + text.size;
    while (done) {
        const Py_UCS4 *line_end = find(at, end, '\n');
        done = add_line(&lines, (Span){at, line_end});
        if (line_end == end) {
            break;
        }
        at = line_end + 1;
    }
    if (done && append_joined(&out, &lines, keep_sections(&lines))) {
        PyObject *joined = object_of(out.characters, out.size);
        result = joined ? Py_BuildValue("(NO)", joined, is_untidy(&out) ? Py_True : Py_False) : NULL;
    }
    release(&text);
    release(&out);
    release(&lines.shown);
    PyMem_Free(lines.blocks);
    return result;
}

static PyMethodDef module_methods[] = {
    {"pair_apostrophes", pair_apostrophes, METH_VARARGS,
     "pair_apostrophes(text, unpaired) -> the text without marks of emphasis"},
    {"join_lines", join_lines, METH_VARARGS,
     "join_lines(text, item_of, parts_of, is_row) -> (the lines, whether they are untidy)"},
    {NULL, NULL, 0, NULL}};

static PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, .m_name = "_lines",
                                        .m_doc = "The lines of a page.",
                                        .m_methods = module_methods};

PyMODINIT_FUNC PyInit__lines(void)
{
    return PyModuleDef_Init(&module_definition);
}
