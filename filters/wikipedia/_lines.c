/* Pair apostrophes, close gaps, and split a page into its lines, as `apostrophes.py`, `gaps.py` and
   `blocks.py` do.

   These modules do the same without this one, which calls them back for what is rare: marks of bold
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
    const Py_UCS4 *end = text->characters + text->size;
    Py_UCS4 *to = text->characters + (find(text->characters, end, character) - text->characters);
    for (const Py_UCS4 *at = to; at < end; at++) {
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

/* ---- Gaps ---- */

enum { MAX_LIST_MARKS = 20 /* of nested lists that are recognised */ };

/* A removal, or several with nothing between them, and the text on both sides. */
typedef struct {
    Text out; /* what stays on the left */
    Py_ssize_t *starts; /* the text on the left is closed pieces, and one that was never cut */
    Py_ssize_t size, room;
    Py_ssize_t left; /* where that one begins; gaps are searched no further back, but for blanks */
    const Py_UCS4 *right, *end;
    int blank_before, blank_after;
    int failed; /* with an error */
} Gap;

/* Tell whether a character is white space, as `str.isspace` does. */
static int is_space(Py_UCS4 character)
{
    if (character < 128) {
        return is_one_of(character, "\t\n\v\f\r\x1c\x1d\x1e\x1f ");
    }
    return (character >= 0x2000 && character <= 0x200A) || character == 0x85 ||
           character == 0xA0 || character == 0x1680 || character == 0x2028 ||
           character == 0x2029 || character == 0x202F || character == 0x205F ||
           character == 0x3000;
}

static int is_alnum(Gap *gap, Py_UCS4 character)
{
    if (character < 128) {
        return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
               (character >= 'a' && character <= 'z');
    }
    PyObject *text = object_of(&character, 1);
    PyObject *answer = text ? PyObject_CallMethod(text, "isalnum", NULL) : NULL;
    const int found = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(text);
    Py_XDECREF(answer);
    gap->failed |= found < 0;
    return found > 0;
}

static int is_blank(Py_UCS4 character)
{
    return character == ' ' || character == '\t';
}

static int is_dash(Py_UCS4 character)
{
    return character == '-' || character == 0x2013 || character == 0x2014;
}

/* What brackets with nothing else in them may hold. */
static int is_bracket_filler(Py_UCS4 character)
{
    return is_dash(character) || is_one_of(character, " \t,;:/");
}

static int is_opening(Py_UCS4 character)
{
    return is_one_of(character, "([\n") || character == 0xAB || character == 0x201E ||
           character == 0x201C;
}

/* Quotes and brackets that are removed if nothing is between them. */
static int is_pair(Py_UCS4 before, Py_UCS4 after)
{
    return (before == '[' && after == ']') || (before == '"' && after == '"') ||
           (before == 0x201C && after == 0x201D) || (before == 0xAB && after == 0xBB) ||
           (before == 0x201E && (after == 0x201C || after == 0x201D));
}

static const char closing[] = ",.;:)!?]\n";

static int push_start(Gap *gap, Py_ssize_t start)
{
    if (gap->size == gap->room) {
        const Py_ssize_t room = gap->room * 2 + 64;
        Py_ssize_t *grown = PyMem_Realloc(gap->starts, (size_t)room * sizeof *grown);
        if (!grown) {
            PyErr_NoMemory();
            return 0;
        }
        gap->starts = grown;
        gap->room = room;
    }
    gap->starts[gap->size++] = start;
    return 1;
}

/* Go left over blanks; return the character there. */
static Py_UCS4 before_gap(Gap *gap)
{
    for (;;) {
        while (gap->out.size > gap->left && is_blank(gap->out.characters[gap->out.size - 1])) {
            gap->out.size--;
            gap->blank_before = 1;
        }
        if (gap->out.size > gap->left) {
            return gap->out.characters[gap->out.size - 1];
        }
        if (!gap->size) {
            return '\n';
        }
        gap->left = gap->starts[--gap->size];
    }
}

