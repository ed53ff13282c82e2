/* Split a page into its lines, as `blocks.py` does, and offer what the other two files do.

   The Python modules do the same without this one, which calls them back for what is rare: terms of
   a list with their definitions, lines with a `<br>`, and bars. Every character is read a limited
   number of times. */

#include "_lines.h"

enum { MAX_LEVEL = 6 /* of a heading */ };

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
