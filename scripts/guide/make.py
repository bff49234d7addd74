#!/usr/bin/env python3
"""Makes the guide from its texts, the programs and what they print: see scripts/guide.sh.

    python3 -m pip install -r scripts/guide/requirements.txt
    python3 scripts/guide/make.py                 # assets/guide/index.html (Korean) and en.html
    python3 scripts/guide/make.py MODULE.wasm     # assets/guide/candle.js
"""

import base64
import difflib
import gzip
import html
import json
import re
import sys
import tomllib
from pathlib import Path

import jinja2
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markupsafe import Markup
from pygments.lexers import PythonLexer, RustLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "assets/guide"

# Names that the page marks on demand.
NAMES = (
    "x y a b c d y_rand learning_rate epoch y_pred loss grad_y_pred grad_a grad_b grad_c grad_d "
    "torch plt device linspace randn sum sin grads compare"
).split()
RUNGS = ("post", "autograd", "optimizer", "custom_op", "normal")
AGAINST = {"autograd": "post", "optimizer": "autograd", "custom_op": "optimizer", "normal": "post"}
KINDS = (
    (Comment, "c"),
    (String, "s"),
    (Number, "n"),
    (Keyword, "k"),
    (Operator.Word, "k"),
)
SOURCES = ("src/pytorch/linspace.rs", "src/pytorch/mod.rs", "src/pytorch/random.rs", "src/pytorch/sum.rs")
SOURCES += tuple(sorted(str(f.relative_to(ROOT)) for f in (ROOT / "src/sine").glob("*.rs")))
SOURCES += ("scripts/guide/Cargo.toml", "scripts/guide/train.rs", "scripts/guide/wasm.rs")


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def fnv(data, state=0xCBF29CE484222325):
    """FNV-1a, 64 bits, as in tests/guide.rs."""
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return state


def fingerprint():
    """Of all that the module is built from: our sources, and candle's versions in the lock file."""
    state = fnv(b"")
    for path in SOURCES:
        state = fnv(read(path).encode(), state)
    packages = tomllib.loads(read("Cargo.lock"))["package"]
    for package in packages:
        if package["name"].startswith("candle-") and "source" in package:
            state = fnv(f"{package['name']} {package['version']}".encode(), state)
    return f"{state:016x}"


def span(kind, text):
    text = html.escape(text, quote=False)
    if kind in Name and text in NAMES:
        return f"<i>{text}</i>"
    for token, name in KINDS:
        if kind in token:
            return f'<span class="{name}">{text}</span>'
    return text


def paint(text, lexer):
    """The lines of a program, highlighted."""
    lines = [""]
    for kind, value in lexer.get_tokens(text):
        for i, part in enumerate(value.split("\n")):
            if i:
                lines.append("")
            if part:
                lines[-1] += span(kind, part)
    return [Markup(line) for line in lines]


class Source:
    """A program, whose lines are taken one after the other."""

    def __init__(self, path, lexer):
        self.path = path
        self.plain = read(path).splitlines()
        self.painted = paint(read(path), lexer)
        self.taken = set()

    def take(self, beginnings, numbers=None):
        """For each beginning the next line that begins so; in PyTorch with the number that the page shows."""
        taken, at = [], -1
        for k, beginning in enumerate(beginnings):
            later = range(at + 1, len(self.plain))
            found = (i for i in later if i not in self.taken and self.is_code(i))
            at = next((i for i in found if self.plain[i].strip().startswith(beginning)), None)
            if at is None:
                raise SystemExit(f"{self.path}: no line begins with {beginning!r}")
            self.taken.add(at)
            taken.append(
                {
                    "number": numbers[k] if numbers else at + 1,
                    "depth": len(self.plain[at]) - len(self.plain[at].lstrip()) - self.inside(at),
                    "code": Markup(self.painted[at].lstrip()),
                    "place": f"{self.path}:{at + 1}",
                }
            )
        return taken

    def inside(self, i):
        """What the lines of Rust's `main` are indented by: here they stand alone."""
        main = "fn main() -> Result<()> {"
        return 4 if main in self.plain and self.plain.index(main) < i < self.plain.index("}") else 0

    def is_code(self, i):
        line = self.plain[i].strip()
        if self.path.endswith(".py"):
            docstring_end = [k for k, text in enumerate(self.plain) if text == '"""'][0]
            return i > docstring_end and line and not line.startswith("#")
        return bool(line) and not line.startswith("//")

    def left(self):
        return [i + 1 for i in range(len(self.plain)) if i not in self.taken and self.is_code(i)]