/* Go right over blanks; return the character there, 0 at the end. */
static Py_UCS4 after_gap(Gap *gap)
{
    while (gap->right < gap->end && is_blank(*gap->right)) {
        gap->right++;
        gap->blank_after = 1;
    }
    return gap->right < gap->end ? *gap->right : 0;
}

/* Tell whether the text on the left is the mark of a list item. */
static int marks_item(const Gap *gap)
{
    const Py_UCS4 *characters = gap->out.characters;
    Py_ssize_t end = gap->out.size;
    while (end > gap->left && gap->out.size - end < MAX_LIST_MARKS &&
           is_one_of(characters[end - 1], "*#:;")) {
        end--;
    }
    return end < gap->out.size &&
           (end > gap->left ? characters[end - 1] == '\n' : gap->size == 0);
}

/* Tell whether a mark introduced the removed part and now precedes a stop or a bracket. */
static int leads_here(Gap *gap, Py_UCS4 before)
{
    if (gap->end - gap->right > 1 && is_alnum(gap, gap->right[1])) {
        return 0; /* "." begins a number or a name */
    }
    if (is_dash(before)) {
        return gap->out.size - gap->left > 1 &&
               is_blank(gap->out.characters[gap->out.size - 2]);
    }
    return is_one_of(before, ",;:") && !marks_item(gap);
}

/* Tell whether a mark followed the removed start of its line, and now comes first. */
static int leads_nowhere(const Gap *gap, Py_UCS4 before, Py_UCS4 after)
{
    if (!is_one_of(after, ",.;:!?]") ||
        (gap->end - gap->right > 1 && !is_space(gap->right[1]))) {
        return 0;
    }
    return before == '\n' || marks_item(gap);
}

/* Remove marks that make no sense without the removed part; return false without any. */
static int drop_marks(Gap *gap, Py_UCS4 before, Py_UCS4 after)
{
    if (is_pair(before, after)) {
        gap->out.size--;
        gap->right++;
    } else if (is_one_of(after, ".)]") && leads_here(gap, before)) {
        gap->out.size--;
    } else if ((before == after && is_one_of(after, ",;")) || leads_nowhere(gap, before, after)) {
        gap->right++;
    } else {
        return 0;
    }
    return 1;
}

/* Remove the separators at a parenthesis. Return -1 if the parentheses held nothing else and are
   removed, 0 if the right side has only separators. */
static int close_parentheses(Gap *gap, Py_UCS4 before)
{
    const Py_UCS4 *characters = gap->out.characters;
    Py_ssize_t end = gap->out.size;
    const Py_UCS4 *start = gap->right;
    while (end > gap->left && is_bracket_filler(characters[end - 1])) {
        end--;
    }
    while (start < gap->end && is_bracket_filler(*start)) {
        start++;
    }
    if (end > gap->left && characters[end - 1] == '(' && start < gap->end && *start == ')') {
        gap->out.size = end - 1;
        gap->right = start + 1;
        gap->blank_before = gap->blank_after = 0;
        return -1;
    }
    if (before == '(') {
        if (start == gap->end) {
            return 0;
        }
        while (gap->right < start && is_one_of(*gap->right, " \t,;")) {
            gap->right++;
        }
    } else {
        while (gap->out.size > end && is_one_of(characters[gap->out.size - 1], " \t,;")) {
            gap->out.size--;
        }
    }
    return 1;
}

/* Return the character that is put between both sides, or 0. */
static Py_UCS4 filling_of(Gap *gap, Py_UCS4 before, Py_UCS4 after)
{
    if (before == '\n') {
        return after == '\n' ? REMOVED : 0;
    }
    if (is_opening(before) || after == '\n') {
        return 0;
    }
    if (is_one_of(after, closing)) {
        /* A blank after the removal is the writer's own, as in French before a colon. */
        return gap->blank_after && (!gap->blank_before || is_one_of(after, ":;!?")) ? ' ' : 0;
    }
    const int apart = gap->blank_before || gap->blank_after ||
                      (is_alnum(gap, before) && is_alnum(gap, after));
    return apart ? ' ' : 0;
}

