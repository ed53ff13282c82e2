/* Close the gaps that removals leave in running text, as `gaps.py` does. */

#include "_lines.h"

enum {
    MAX_LIST_MARKS = 20, /* of nested lists that are recognised */
    DOT = 0xB7           /* between the items of a list in one line */
};

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

/* Two marks of which the second followed an item that is gone. */
static int is_double(Py_UCS4 before, Py_UCS4 after)
{
    return (before == after && is_one_of(after, ",;")) ||
           (after == DOT && (before == DOT || is_one_of(before, ":(\n")));
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
    } else if ((before == DOT && is_one_of(after, "\n.)]")) ||
               (is_one_of(after, ".)]") && leads_here(gap, before))) {
        gap->out.size--;
    } else if (is_double(before, after) || leads_nowhere(gap, before, after)) {
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

PyObject *repair_gaps(PyObject *Py_UNUSED(module), PyObject *given)
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