def pairs():
    """The sections' pairs of lines; in PyTorch a line's number is the post's."""
    python, rust = Source("scripts/post.py", PythonLexer()), Source("src/tutorial/post.rs", RustLexer())
    sections = tomllib.loads((HERE / "pairs.toml").read_text(encoding="utf-8"))
    for section in sections.values():
        section.setdefault("block")
        for pair in section["pairs"]:
            pair.setdefault("why")
            beginnings = pair.get("python", [])
            pair["python"] = python.take(beginnings, pair.get("post", [None] * len(beginnings)))
            pair["rust"] = rust.take(pair.get("rust", []))
    for source in (python, rust):
        if source.left():
            raise SystemExit(f"{source.path}: lines {source.left()} are in no pair")
    return sections


def diff(old, new):
    """Lines of `new`, and those of `old` that are gone: (mark, old number, new number, index)."""
    rows = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            rows += [(" ", i1 + k, j1 + k) for k in range(i2 - i1)]
        else:
            rows += [("-", i, None) for i in range(i1, i2)]
            rows += [("+", None, j) for j in range(j1, j2)]
    return rows


def painted_diff(old, new, context=None, grey=True):
    """The rows of a diff, highlighted; with `context`, only so many unchanged lines around a change."""
    before, after = paint(old, RustLexer()), paint(new, RustLexer())
    rows = diff(old.splitlines(), new.splitlines())
    changed = [k for k, row in enumerate(rows) if row[0] != " "]
    near = lambda k: context is None or any(abs(k - c) <= context for c in changed)
    shown, gap = [], False
    for k, (mark, i, j) in enumerate(rows):
        if not near(k):
            gap = True
            continue
        if gap and shown:
            shown.append({"mark": "…", "number": "", "html": ""})
        gap = False
        # What did not change is grey.
        code = old.splitlines()[i] if mark == " " and grey else before[i] if j is None else after[j]
        shown.append({"mark": mark, "number": (i if j is None else j) + 1, "html": code})
    return shown


def ladder():
    steps = []
    for rung in RUNGS:
        path = f"src/tutorial/{rung}.rs"
        old = read(f"src/tutorial/{AGAINST[rung]}.rs") if rung in AGAINST else read(path)
        rows = painted_diff(old, read(path), grey=rung in AGAINST)
        steps.append(
            {
                "id": rung,
                "path": path,
                "against": f"{AGAINST[rung]}.rs" if rung in AGAINST else None,
                "rows": rows,
                "added": sum(row["mark"] == "+" for row in rows),
                "removed": sum(row["mark"] == "-" for row in rows),
            }
        )
    return steps


def edits():
    post = read("src/tutorial/post.rs")
    found = []
    for edit in json.loads((HERE / "edits.json").read_text(encoding="utf-8")):
        text = post
        for old, new in edit["changes"]:
            text = text.replace(old, new)
        found.append({"id": edit["id"], "rows": painted_diff(post, text, context=0)})
    return found