/* Find what stays on both sides; return false if another removal follows immediately. */
static int close_gap(Gap *gap, int last, Py_UCS4 *filling)
{
    while (!gap->failed) {
        Py_UCS4 before = before_gap(gap), after = after_gap(gap);
        if (gap->right == gap->end) {
            if (!last) {
                return 0;
            }
            after = '\n';
        }
        if (drop_marks(gap, before, after)) {
            continue;
        }
        if (before == '(' || after == ')') {
            const int inside = close_parentheses(gap, before);
            if (inside < 0) {
                continue;
            }
            if (!inside && !last) {
                return 0;
            }
            before = before_gap(gap);
            after = after_gap(gap);
            after = gap->right == gap->end ? '\n' : after;
        }
        *filling = filling_of(gap, before, after);
        return 1;
    }
    return 0;
}

static int append_closed(Gap *gap, const Py_UCS4 *at, const Py_UCS4 *text_end)
{
    const Py_UCS4 *next = find(at, text_end, REMOVED);
    if (!append(&gap->out, at, next - at)) {
        return 0;
    }
    while (next < text_end) {
        gap->right = next + 1;
        gap->end = next = find(gap->right, text_end, REMOVED);
        Py_UCS4 filling = 0;
        if (close_gap(gap, next == text_end, &filling)) {
            const Py_ssize_t start = gap->out.size;
            if (!push_start(gap, gap->left) || !push_start(gap, start) ||
                (filling && !append_one(&gap->out, filling))) {
                return 0;
            }
            gap->left = gap->out.size;
            gap->blank_before = gap->blank_after = 0;
            if (!append(&gap->out, gap->right, gap->end - gap->right)) {
                return 0;
            }
        }
        if (gap->failed) {
            return 0;
        }
    }
    return 1;
}

static PyObject *repair_gaps(PyObject *Py_UNUSED(module), PyObject *given)
{
    Text text = {0};
    Gap gap = {{0}, NULL, 0, 0, 0, NULL, NULL, 0, 0, 0};
    PyObject *result = NULL;
    if (append_object(&text, given) && reserve(&gap.out, text.size) &&
        append_closed(&gap, text.characters, text.characters + text.size)) {
        result = object_of(gap.out.characters, gap.out.size);
    }
    release(&text);
    release(&gap.out);
    PyMem_Free(gap.starts);
    return result;
}

/* ---- Lines ---- */

/* What a line may hold. */
enum {
    BREAKS = 1,
    BLANKS = 2,  /* several blanks or a tab */
    MARKERS = 4, /* other than `REMOVED` */
    MARKUP = 8,  /* an entity, or the opening mark of a template, a table or a link */
    ANYTHING = 15
};

typedef struct {
    int level;   /* of a heading, or 0 */
    int markers; /* whether it may hold any */
    Py_ssize_t start, end;
} Block;

typedef struct {
    PyObject *item_of, *parts_of, *is_row; /* the functions of `blocks.py` */
    Text shown;                            /* the text of the blocks, one after the other */
    Block *blocks;
    Py_ssize_t size, room;
    int parted; /* the next line starts a block: no second empty line */
    int item;   /* the last line is an item of a list */
    int holds;  /* what the current line may hold */
    int held;   /* what all lines may hold */
} Lines;

typedef struct {
    const Py_UCS4 *at, *end;
} Span;

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
    lines->blocks[lines->size++] =
        (Block){level, lines->holds & MARKERS, start, lines->shown.size};
    return 1;
}

