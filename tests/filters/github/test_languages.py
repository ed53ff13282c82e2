"""The language of a file by its text, where several share an extension."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.github.languages import language_of_file

C_HEADER = """\
#ifndef A_H
#define A_H
/* class of functions that
class which is described here */
#ifdef __cplusplus
extern "C" {
namespace a { class B; }
#endif
struct a { int public; };
int template(struct a *class_of);  // std::vector in C++
#ifdef __cplusplus
}
#endif
#endif
"""


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("a.h", C_HEADER, "C"),
        ("a.h", "namespace word {\nclass Model {\n public:\n  int a;\n};\n}", "C++"),
        ("a.h", "template <typename T>\nT add(T a, T b);", "C++"),
        ("a.h", "#if __cplusplus > 201703L\ntemplate <class T> void f(T);\n#endif", "C++"),
        ("a.h", "class A;\nvoid f(A *);", "C++"),
        ("a.h", "inline int f() { return static_cast<int>(1.5); }", "C++"),
        ("a.h", "struct A : public B {\n};", "C++"),
        ("a.h", "using Index = int;", "C++"),
        ("a.h", "#include <vector>\nint a(void);", "C++"),
        ("a.h", '#include "b/c.hpp"\nint a(void);', "C++"),
        ("a.h", "#include <vector.h>\n// #include <vector>\nint a(void);", "C"),
        ("a.h", "#ifdef __cplusplus\n# include <vector>\n#endif\nint a(void);", "C"),
        ("a.h", "#import <Foundation/Foundation.h>\n@interface A : NSObject\n@end", "Objective-C"),
        ("a.h", "/** @class A\n * @end */\nint a(void);", "C"),
        ("a.H", "int a(void);", "C++"),
        ("a.m", "#import <A.h>\n@implementation A\n@end", "Objective-C"),
        ("a.m", "% Adds a and b.\nfunction c = add(a, b)\nc = a + b;\nend", "MATLAB"),
        ("a.m", "function add(a, b)\ndisp(a + b)\nend", "MATLAB"),
        ("a.m", "int a;", "Objective-C"),
        ("a.pl", "use strict;\nmy $a = 1;", "Perl"),
        ("a.pl", ":- module(a, [b/1]).\nb(X) :- c(X).", "Prolog"),
        ("a.pl", "print 1", "Perl"),
        ("a.ts", '<?xml version="1.0"?>\n<!DOCTYPE TS>\n<TS></TS>', "XML"),
        ("a.ts", "const a: number = 1", "TypeScript"),
        ("a.rs", "#pragma version(1)\n#pragma rs java_package_name(a)", "RenderScript"),
        ("a.rs", "fn main() {}", "Rust"),
        ("a.php", "<?hh\nfunction a(): void {}", "Hack"),
        ("a.py", "class A:\n    pass", "Python"),
        ("README", "namespace a {", None),
    ],
)
def test_the_text_decides(path: str, text: str, language: str | None) -> None:
    """By words of one language that are no comment; else by the extension."""
    assert language_of_file(path, text) == language


@pytest.mark.parametrize(
    ("languages", "language"),
    [
        ({"C++": 9, "Python": 1}, "C++"),
        ({"C": 1, "C++": 9}, "C"),
        ({"Objective-C": 1}, "Objective-C"),
        ({"Python": 1}, "C"),
        ({}, "C"),
        (None, "C"),
    ],
)
def test_the_repository_decides_where_the_text_does_not(
    languages: dict[str, int] | None, language: str
) -> None:
    """If just one of the candidates is among its languages."""
    assert language_of_file("a.h", "int a(void);", languages) == language


@given(st.sampled_from(["a.h", "a.m", "a.pl", "a.ts", "a.rs", "a.php", "a"]), st.text())
def test_never_raises(path: str, text: str) -> None:
    """Whatever the text."""
    language_of_file(path, text)


@pytest.mark.parametrize(
    "part", ["#ifdef __cplusplus\n", "class A\n", "/*", "std:", "struct a ", "@end", "operator "]
)
def test_large_odd_headers_are_no_problem(part: str) -> None:
    """The time is linear in the text that is looked at."""
    language_of_file("a.h", part * (200_000 // len(part)))