def picture(svg):
    """An SVG of src/plot without its XML head, at the size that the page gives it."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<svg width="\d+" height="\d+"', "<svg", svg, count=1)
    svg = re.sub(r"\s*\n\s*", "", svg)
    svg = re.sub(r' (opacity="1"|font-family="[^"]*")', "", svg).replace(' "', '"')
    svg = svg.replace('fill="#FFFFFF"', 'fill="var(--paper)"')
    return Markup(svg.strip())


class Prose:
    """A text file: [key], then Markdown with $formulas$ and {facts}."""

    def __init__(self, path, facts):
        self.facts = facts
        self.texts = {}
        parts = re.split(r"^\[([a-z0-9._-]+)\]\n", path.read_text(encoding="utf-8"), flags=re.M)
        for key, text in zip(parts[1::2], parts[2::2]):
            if key in self.texts:
                raise SystemExit(f"{path}: [{key}] twice")
            self.texts[key] = text.strip()
        self.used = set()
        self.markdown = MarkdownIt("commonmark", {"html": False})

    def plain(self, key):
        self.used.add(key)
        return self.texts[key]

    def inline(self, key, **more):
        return self.fill(self.markdown.renderInline(self.plain(key)), more)

    def block(self, key):
        return self.fill(self.markdown.render(self.plain(key)), {})

    def fill(self, text, more):
        # A number such as 1e-6 is not broken at its minus.
        text = re.sub(r"(?<![\w.])\d[\d.]*e-\d+", r'<span class="whole">\g<0></span>', text)
        text = re.sub(r"\$([^$]+)\$", lambda m: math(html.unescape(m[1])), text)
        fact = lambda name: f"<data>{more[name]}</data>" if name in more else self.fact(name)
        return Markup(re.sub(r"\{([a-z0-9_.]+)\}", lambda m: fact(m[1]), text))

    def fact(self, name):
        return Markup(f'<data data-fact="{name}">{html.escape(self.facts[name])}</data>')


def math(latex, display="inline"):
    """MathML that reads well without a font for mathematics: ŷ is one letter, Σ is as large as CSS says."""
    markup = convert(latex.replace("\\hat{y}", "ŷ"), display=display)
    markup = markup.replace("<mi>ŷ</mi>", '<mi class="hat">ŷ</mi>')
    return Markup(markup.replace("<mo>&#x02211;</mo>", '<mo class="sum">&#x02211;</mo>'))


def table(facts, post_py):
    """The ten losses of both programs."""
    lines = lambda text: re.findall(r"^epoch : (\d+), loss : (.+)$", text, flags=re.M)
    return [(e, p, r) for (e, p), (_, r) in zip(lines(post_py), lines(facts["out.post"]), strict=True)]


def candle_js(module):
    packed = base64.b64encode(gzip.compress(Path(module).read_bytes(), 9, mtime=0)).decode()
    head = f"// candle, as the gzip of a WebAssembly module that scripts/guide.sh has built from {fingerprint()}."
    write("candle.js", f'{head}\nwindow.GUIDE_CANDLE = "{packed}";\n')


def pages():
    facts = json.loads((HERE / "facts.json").read_text(encoding="utf-8"))
    post_py = (HERE / "post.txt").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals = {
        "pairs": pairs(),
        "ladder": ladder(),
        "edits": edits(),
        "names": NAMES,
        "facts": facts,
        "table": table(facts, post_py),
        "picture": picture,
        "math": math,
        "style": Markup((HERE / "style.css").read_text(encoding="utf-8")),
        "script": Markup((HERE / "play.js").read_text(encoding="utf-8")),
        "sources": SOURCES,
    }
    for name, file in (("ko", "index.html"), ("en", "en.html")):
        prose = Prose(HERE / f"{name}.md", facts)
        words = {key[5:]: prose.plain(key) for key in prose.texts if key.startswith("play.")}
        page = environment.get_template("page.html").render(
            lang=name,
            t=prose.inline,
            p=prose.block,
            word=prose.plain,
            fact=prose.fact,
            words=Markup(json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")),
        )
        unused = prose.texts.keys() - prose.used
        if unused:
            raise SystemExit(f"{name}.md: unused: {sorted(unused)}")
        write(file, page)


def write(file, text):
    (OUT / file).write_text(text, encoding="utf-8")
    print(f"assets/guide/{file}: {len(text.encode())} bytes")


if len(sys.argv) > 1:
    candle_js(sys.argv[1])
else:
    pages()