/* Append a line with one blank in place of several or of a tab. */
static int append_one_blank(Text *out, Span line, int holds)
{
    if (!(holds & BLANKS)) {
        return append(out, line.at, line.end - line.at);
    }
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
                       : append_one_blank(shown, line, lines->holds))) {
        return 0;
    }
    if (lines->holds & BREAKS && find(line.at, line.end, BREAK) < line.end) {
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
    done = done && append_one_blank(&lines->shown, title, ANYTHING) &&
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
    lines->holds = lines->held = ANYTHING;
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
    lines->holds = lines->held = ANYTHING; /* what stood on both sides of the rule meets */
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
        if (lines->holds & BREAKS) {
            return add(lines, line, 0);
        }
        while (is_edge(line.end[-1])) {
            line.end--;
        }
        const Py_ssize_t start = lines->shown.size;
        lines->parted = lines->item = 0;
        return append_one_blank(&lines->shown, line, lines->holds) && add_block(lines, 0, start);
    }
}

/* Tell whether a character may be in a line that is a placeholder for missing text. */
static int is_filler(Py_UCS4 character)
{
    return is_one_of(character, ".,:;!?*_") || is_dash(character) || is_space(character) ||
           character == 0xB7 || character == 0x2022 || character == 0x2026; /* dots, a bullet */
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

/* Append the lines, with the characters that markers represent. `*untidy` says whether two are
   empty or one ends with a blank. */
static int append_joined(Text *out, const Lines *lines, Py_ssize_t first, int *untidy)
{
    if (!reserve(out, lines->shown.size + lines->size)) {
        return 0;
    }
    Py_UCS4 *to = out->characters;
    for (Py_ssize_t number = first; number < lines->size; number++) {
        const Block block = lines->blocks[number];
        const Py_ssize_t size = block.end - block.start;
        if (number > first) {
            const Block before = lines->blocks[number - 1];
            *untidy |= !size && before.start == before.end;
            *to++ = '\n';
        }
        *untidy |= size && is_blank(lines->shown.characters[block.end - 1]);
        if (!block.markers) {
            memcpy(to, lines->shown.characters + block.start, (size_t)size * sizeof *to);
            to += size;
            continue;
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
    const Py_UCS4 *start = text->characters;
    for (const Py_UCS4 *at = start, *end = at + text->size; at < end; at++) {
        const Py_UCS4 character = *at, last = at > start ? at[-1] : 0;
        if (character == '&' || ((character == '{' || character == '[') && last == character) ||
            (character == '|' && last == '{')) {
            return 1;
        }
        if (character == '\n' &&
            (is_blank(last) || (last == '\n' && at - start > 1 && at[-2] == '\n'))) {
            return 1;
        }
    }
    return 0;
}

/* Return the end of the line, and set what it may hold. */
static const Py_UCS4 *read_line(Lines *lines, const Py_UCS4 *line, const Py_UCS4 *end)
{
    int holds = 0;
    Py_UCS4 last = 0;
    const Py_UCS4 *at = line;
    for (; at < end && *at != '\n'; at++) {
        const Py_UCS4 character = *at;
        if (character > REMOVED) {
            if (character <= LAST_MARKER) {
                holds |= MARKERS | (character == BREAK ? BREAKS : 0);
                holds |= character == EMPTY ? BLANKS : 0;
            }
        } else if (character == ' ' || character == '\t') {
            holds |= is_blank(last) || character == '\t' ? BLANKS : 0;
        } else if (character == '{' || character == '[') {
            holds |= last == character ? MARKUP : 0;
        } else if (character == '&' || (character == '|' && last == '{')) {
            holds |= MARKUP;
        }
        last = character;
    }
    lines->holds = holds;
    lines->held |= holds;
    return at;
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
        const Py_UCS4 *line_end = read_line(&lines, at, end);
        done = add_line(&lines, (Span){at, line_end});
        if (line_end == end) {
            break;
        }
        at = line_end + 1;
    }
    int untidy = 0;
    if (done && append_joined(&out, &lines, keep_sections(&lines), &untidy)) {
        untidy = untidy || (lines.held & (MARKERS | MARKUP) && is_untidy(&out));
        PyObject *joined = object_of(out.characters, out.size);
        result = joined ? Py_BuildValue("(NO)", joined, untidy ? Py_True : Py_False) : NULL;
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
    {"repair_gaps", repair_gaps, METH_O, "repair_gaps(text) -> the text without its gaps"},
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
