"""The commands as their users run them: flags, pipes, errors in one line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenizer.__main__ import main
from tokenizer.model import Tokenizer

TrainSmall = Callable[..., Path]


@pytest.fixture
def model(tokenizer: Tokenizer) -> str:
    """Path of the small model."""
    return str(tokenizer.path)


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run ``python -m tokenizer`` as a program."""
    command = [sys.executable, "-m", "tokenizer", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


def lines_of(path: Path, *arguments: str) -> list[str]:
    """What a command writes to ``path``."""
    assert main([*arguments, f"--output={path}"]) == 0
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def test_train_writes_a_model_and_says_what_it_did(
    texts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Flags in both spellings; the settings and the sample are printed."""
    (tmp_path / "a.txt").write_text("\n".join(texts[:8]), encoding="utf-8")
    (tmp_path / "b.txt").write_text("\n".join(texts[8:]), encoding="utf-8")
    inputs = [f"--input={tmp_path / 'a.txt'},{tmp_path / 'b.txt'}"]
    prefix = tmp_path / "tok"
    flags = ["--vocab_size", "500", "--split_digits=false", "--byte_fallback", "--weights=a=1,b=3"]
    assert main(["train", *inputs, f"--model_prefix={prefix}", *flags]) == 0
    printed = capsys.readouterr().out
    assert "vocab_size                    500\n" in printed
    assert "split_digits                  false\n" in printed
    assert "25.0%" in printed
    assert printed.endswith(f"wrote {prefix}.model and {prefix}.vocab\n")
    trainer = Tokenizer(f"{prefix}.model").spec.trainer
    assert (trainer["vocab_size"], trainer["split_digits"]) == (500, False)


def test_t9_in_every_process(texts: list[str], tmp_path: Path) -> None:
    """Two processes, the files in another order: the same model, byte for byte."""
    names = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    for name, text in zip(names, texts[:2], strict=True):
        Path(name).write_text(text, encoding="utf-8")
    flags = ["--vocab_size=500", "--sample_bytes=30000"]
    for prefix, inputs in (("one", names), ("two", names[::-1])):
        command = ["train", f"--model_prefix={tmp_path / prefix}", *flags, "--input", *inputs]
        assert run(*command).returncode == 0
    assert (tmp_path / "one.model").read_bytes() == (tmp_path / "two.model").read_bytes()
    assert (tmp_path / "one.vocab").read_bytes() == (tmp_path / "two.vocab").read_bytes()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], ["▁ de f ▁x", "", "▁ ▁ y ▁"]),
        (["--extra_options=bos:eos"], ["<s> ▁ de f ▁x </s>", "<s> </s>", "<s> ▁ ▁ y ▁ </s>"]),
        (
            ["--extra_options=eos:reverse:bos"],
            ["<s> </s> ▁x f de ▁", "<s> </s>", "<s> </s> ▁ y ▁ ▁"],
        ),
    ],
)
def test_encode_pieces(
    train_small: TrainSmall, tmp_path: Path, flags: list[str], expected: list[str]
) -> None:
    """A line of pieces for a line of text, an empty one for an empty one."""
    path = train_small(tmp_path / "m.model", "de de de f x x x\n  y\n", vocab_size=267)
    (tmp_path / "in").write_text("def x\n\n y \n", encoding="utf-8")
    arguments = ["encode", f"--model={path}", f"--input={tmp_path / 'in'}", *flags]
    assert lines_of(tmp_path / "out", *arguments) == expected


def test_ids_and_pieces_decode_to_the_text(model: str, tmp_path: Path) -> None:
    """Through both formats, with characters that have no piece."""
    text = "def f(x):  # 1234\n\n\t😀 ▁ \r\n</s>\n"
    (tmp_path / "in").write_bytes(text.encode())
    for unit in ("piece", "id"):
        ids = tmp_path / unit
        encode = ["encode", f"--model={model}", f"--input={tmp_path / 'in'}", f"--output={ids}"]
        assert main([*encode, f"--output_format={unit}"]) == 0
        decode = ["decode", f"--model={model}", f"--input={ids}", f"--input_format={unit}"]
        assert main([*decode, f"--output={tmp_path / 'out'}"]) == 0
        assert (tmp_path / "out").read_bytes() == text.replace("▁", " ").encode()


def test_pipes(model: str, tokenizer: Tokenizer) -> None:
    """Stdin and stdout where no files are named; bytes that print cannot spoil."""
    encoded = run("encode", "--model", model, "--output_format=id", stdin="é\r\nx".encode())
    expected = [" ".join(map(str, tokenizer.encode(text))) for text in ("é\r", "x")]
    assert encoded.stdout.decode() == "".join(f"{line}\n" for line in expected)
    decoded = run("decode", "--model", model, "--input_format=id", stdin=encoded.stdout)
    assert decoded.stdout == "é\r\nx\n".encode()
    assert encoded.stderr + decoded.stderr == b""


def test_sampling_decodes_to_the_text(model: str, texts: list[str], tmp_path: Path) -> None:
    """BPE drops merges at random: other pieces of the same text."""
    text = texts[0][:2000]
    (tmp_path / "in").write_text(text, encoding="utf-8")
    command = ["encode", f"--model={model}", f"--input={tmp_path / 'in'}", "--alpha=0.3"]
    sample = lines_of(tmp_path / "sample", *command, "--output_format=sample_id")
    assert sample != lines_of(tmp_path / "ids", *command, "--output_format=id")
    decode = ["decode", f"--model={model}", f"--input={tmp_path / 'sample'}", "--input_format=id"]
    assert lines_of(tmp_path / "out", *decode) == text.split("\n")


def test_nbest_of_a_unigram_model(train_small: TrainSmall, tmp_path: Path) -> None:
    """Several lines for one, the best first."""
    text = "ab abc cab cabab\n" * 4
    path = train_small(tmp_path / "m.model", text, vocab_size=266, model_type="unigram")
    (tmp_path / "in").write_text("cab ab\n", encoding="utf-8")
    command = ["encode", f"--model={path}", f"--input={tmp_path / 'in'}"]
    best = lines_of(tmp_path / "out", *command)
    nbest = [*command, "--output_format=nbest_piece", "--nbest_size=3"]
    found = lines_of(tmp_path / "out", *nbest)
    assert len({*found}) == 3
    assert found[0] == best[0]


def test_inspect(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What differs from LLaMA's is marked, and properties are checked."""
    assert main(["inspect", "--model", model]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert [line.split() for line in lines if line.endswith("differs")] == [
        ["vocab_size", "1500", "32000", "differs"]
    ]
    assert "1,500 ids, 1,241 of them normal pieces" in lines
    assert [line[:8] for line in lines if line.startswith(("T1 ", "T2 "))] == [
        "T1 holds",
        "T2 holds",
    ]
    assert any(line.startswith("T7 ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("trian", "unknown command 'trian'. Did you mean 'train'?"),
        (
            "train --vocab_sise=5 --input=x",
            "unknown flag --vocab_sise. Did you mean '--vocab_size'?",
        ),
        ("train --vocab=5 --input=x", "unknown flag --vocab. Did you mean '--vocab_size'?"),
        ("train --input=x --model_prefix=x --vocab_size=0", "--vocab_size 0: give a number from 3"),
        ("train --input=x --model_prefix=x --model_type=bpee", "Did you mean 'bpe'?"),
        ("train --input=absent.txt --model_prefix=x", "absent.txt: no such file or directory"),
        (
            "train --input=x --model_prefix=x --byte_fallback=maybe",
            'unable to convert "maybe" into bool',
        ),
        ("train --input=x --model_prefix=x --weights=a", "expected source=weight, each source"),
        (
            "train --input=x --model_prefix=x --vocab_size=many",
            '--vocab_size: unable to convert "many" into int',
        ),
        ("encode --model=absent", "absent: cannot be read (No such file or directory); make a"),
        (
            "encode --model=M --extra_options=bos:eod",
            "unknown extra option 'eod'. Did you mean 'eos'",
        ),
        ("encode --model=M --output_format=nbest_id", "small.model is a bpe model; only unigram"),
        ("encode --model=M --output_format=sample_id --nbest_size=1", "--nbest_size of 2 or more"),
        ("encode --model=M --input=absent", "absent: No such file or directory"),
        ("encode --model=M text", "unexpected word 'text'"),
        (
            "decode --model=M --input_format=id --input=IDS",
            "line 1: id 1500 is not within 0 to 1499",
        ),
        ("decode --model=M --input=LATIN", "line 2 is not UTF-8"),
        ("inspect --model=IDS", "not a SentencePiece model"),
        ("verify .", "1 problem found"),
    ],
)
def test_errors_are_one_line(
    *,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    """On stderr, with exit code 1 and what to change."""
    monkeypatch.chdir(tmp_path)
    Path("IDS").write_text("5 1500\n", encoding="utf-8")
    Path("LATIN").write_bytes(b"ok\n\xe9\n")
    Path("text").write_text("text\n", encoding="utf-8")
    filled = arguments.replace("=M", f"={model}").split()
    if filled[:1] == ["encode"] and not any("input" in flag for flag in filled):
        filled.append("--input=text")
    assert main(filled) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_closed_pipe_is_no_traceback(model: str) -> None:
    """`encode | head` ends quietly."""
    command = [sys.executable, "-m", "tokenizer", "encode", "--model", model]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(b"def f\n" * 100)
        process.stdin.close()
        assert process.stderr.read() == b""
