"""The expressions, the context and the conversations of make_templates.py."""

CONTEXT = {
    "text": "Hello World",
    "padded": "  a b  ",
    "lines": "one\n  two\n\nthree  \n",
    "accents": "Ünïcödé ß ǆ ﬁ Σίσυφος",
    "emoji": "a😀b👩‍👩‍👧c",
    "empty": "",
    "digits": "12345",
    "csv": "a,b,,c",
    "html": "<b class=\"x\">A & 'B'</b>",
    "words": "the quick brown fox jumps over the lazy dog",
    "yes": True,
    "no": False,
    "nothing": None,
    "one": 1,
    "seven": 7,
    "minus": -3,
    "half": 0.5,
    "pi": 3.14159,
    "small": 1e-7,
    "list": [3, 1, 2],
    "strings": ["b", "A", "c", "a"],
    "mixed": [1, "a", None, True, 2.5],
    "nested": [[1, 2], [3, [4]]],
    "emptylist": [],
    "dict": {"a": 1, "b": "two", "c": None},
    "emptydict": {},
    "deep": {"x": {"y": {"z": [10, 20, {"w": "deep"}]}}},
    "keys": {"items": 1, "get": 2, "update": 3, "pop": 4, "name": 5},
    "people": [
        {"name": "Ann", "age": 30, "city": "Rome", "tags": ["x", "y"]},
        {"name": "bob", "age": 25, "city": "Oslo"},
        {"name": "Cid", "age": 30, "city": "Rome", "tags": []},
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi there"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "What is 2+2?"},
    ],
    "tools": None,
    "documents": None,
    "tool": {
        "type": "function",
        "function": {
            "name": "f",
            "description": "Über <x> & 'y' \"z\" \\ /",
            "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": [1, 2.5, True, None]}}},
        },
    },
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
}

# One expression a line; each becomes "{{ … }}".
EXPRESSIONS = r"""
1 + 2
1 + 2.0
7 / 2
4 / 2
7 // 2
-7 // 2
7 // -2
-7.5 // 2
7 % 3
-7 % 3
7 % -3
7.5 % 2
-7.5 % 2
7.5 % -2
2 ** 10
2 ** -1
2 ** 0.5
2 ** 100
2 ** 3 ** 2
-2 ** 2
(-2) ** 2
10 ** 20
1e3
1e16
1e15
123456789012345678
1.0
1.10
0.1 + 0.2
1e-4
1e-5
0.00001234
1.5e300 * 1e300
1_000
0x1f
0b101
0o17
1_0.5_0
.5
1.
1 / 0
1 // 0
1 % 0
1.0 / 0
0 ** -1
(-1) ** 0.5
True + 1
True * 3
-True
+True
True / 2
False // 1
half + one
12345678901234567890 + 1
12345678901234567890 * 12345678901234567890
12345678901234567890 / 10
12345678901234567890 // 7
12345678901234567890 % 7
1e300 * 10
small
1e300
pi
minus // 2
minus % 2
-minus
+minus
- - 1
not 1
not 0
not not text
not nothing
none
None
true
True
false
nothing
yes
no
none is none
1 == 1
1 == 1.0
1 == True
0 == False
"1" == 1
1 == "1"
none == false
"" == none
[] == []
[1, 2] == [1, 2.0]
[1] == (1,)
(1, 2) == (1, 2)
{} == {}
{"a": 1} == {"a": 1.0}
{"a": 1, "b": 2} == {"b": 2, "a": 1}
dict == {"a": 1, "b": "two", "c": none}
1 != 2
"a" != "a"
1 < 2
2 <= 2
3 > 4
"a" < "b"
"Z" < "a"
"a" < "ab"
"😀" > "\uffff"
[1, 2] < [1, 3]
[1, "a"] < [1, "b"]
(1, 2) < (2,)
1 < "a"
none < 1
[] < 1
1 < 2 < 3
1 < 3 < 2
1 < 2 == true
3 > 2 > 1
1 == 1 == 1
1 in [1, 2]
"1" in [1, 2]
1.0 in [1, 2]
True in [1]
"a" in "abc"
"" in "abc"
1 in "abc"
none in [none]
"a" in dict
"z" in dict
1 in dict
"a" not in dict
2 not in [1, 2]
[1, 2] in nested
"x" in none
"x" in undefinedthing
"x" in 5
1 in range(3)
5 in range(3)
"b" in strings
"role" in messages[0]
1 and 2
0 and 2
1 or 2
0 or "x"
"" or none
none or [] or "last"
text and nothing
1 if yes else 2
1 if no else 2
1 if no
"a" if no else "b" if no else "c"
(1 if no) is defined
1 if undefinedthing else 2
"a" ~ "b"
"a" ~ 1 ~ none ~ true
1 ~ 2
1 ~ 2 + 3
"x" ~ [1, "a"]
"x" ~ undefinedthing
"a" + "b"
"a" + 1
1 + "a"
"a" "b" 'c'
"a" * 3
3 * "ab"
"a" * 0
"a" * -1
"a" * true
"a" * 1.5
[1, 2] * 2
[0] * 3
(1,) * 2
[1] + [2]
[1] + (2,)
(1,) + (2, 3)
{} + {}
none + 1
list + strings
"a" - "b"
[1] - [1]
-"a"
1 + none
text
list
strings
mixed
nested
dict
emptydict
emptylist
deep
people
tool
messages
(1, 2, 3)
(1,)
()
1, 2
[1, [2, (3,)], {"a": none}]
{"a": 1, 2: "b", none: 3, true: 4}
{1: "a", 1.0: "b", true: "c"}
{(1, 2): "t"}
{[1]: 2}
["it's", 'say "hi"', "both ' and \""]
["tab\t", "nl\n", "\\", "é", "😀", "\u200b", "\x00", "\x7f", "\xa0"]
["\ud83d\ude00"]
[1.0, 1e16, 1e-5, 0.1, 100.0, 1e22]
[12345678901234567890, -1, 0]
[true, false, none]
[undefinedthing]
"\x41\u0042\U00000043\103"
"a\qb"
"line\
joined"
'single \'quoted\''
"tab\tend"
undefinedthing
undefinedthing.x
undefinedthing[0]
undefinedthing()
undefinedthing + 1
undefinedthing ~ "x"
undefinedthing == undefinedthing2
undefinedthing == none
undefinedthing != none
undefinedthing < 1
undefinedthing|length
undefinedthing|list
undefinedthing|default("d")
undefinedthing is defined
undefinedthing is undefined
undefinedthing|upper
undefinedthing|int
undefinedthing|string
undefinedthing|join(",")
undefinedthing|first
undefinedthing|last
undefinedthing|tojson
undefinedthing|items|list
undefinedthing|sort
undefinedthing|map("upper")|list
undefinedthing|trim
undefinedthing|replace("a", "b")
undefinedthing[1:]
not undefinedthing
-undefinedthing
dict.a
dict["a"]
dict.missing
dict.missing is defined
dict.missing.x
dict["missing"]
dict["missing"]["x"]
deep.x.y.z[2].w
deep["x"]["y"]["z"][0]
deep.x.y.z.2.w
deep.x.y.z.1
deep.x.nope.z
keys.items
keys["items"]
keys.get
keys.name
keys.update
keys["update"]
keys.pop
keys["get"]
keys["keys"]
dict["keys"]()|list
list[0]
list[-1]
list[3]
list[3] is defined
list[-4]
list["0"]
list[0.0]
list[true]
list.0
list[none]
text[0]
text[-1]
text[100]
text[100] is defined
text.foo
text.foo is defined
emoji[1]
emoji[2]
emoji[-1]
text[1:3]
text[:3]
text[-3:]
text[::-1]
text[::2]
text[10:2:-3]
text[5:2]
text[::0]
emoji[1:3]
emoji[::-1]
list[1:]
list[:-1]
list[::-1]
list[-100:100]
list[none:2]
(1, 2, 3)[1:]
(1, 2, 3)[0]
range(10)[2:8:3]
range(5)[-1]
range(5)[7]
dict[1:]
none[1:]
5[0]
none.x
none["x"]
1.real
(1).real
one.real
one.imag
one.numerator
one.denominator
one.bit_length()
half.is_integer()
half.real
yes.real
text.__class__
text.__class__.__name__
text.__len__
list.__init__
dict.__class__
text._private
list.append
list.append(4)
list.pop()
list.sort()
dict.update({"x": 1})
dict.pop("a")
dict.setdefault("z", 1)
dict.clear()
list.index(1)
list.index(9)
list.count(1)
list.copy()
mixed.index("a")
(1, 2, 2).count(2)
(1, 2).index(2)
dict.keys()
dict.values()
dict.items()
dict.keys()|list
dict.values()|list
dict.items()|list
dict.items()|length
dict.get("a")
dict.get("z")
dict.get("z", 9)
dict.get("c", 9)
dict.get()
dict.get("a", default=1)
dict.copy()
dict.keys()[0]
range(3)
range(1, 10, 3)
range(5, 0, -2)|list
range(0)|list
range(3)|length
range(3)|last
range(1, 2, 0)
range(100000)|length
range(100001)|length
range("a")
range(1.0)
range(3).start
dict(a=1, b=2)
dict([("a", 1)])
dict({"a": 1}, b=2)
dict(a=1).a
namespace(a=1)
namespace(a=1).a
namespace(a=1).b
namespace({"a": 1}).a
namespace()
cycler("a", "b").next()
cycler("a", "b").current
cycler()
joiner()()
joiner
range
raise_exception("no")
raise_exception()
lipsum
text.upper()
text.lower()
text.swapcase()
text.title()
text.capitalize()
"hello wORLD's 3rd".title()
"ǆ".title()
"ﬁne".capitalize()
"ß".upper()
accents.upper()
accents.lower()
accents.title()
accents.swapcase()
accents.capitalize()
"ΑΣ".lower()
"ΑΣ ΒΣ".title()
"İ".lower()
padded.strip()
padded.lstrip()
padded.rstrip()
padded.strip(" a")
"xxabxx".strip("x")
"xxabxx".lstrip("x")
"xxabxx".rstrip("x")
"xyabyx".strip("xy")
"\n  a\n".lstrip("\n")
"\n  a\n".strip("\n")
"\x1c\x1fa\x85\xa0".strip()
"\ufeffa".strip()
"\u200ba".strip()
"abc".strip("")
"abc".strip(none)
"abc".strip(1)
"a b c".split()
"  a  b ".split()
"a,b,,c".split(",")
"a,b,c".split(",", 1)
"a,b,c".rsplit(",", 1)
"a b c d".split(none, 2)
"  a b  c ".split(none, 1)
"  a b  c ".rsplit(none, 1)
"a b c".split(maxsplit=1)
"a,b".split(sep=",")
"".split()
"".split(",")
"abc".split("")
"a<think>b</think>c".split("</think>")[-1]
"aXbXc".rsplit("X")
lines.splitlines()
lines.splitlines(true)
lines.splitlines(keepends=True)
"a\r\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h".splitlines()
"".splitlines()
"\n".splitlines()
"a-b-c".partition("-")
"a-b-c".rpartition("-")
"abc".partition("-")
"abc".rpartition("-")
"abc".partition("")
"aaa".replace("a", "b")
"aaa".replace("a", "b", 2)
"aaa".replace("a", "b", 0)
"aaa".replace("a", "b", -1)
"aaa".replace("", "-")
"aaa".replace("", "-", 2)
"😀😀".replace("", "-")
"a.b".replace(".", "\\")
"a$b".replace("$", "$&")
"abcabc".find("c")
"abcabc".find("c", 3)
"abcabc".find("z")
"abcabc".rfind("c")
"abcabc".find("b", -2)
"abcabc".find("", 10)
"abcabc".index("b")
"abcabc".index("z")
"abcabc".rindex("a")
"abcabc".count("c")
"aaaa".count("aa")
"abc".count("")
"abcabc".count("a", 1)
emoji.find("b")
emoji.index("c")
emoji|length
emoji.count("")
"abc".startswith("a")
"abc".startswith(("x", "a"))
"abc".startswith("b", 1)
"abc".startswith("")
"abc".startswith(["a"])
"abc".endswith("c")
"abc".endswith(("x", "bc"))
"abc".endswith("b", 0, 2)
"abc".endswith(1)
"abc".removeprefix("a")
"abc".removesuffix("bc")
"abc".removesuffix("")
"abc".isalpha()
"abc1".isalpha()
"é".isalpha()
"".isalpha()
"123".isdigit()
"²".isdigit()
"½".isdigit()
"١٢".isdigit()
"½".isnumeric()
"一".isnumeric()
"²".isdecimal()
"12".isdecimal()
"a1".isalnum()
"a 1".isalnum()
"½a".isalnum()
" \t\n".isspace()
"".isspace()
"\xa0".isspace()
"abc".islower()
"aBc".islower()
"a1".islower()
"1".islower()
"ABC".isupper()
"ª".islower()
"Title Case".istitle()
"Not title".istitle()
"abc".isidentifier()
"1a".isidentifier()
"abc".isprintable()
"a\n".isprintable()
"abc".isascii()
"é".isascii()
"7".zfill(3)
"-7".zfill(4)
"abc".zfill(2)
"a".ljust(3) ~ "|"
"a".ljust(3, "*")
"a".rjust(3, ".")
"a".center(4) ~ "|"
"ab".center(5, "*")
"abc".center(6, "*")
"a".center(4, "xy")
"é😀".ljust(4, "-")
"a\tb".expandtabs()
"a\tb\n\tc".expandtabs(4)
",".join(["a", "b"])
",".join("abc")
",".join([1, 2])
", ".join(dict)
"".join([])
"{} {}".format("a", 1)
"{0} {1} {0}".format("a", "b")
"{name}".format(name="n")
"{a.x} {b[0]} {b[k]}".format(a={"x": 1}, b=[1])
"{d[key]}".format(d={"key": 5})
"{:>5}|{:<5}|{:^5}".format("a", "b", "c")
"{:05d} {:+d} {: d}".format(42, 42, 42)
"{:x} {:X} {:#x} {:b} {:o} {:#b}".format(255, 255, 255, 5, 8, 5)
"{:.2f} {:10.3f} {:e} {:g} {:%}".format(3.14159, 2.5, 12345.678, 0.0001, 0.25)
"{:,} {:_} {:,.2f}".format(1234567, 1234567, 1234567.891)
"{!r} {!s}".format("a", "b")
"{{}} {}".format(1)
"{:{w}}|".format("a", w=5)
"{:*^7}".format("mid")
"{:.2}".format("abcdef")
"{:5}|".format(true)
"{:d}".format(true)
"{:d}".format(1.5)
"{}".format(none)
"{:5}".format(none)
"{} {1}".format(1, 2)
"{".format()
"{0}".format()
"{}".format([1, "a"])
"{x}".format_map({"x": 3})
"%s" % "a"
"%s and %s" % ("a", "b")
"%d" % 3
"%d" % 3.7
"%5d|%-5d|%05d" % (1, 2, 3)
"%+d % d" % (1, 2)
"%x %X %o %#x" % (255, 255, 8, 255)
"%f %.2f %e %g" % (1.5, 2.345, 12345.678, 0.00001)
"%g %g %g" % (100000.0, 1000000.0, 1e-5)
"%s" % none
"%s" % [1, 2]
"%s" % dict
"%r" % "a"
"%c%c" % (65, "b")
"%%" % ()
"100%" % ()
"%(a)s %(b)s" % dict
"%(z)s" % dict
"%s" % (1, 2)
"%s %s" % 1
"%d" % "a"
"%.3s" % "abcdef"
"%*d" % (5, 42)
"%5.1f|" % 3.14159
"%q" % 1
"%s" % undefinedthing
"a" % 1
"a" % [1]
"{:.0f} {:.0f} {:.0f}".format(0.5, 1.5, 2.5)
"%.0f %.1f" % (2.5, 0.25)
"%i" % 12345678901234567890
text|upper
text|lower
text|capitalize
text|title
"hello-world (foo) [bar]"|title
"it's 3rd"|title
padded|trim
padded|trim("a ")
"xax"|trim("x")
1|upper
none|upper
[1]|upper
text|length
list|length
dict|length
5|length
none|length
text|count
text|reverse
list|reverse|list
dict|reverse|list
5|reverse
text|first
text|last
list|first
list|last
emptylist|first
emptylist|last
emptylist|first is defined
dict|first
dict|last
dict.items()|first
5|first
text|list
emoji|list
dict|list
5|list
list|sort
list|sort(reverse=true)
strings|sort
strings|sort(case_sensitive=true)
strings|sort(true)
mixed|sort
people|sort(attribute="age")|map(attribute="name")|list
people|sort(attribute="age,name")|map(attribute="name")|list
people|sort(attribute="name", reverse=true)|map(attribute="name")|list
people|sort(attribute="nope")
"hello"|sort
dict|sort
[[2, 1], [1, 2]]|sort
[true, 0, 2]|sort
strings|unique|list
[1, 1.0, true, 2]|unique|list
strings|unique(case_sensitive=true)|list
people|unique(attribute="city")|map(attribute="name")|list
[[1], [1]]|unique|list
list|min
list|max
strings|min
strings|max
strings|min(case_sensitive=true)
people|max(attribute="age")
emptylist|min
emptylist|max is defined
[1, "a"]|max
list|sum
people|sum(attribute="age")
list|sum(start=10)
[[1], [2]]|sum(start=[])
strings|sum
emptylist|sum
[0.1, 0.2, 0.3]|sum
list|join
list|join(", ")
strings|join("-")
mixed|join("|")
people|join(", ", attribute="name")
text|join("-")
dict|join(",")
5|join
none|join(",")
text|replace("l", "L")
text|replace("l", "L", 1)
5|replace("5", "6")
text|replace("", "-")
text|replace(old="l", new="L")
text|default("x")
none|default("x")
none|default("x", true)
""|default("x", boolean=true)
undefinedthing|d("x")
undefinedthing|default
undefinedthing|default(none)
0|d("z", true)
"42"|int
"42.9"|int
"abc"|int
"abc"|int(7)
"abc"|int(default=none)
" 42 "|int
"4_2"|int
"0x1A"|int(base=16)
"1A"|int(0, 16)
"101"|int(base=2)
"0b11"|int(0, 0)
none|int
[]|int
3.99|int
-3.99|int
true|int
"1e3"|int
"inf"|int
"nan"|int
12345678901234567890|int
"42"|float
"1e3"|float
" 1.5 "|float
"abc"|float
"abc"|float(2.5)
none|float
5|float
"inf"|float
"-inf"|float
"nan"|float
"1_0.5"|float
true|float
3.14159|round
3.14159|round(2)
2.5|round
3.5|round
-2.5|round
2.675|round(2)
1234.5|round(-2)
7|round
15|round(-1)
25|round(-1)
3.2|round(method="ceil")
3.8|round(0, "floor")
3.14159|round(3, "floor")
7|round(method="ceil")
3.2|round(method="bad")
"a"|round
true|round
-5|abs
-5.5|abs
"a"|abs
true|abs
1|string
none|string
[1, "a"]|string
1.0|string
true|string
"a"|string
1|filesizeformat
1000|filesizeformat
1500|filesizeformat
123456789|filesizeformat
1024|filesizeformat(true)
"2000"|filesizeformat
500.7|filesizeformat
words|wordcount
emoji|wordcount
"it's a-b c_d"|wordcount
words|truncate(20)
words|truncate(20, true)
words|truncate(20, false, "…")
words|truncate(42)
words|truncate(20, leeway=0)
words|truncate(2)
"short"|truncate(5)
words|wordwrap(15)
words|wordwrap(10, wrapstring="|")
"averyverylongword short"|wordwrap(6)
"averyverylongword short"|wordwrap(6, false)
lines|wordwrap(5)
"a  b   c"|wordwrap(4)
""|wordwrap
"a-b-c d"|wordwrap(3, break_on_hyphens=false)
lines|indent
lines|indent(2)
lines|indent(2, true)
lines|indent(2, first=true, blank=true)
lines|indent("> ")
lines|indent(width=3, blank=true)
"a"|indent
""|indent(first=true)
1|indent
text|center(21) ~ "|"
text|center
"a"|center(width=4) ~ "|"
"%s is %d"|format("a", 1)
"%(x)s"|format(x=1)
"%s"|format(1, 2)
"a %% b"|format
html|escape
html|e
html|safe
html|forceescape
html|escape|escape
html|e|forceescape
1|escape
none|e
html|striptags
"<p>a   b</p><!-- c --> d"|striptags
"a < b"|striptags
html|escape ~ "<"
(html|safe) + "<"
"<" + ("&"|safe)
html|escape|length
html|safe|upper
html|safe|replace("b", "i")
[html|e]
html|e == "&lt;"
"<"|e == "&lt;"
"<"|e in ["&lt;"]
"a b/c?d=é&f"|urlencode
{"a b": "c/d", "e": 1}|urlencode
[("a", "b"), ("c", "d e")]|urlencode
5|urlencode
none|urlencode
"~-._"|urlencode
{"class": "x", "id": none, "title": "a\"b"}|xmlattr
{"a": 1}|xmlattr(false)
{}|xmlattr
{"a b": 1}|xmlattr
dict|pprint
[1, "a"]|pprint
{"b": 1, "a": 2}|pprint
text|pprint
dict|dictsort
{"b": 1, "A": 2, "c": 0}|dictsort
{"b": 1, "A": 2, "c": 0}|dictsort(true)
{"b": 1, "A": 2, "c": 0}|dictsort(false, "value")
{"b": 1, "A": 2, "c": 0}|dictsort(reverse=true)
{"b": 1}|dictsort(by="nope")
list|dictsort
dict|items|list
list|items|list
dict|items|map("first")|list
none|items|list
list|map("string")|list
strings|map("upper")|join
people|map(attribute="name")|join(", ")
people|map(attribute="tags", default="none")|list
people|map(attribute="tags.0")|list
people|map(attribute="tags.0", default="-")|list
list|map("default", 1)|list
strings|map("replace", "a", "x")|list
list|map("nope")|list
list|map()|list
emptylist|map("nope")|list
list|map(attribute="x")|list
messages|map(attribute="role")|unique|list
"abc"|map("upper")|list
list|map("round", method="floor")|list
list|map("upper")
list|map("string")|join|length
list|map("string")|length
list|select("odd")|list
list|select|list
mixed|select|list
mixed|select("string")|list
mixed|select("none")|list
mixed|reject("none")|list
mixed|reject|list
list|select(">", 1)|list
list|select("gt", 1)|list
list|select("divisibleby", 2)|list
list|select("in", [1, 2])|list
list|select("nope")|list
people|selectattr("tags")|map(attribute="name")|list
people|selectattr("age", "==", 30)|map(attribute="name")|list
people|selectattr("age", "eq", 30)|map(attribute="name")|list
people|selectattr("tags", "defined")|map(attribute="name")|list
people|rejectattr("tags")|map(attribute="name")|list
people|rejectattr("city", "equalto", "Rome")|map(attribute="name")|list
messages|selectattr("role", "equalto", "user")|list|length
messages|selectattr("role", "in", ["user", "system"])|map(attribute="content")|list
messages|rejectattr("role", "equalto", "system")|first
(messages|selectattr("role", "equalto", "user")|list)[-1].content
people|selectattr()|list
people|groupby("city")|list
people|groupby("age")|map(attribute="list")|map("length")|list
people|groupby("city")|map("first")|list
people|groupby("tags", default=[])|length
people|groupby("name")|map(attribute="grouper")|list
people|groupby("name", case_sensitive=true)|map(attribute="grouper")|list
(people|groupby("city"))[0].grouper
(people|groupby("city"))[0].list|length
range(7)|batch(3)|list
range(7)|batch(3, "x")|list
range(7)|slice(3)|list
range(7)|slice(3, "x")|list
range(2)|slice(3)|list
list|slice(0)|list
list|batch(0)|list
dict|attr("a")
dict|attr("items")
text|attr("upper")
text|attr("nope") is defined
tool|tojson
tool|tojson(indent=2)
tool|tojson(indent=4)
tool|tojson(2)
tool|tojson(ensure_ascii=true)
tool|tojson(true)
tool|tojson(separators=(",", ":"))
tool|tojson(separators=[",", ":"])
tool|tojson(indent=2, separators=(",", ": "))
tool|tojson(sort_keys=true)
tool|tojson(indent="--")
tool|tojson(indent=0)
tool|tojson(nope=1)
dict|tojson
list|tojson
text|tojson
html|tojson
emoji|tojson
emoji|tojson(ensure_ascii=True)
lines|tojson
none|tojson
true|tojson
1.0|tojson
1e16|tojson
0.1|tojson
12345678901234567890|tojson
(1, 2)|tojson
{1: 2, none: 3, true: 4, 1.5: 5}|tojson
{(1, 2): 3}|tojson
range(3)|tojson
dict.items()|tojson
dict.keys()|list|tojson
"\x00\x1f\x7f\u2028"|tojson
"é\ud800"|tojson(true)
[]|tojson(indent=2)
{}|tojson(indent=2)
[[], {}]|tojson(indent=1)
"inf"|float|tojson
"nan"|float|tojson
html|e|tojson
nothing|tojson|length
list|random
text|urlize
text|nope
text is nope
text|upper|lower|title
1 is odd
2 is odd
2 is even
2.0 is even
"a" is odd
9 is divisibleby 3
9 is divisibleby(3)
9 is divisibleby 0
none is none
none is not none
0 is none
1 is number
1.5 is number
true is number
"1" is number
1 is integer
true is integer
1.0 is integer
1.0 is float
1 is float
true is boolean
1 is boolean
true is true
1 is true
false is false
0 is false
"a" is string
1 is string
("a"|safe) is string
[] is sequence
"a" is sequence
{} is sequence
(1,) is sequence
range(2) is sequence
1 is sequence
none is sequence
dict.keys() is sequence
{} is mapping
[] is mapping
dict is mapping
dict is iterable
1 is iterable
"a" is iterable
none is iterable
undefinedthing is iterable
range is callable
text is callable
text.upper is callable
"abc" is lower
"ABC" is upper
"Abc" is lower
1 is lower
1 is sameas 1
true is sameas true
true is sameas 1
none is sameas none
1 is eq 1
1 is equalto 1.0
1 is == 1
1 is ne 2
1 is lt 2
1 is lessthan 2
2 is le 2
3 is gt 2
3 is greaterthan 2
3 is ge 4
1 is in [1, 2]
"a" is in "abc"
1 is not in [1]
3 is in range(3)
"upper" is filter
"nope" is filter
"odd" is test
"<"|e is escaped
"a" is escaped
1 is defined and 2 is defined
undefinedthing is defined or true
messages is defined and messages is not none and messages|length > 0
tools is defined and tools is not none
tools is defined and tools
documents is none
text is string and text|length > 3
messages[0].role == "system"
messages[0]["content"] | trim
messages[-1].role
messages[1:]|length
messages[::-1][0].content
messages|length - 1
(messages|last).content
messages[0].tool_calls is defined
messages[0].get("tool_calls")
bos_token + "x" + eos_token
"x" in (text|lower)
text|lower|replace("o", "0")|upper
(1, 2)|join("-")
[1, 2, 3][1]
{"a": [1, {"b": 2}]}["a"][1].b
("a", "b")[1]
"abc"[1]
"a b".split()[1]
"a,b".split(",")|join("+")
"%02d:%02d" % (7, 5)
(text ~ "!")|length
-5|abs
(-5)|abs
-5 is odd
not 1 is odd
not 1 == 2
1 + 2 * 3 - 4 / 2
(1 + 2) * 3
10 - 2 - 3
2 * 3 % 4
1 if 2 > 1 else 0 + 5
"a" if yes and not no else "b"
[x]
[1, 2,]
{"a": 1,}
(1, 2,)
text.split("o", maxsplit=1)
text.split("o", 1)[0]
text.upper().lower().title()
text.replace("l", "").replace("o", "0")
text.encode()
text.casefold()
text.translate({})
dict.fromkeys([1])
one.to_bytes(1, "big")
[1, 2, 3] | first + 1
text | default("x") | upper
true and false or true
1 == 1 and 2 == 2
"a" < "b" < "c"
"a" in "abc" and "d" not in "abc"
2 in [1] + [2]
"ab" * 2 + "c"
range(3)|sum
range(5)|select("even")|map("string")|join
loop
self
caller
1 is
1 +
[1
{"a" 1}
"unclosed
a b
1 2
x.
x[
x |
x | upper(
()
f(a=1, a=2)
f(a=1, 2)
f(**dict, *list)
dict(**dict)
dict(*[[("a", 1)]])
range(*[1, 4])|list
"{}-{}".format(*[1, 2])
"{a}".format(**{"a": 5})
text.replace(*["l", "L"])
x := 1
1 <> 2
1 && 2
!true
lambda x: x
[x for x in list]
text[0:2, 1]
text[0, 1]
none is none is none
"é" == "é"
"\u0065\u0301"|length
"é"|upper
"a\u0301".title()
"\u1e9e".lower()
"ŉ".upper()
"ΐ".upper()
"ᾳ".title()
"ა".title()
"ა".upper()
"ⅷ".upper()
"ⅷ".isupper()
"ⓐ".title()
"1a2b".title()
"hello\tworld\nfoo".title()
"x'y".capitalize()
"HELLO".capitalize()
" hello".capitalize()
"%-10s|" % "é😀"
"{:>6}|".format("é😀")
"😀"|center(5) ~ "|"
"a😀b"|truncate(2, true, "")
"😀😀😀 x"|wordwrap(2)
"😀" * 3
("😀" * 3)|length
"a😀b"|replace("😀", "-")
"a😀b".partition("😀")
"a😀b".split("😀")
"😀" in emoji
"a😀b"[1:2]
"a😀b"|last
"a😀b"|first
"a😀b"|reverse
"a😀b".rfind("b")
list[list[1:][0]]
strings[list[:2][1]]
no[text[::2]]
{"k": 1}[:2]
(1 == 2)[1:]
undefinedthing is sequence
undefinedthing is not sequence
dict|truncate(9)
range(4)|truncate(5)
list|truncate(2, leeway=0)
"""

# Whole templates: statements, white space, scopes.
STATEMENTS = [
    "",
    "plain text",
    "a\n",
    "a\n\n",
    "a\r\nb\rc\n",
    "{{ text }}\n",
    "{% if yes %}A{% endif %}",
    "{% if no %}A{% else %}B{% endif %}",
    "{% if no %}A{% elif yes %}B{% else %}C{% endif %}",
    "{% if no %}A{% elif no %}B{% elif one %}C{% else %}D{% endif %}",
    "{% if undefinedthing %}A{% else %}B{% endif %}",
    "{% if 1, %}A{% endif %}",
    "a\n  {% if yes %}\n  b\n  {% endif %}\nc",
    "a\n  {%+ if yes %}\n  b\n  {%+ endif %}\nc",
    "a\n  {% if yes +%}\n  b\n  {% endif +%}\nc",
    "a\n  {%- if yes -%}\n  b\n  {%- endif -%}\n c",
    "a \n {{- text -}} \n b",
    "a  {{ text }}  \n  b",
    "  {{ text }}\n",
    "  {% set x = 1 %}  \nb",
    "{% set x = 1 %}\n\n{{ x }}",
    "x {# comment #} y",
    "x\n  {# comment #}\ny",
    "x\n  {#- comment -#}\n y",
    "x {#+ c +#}\n y",
    "{# a {{ b }} {% c %} #}z",
    "{#-#}x",
    "{# unclosed",
    "{% raw %}{{ x }}{% if %}{% endraw %}",
    "a {%- raw -%}  {{ x }}  {%- endraw -%} b",
    "{% raw %}\n x \n{% endraw %}\ny",
    "  {% raw %}x{% endraw %}\ny",
    "{% raw %}unclosed",
    "{{ '{{' }} {{ '%}' }} {{ \"#}\" }}",
    "{{ {'a': {'b': 1}}['a']['b'] }}",
    "{{ {'a': 1} }}",
    "{{{'a': 1}}}",
    "{{ '}}' }}",
    "{% set x = '%}' %}{{ x }}",
    "{{-1}}",
    "{{ -1 }}",
    "{{+1}}",
    "{%set x=1%}{{x}}",
    "{% set x = 1 -%}  {{ x }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a, b = 'xy' %}{{ a }}{{ b }}",
    "{% set a, b = [1, 2, 3] %}{{ a }}",
    "{% set (a, b) = (1, 2) %}{{ a }}{{ b }}",
    "{% set a, (b, c) = 1, (2, 3) %}{{ a }}{{ b }}{{ c }}",
    "{% set x %}a{{ text }}b{% endset %}[{{ x }}]",
    "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% set x | upper | replace('A', 'z') %}abc{% endset %}{{ x }}",
    "{% set x %}{% set y = 1 %}{% endset %}{{ y }}",
    "{% set x = [] %}{% set x = x + [1] %}{{ x }}",
    "{% set none = 1 %}",
    "{% set true = 1 %}",
    "{% set x.y = 1 %}{{ x }}",
    "{% set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{% set ns.b = 'x' %}{{ ns.a }}{{ ns.b }}{{ ns }}",
    "{% set ns = namespace() %}{% for i in list %}{% set ns.last = i %}{% endfor %}{{ ns.last }}",
    "{% set ns = namespace(x=0) %}{% for i in list %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = dict %}{% set ns.a = 2 %}",
    "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a + ns.b }}",
    "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}",
    "{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% if no %}{% set x = 2 %}{% endif %}[{{ x }}]",
    "{% if no %}{% set text = 2 %}{% endif %}[{{ text }}]",
    "{% if no %}{% set text = 2 %}{% else %}{% set text = 3 %}{% endif %}[{{ text }}]",
    "{% for i in [1, 2] %}{{ x }}{% set x = i %}{{ x }};{% endfor %}",
    "{% for i in [1, 2] %}{{ text }}{% set text = i %}{{ text }};{% endfor %}{{ text }}",
    "{% for i in [1] %}{{ text }}{% endfor %}{% set text = 'new' %}{{ text }}",
    "{% macro m() %}{{ text }}{% endmacro %}{{ m() }}{% set text = 'new' %}{{ m() }}",
    "{% macro m() %}{{ text }}{% endmacro %}{{ m() }}",
    "{{ text }}{% macro m() %}{{ text }}{% endmacro %}{% set text = 'new' %}{{ m() }}",
    "{% for m in messages %}{% if loop.first %}{% set sys = m.content %}{% endif %}{{ sys }}|{% endfor %}",
    "{% for i in list %}{{ i }}{% endfor %}",
    "{% for i in list %}{{ i }},{% else %}none{% endfor %}",
    "{% for i in [] %}{{ i }}{% else %}none{% endfor %}",
    "{% for i in undefinedthing %}{{ i }}{% else %}none{% endfor %}",
    "{% for i in none %}{{ i }}{% endfor %}",
    "{% for i in 5 %}{{ i }}{% endfor %}",
    "{% for c in text %}{{ c }}.{% endfor %}",
    "{% for c in emoji %}{{ c }}.{% endfor %}",
    "{% for k in dict %}{{ k }}{% endfor %}",
    "{% for k, v in dict.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in dict|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in dict|dictsort %}{{ k }}={{ v }};{% endfor %}",
    "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }};{% endfor %}",
    "{% for a, b in [1] %}{{ a }}{% endfor %}",
    "{% for a, b in [[1]] %}{{ a }}{% endfor %}",
    "{% for i in list if i > 1 %}{{ i }}{{ loop.index }}{{ loop.length }};{% endfor %}",
    "{% for i in list if i > 9 %}{{ i }}{% else %}none{% endfor %}",
    "{% for i in list if loop %}{{ i }}{% endfor %}",
    "{% for i in list %}{{ loop.index }}/{{ loop.length }} {{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }};{% endfor %}",
    "{% for i in list %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }};{% endfor %}",
    "{% for i in list %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}",
    "{% for i in list %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for i in list %}{{ loop.cycle() }}{% endfor %}",
    "{% for i in [1, 1, 2, 2, 1] %}{{ loop.changed(i) }};{% endfor %}",
    "{% for i in list %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}",
    "{% for i in list %}{{ loop }}{% endfor %}",
    "{% for i in list %}{{ loop.nope }}{{ loop.nope is defined }}{% endfor %}",
    "{% for i in list %}{{ loop['index'] }}{% endfor %}",
    "{% for i in list %}{{ loop|length }}{% endfor %}",
    "{% for i in list %}{% for j in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for i in list %}{% set outer = loop %}{% for j in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for i in list %}{% for j in [1] %}{{ loop.last }}{% endfor %}{% endfor %}",
    "{% for i in list %}{% set loop = 1 %}{% endfor %}",
    "{% for loop in list %}{% endfor %}",
    "{{ loop }}{% for i in list %}{% endfor %}{{ loop }}",
    "{% for i in list|map('string') %}{{ i }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for i in list|map('string') %}{{ i }}{{ loop.revindex }};{% endfor %}",
    "{% set g = list|map('string') %}{{ g|list }}{{ g|list }}",
    "{% set g = list|reverse %}{{ g|list }}{{ g|list }}",
    "{% for n in nested recursive %}{{ n if n is number else loop(n) }}{% endfor %}",
    "{% for n in [[1, [2]], [3]] recursive %}[{{ loop.depth }}:{% if n is iterable %}{{ loop(n) }}{% else %}{{ n }}{% endif %}]{% endfor %}",
    "{% for n in [1] %}{{ loop([2]) }}{% endfor %}",
    "{% for i in list %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in list %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in list %}{% break %}{% else %}E{% endfor %}",
    "{% for i in list %}{% continue %}{% else %}E{% endfor %}",
    "{% for i in list %}{{ i }}{% if i == 3 %}{% continue %}{% endif %}{% break %}{% else %}E{% endfor %}",
    "{% for i in list %}{% for j in list %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %};{% endfor %}",
    "{% break %}",
    "{% if yes %}{% continue %}{% endif %}",
    "{% for i in list %}{% set x %}{% break %}{% endset %}{% endfor %}ok",
    "{% for i in range(3) %}{{ i }}{% endfor %}",
    "{% for i in 'ab', 'cd' %}{{ i }};{% endfor %}",
    "{% for i in list %}\n  {{ i }}\n{% endfor %}\n",
    "{% for i in list -%}\n  {{ i }}\n{%- endfor %}\n",
    "{% macro m(a, b=2, *args) %}{% endmacro %}",
    "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}",
    "{% macro m(a, b) %}[{{ a }}{{ b }}{{ b is defined }}]{% endmacro %}{{ m(1) }}{{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}",
    "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m() %}{{ kwargs.x }}{% endmacro %}{{ m(x=4) }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(7) }}",
    "{% macro m(a=b, b=2) %}{{ a }}|{{ b }}{% endmacro %}{{ m() }}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m(a, a) %}{% endmacro %}",
    "{% macro m(x) %}{{ x }}{% set x = 9 %}{{ x }}{% endmacro %}{{ m(1) }}",
    "{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}",
    "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
    "{% macro a() %}A{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% macro m() %}x{% endmacro %}{{ m }}",
    "{% macro m() %}x{% endmacro %}{{ m() + 'y' }}{{ m()|length }}{{ m() is string }}",
    "{% macro m() -%}\n  x\n{%- endmacro %}[{{ m() }}]",
    "{% macro m(a) %}{{ caller() }}{{ a }}{% endmacro %}{% call m(1) %}body{% endcall %}",
    "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(x, y=3) m() %}{{ x }}{{ y }}{% endcall %}",
    "{% macro m() %}{{ caller('a') }}{{ caller('b') }}{% endmacro %}{% call(x) m() %}<{{ x }}{{ text }}>{% endcall %}",
    "{% macro m() %}x{% endmacro %}{% call m() %}body{% endcall %}",
    "{% macro m() %}{{ caller() if caller else 'none' }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}",
    "{% call text.upper() %}x{% endcall %}",
    "{% call text %}x{% endcall %}",
    "{% filter upper %}abc {{ text }}{% endfilter %}",
    "{% filter replace('a', 'b')|upper %}aaa{% endfilter %}",
    "{% filter indent(2) %}a\nb{% endfilter %}",
    "{% filter length %}abc{% endfilter %}",
    "{% filter nope %}abc{% endfilter %}",
    "{% with x = 1, y = 2 %}{{ x + y }}{% endwith %}[{{ x }}]",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}[{{ q }}]",
    "{% set x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% endwith %}{{ x }}",
    "{% with text = text|upper %}{{ text }}{% endwith %}{{ text }}",
    "{% print text, 1 %}",
    "{% do list.append(1) %}",
    "{% nope %}",
    "{% endif %}",
    "{% if yes %}",
    "{% if yes %}{% endfor %}",
    "{% for i in list %}",
    "{% for i list %}{% endfor %}",
    "{% if %}x{% endif %}",
    "{% set x %}",
    "{% set = 1 %}",
    "{% set x = %}",
    "{{ }}",
    "{{ text",
    "{{ text }",
    "{% if yes }",
    "{{ (1 }}",
    "{{ 1) }}",
    "{{ [1) }}",
    "{{ text }}}}",
    "}} %} #}",
    "{ { text } }",
    "{{ text|nope }}",
    "{% if no %}{{ text|nope }}{% endif %}ok",
    "{{ text|nope if no else 'ok' }}",
    "{% if no %}{% for i in list %}{{ i|nope }}{% endfor %}{% endif %}ok",
    "{{ 'a' is nope }}",
    "{% if no and text is nope %}{% endif %}ok",
    "{% generation %}gen{% endgeneration %}",
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ loop.index }}{% endgeneration %}{% endif %}{% endfor %}",
    "{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}[{{ x }}]",
    "{%- generation -%}  a  {%- endgeneration -%}  b",
    "{{ raise_exception('stop: ' ~ text) }}",
    "{% if no %}{{ raise_exception('stop') }}{% endif %}fine",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set _ = c.reset() %}{{ c.next() }}",
    "{% set j = joiner('|') %}{% for i in list %}{{ j() }}{{ i }}{% endfor %}",
    "{% set j = joiner() %}{{ j() }}{{ j() }}",
    "{% set r = range(3) %}{{ r }}{{ r|list }}",
    "{% set x = dict %}{{ x.a }}",
    "{% set f = text.upper %}{{ f() }}",
    "{% set messages = messages[1:] %}{{ messages|length }}",
    "{% if messages[0]['role'] == 'system' %}{% set sys = messages[0]['content'] %}{% set loop_messages = messages[1:] %}{% else %}{% set loop_messages = messages %}{% endif %}{{ sys }}{{ loop_messages|length }}",
    "{% for m in messages %}<|im_start|>{{ m.role + '\\n' + m.content | trim + '<|im_end|>' + '\\n' }}{% endfor %}",
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}{% endfor %}",
    "{%- for tool in [tool] %}\n{{ tool | tojson(indent=4) }}\n{%- endfor %}",
    "{%- set content = '<think>a</think>b' %}{{ content.split('</think>')[-1].lstrip('\\n') }}",
    "{%- if '</think>' in 'x</think>y' %}{{ 'x</think>y'.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}{% endif %}",
    "{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}{%- if ns.multi_step_tool and message.role == 'user' %}{%- set ns.multi_step_tool = false %}{%- set ns.last_query_index = index %}{%- endif %}{%- endfor %}{{ ns.last_query_index }}",
    "{% set items = dict.items() %}{% for k, v in items %}{{ k }}{% endfor %}{{ items|length }}",
    "{{ text }}  \n  {% if yes %}  x  {% endif %}  \n y",
    "\n\n{{ text }}\n\n",
    "\t{% if yes %}\tx\t{% endif %}\t\ny",
    "{% if yes %}\n\n\nx{% endif %}",
    "a{% if yes %} {% endif %}b",
    "{% if yes -%}\n\n\n  x  \n\n{%- endif %}",
    "\u00a0{%- if yes %}x{% endif %}",
    "x\u2003{%- if yes %}y{% endif %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    "{% autoescape true %}{{ html }}{% endautoescape %}",
    "{% block a %}x{% endblock %}",
    "{% trans %}x{% endtrans %}",
    "{% set x = 5 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 6 %}{{ m() }}",
    "{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% macro m() %}{% for i in varargs %}{{ i }}{{ loop.last }}{% endfor %}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(caller) %}{{ caller }}{% endmacro %}{{ m(1) }}",
    "{% macro m(caller=1) %}{{ caller }}{% endmacro %}{{ m() }}",
    "{% set x = 1 %}{{ x }}{% set x = x + 1 %}{{ x }}{% set x = x * 10 %}{{ x }}",
    "{% if 1 == 1 %}a{% endif %}{% if 1 != 1 %}b{% endif %}",
    "{% if not tools %}no tools{% endif %}{% if tools is not none %}tools{% endif %}",
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "{% if add_generation_prompt %}\n{{ '<|im_start|>assistant\n' }}{% endif %}",
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% elif m['role'] == 'assistant' %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}",
    "{{ undefinedtoken }}x",
    "{{ 'a' + undefinedtoken }}",
    "{% set x = undefinedthing %}{{ x is defined }}{{ x }}",
    "{{ strftime_now is defined }}",
    "{{ strftime_now('%%')|length }}",
    "{{ strftime_now() }}",
    "{{ strftime_now('%d %b %Y') }}",
    "{{ strftime_now('%Y-%m-%d %H:%M:%S') }}",
    "{{ strftime_now('%A, %B %-d, %y') }}",
    "{{ strftime_now('%I:%M %p %j %a') }}",
    "{{ strftime_now('%F %T %D %R %e %u %w %%') }}",
    "{% filter trim %}  {{ text }}  {% endfilter %}",
    "{% if text in ['Hello World'] %}in{% endif %}",
    "{% if text.startswith('Hello') and not text.endswith('x') %}yes{% endif %}",
    "{%for i in list%}{%if not loop.first%}, {%endif%}{{i}}{%endfor%}",
    "{% for key in tool.function.parameters.properties %}{{ key }}:{{ tool.function.parameters.properties[key].type }};{% endfor %}",
    "{% for key, value in tool.function.parameters.properties|dictsort %}{{ key }}{{ value|tojson }}{% endfor %}",
]

TEMPLATES = ["{{ " + line + " }}" for line in EXPRESSIONS.replace("\\\n", "\\\x00").strip("\n").split("\n")]
TEMPLATES = [template.replace("\\\x00", "\\\n") for template in TEMPLATES] + STATEMENTS

_USER = {"role": "user", "content": "  What is 2 + 2?\n"}
_SYSTEM = {"role": "system", "content": "You are terse.\n"}
_ANSWER = {"role": "assistant", "content": "4, <b>of course</b> – it's “even”. 😀"}
_TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city, e.g. \"Zürich\" & Bern.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city."},
                "days": {"type": "integer", "enum": [1, 3, 7], "default": 1},
                "unit": {"type": ["string", "null"]},
            },
            "required": ["city"],
        },
    },
}
_CALLS = [{"id": "call00001", "type": "function", "function": {"name": "weather", "arguments": {"city": "Zürich", "days": 3}}}]

# What the templates of families are rendered with.
CONVERSATIONS = {
    "one": {"messages": [_USER, _ANSWER]},
    "prompt": {"messages": [_USER], "add_generation_prompt": True},
    "system": {"messages": [_SYSTEM, _USER, _ANSWER]},
    "system prompt": {"messages": [_SYSTEM, _USER], "add_generation_prompt": True},
    "turns": {"messages": [_SYSTEM, _USER, _ANSWER, {"role": "user", "content": "And 3 + 3?"}, {"role": "assistant", "content": "6"}]},
    "turns prompt": {
        "messages": [_USER, _ANSWER, {"role": "user", "content": "And 3 + 3?"}],
        "add_generation_prompt": True,
    },
    "continued": {"messages": [_USER, {"role": "assistant", "content": "The answer is"}], "continue_final_message": True},
    "thought": {"messages": [_USER, {"role": "assistant", "content": "<think>\nTwo and two.\n</think>\n\n4"}]},
    "thoughts": {
        "messages": [
            _USER,
            {"role": "assistant", "content": "4", "reasoning_content": "Two and two."},
            {"role": "user", "content": "Sure?"},
            {"role": "assistant", "content": "Yes", "reasoning_content": "Count again.\n"},
        ]
    },
    "tools": {"messages": [_SYSTEM, _USER], "tools": [_TOOL], "add_generation_prompt": True},
    "calls": {
        "messages": [
            {"role": "user", "content": "Weather in Zürich?"},
            {"role": "assistant", "content": "", "tool_calls": _CALLS},
            {"role": "tool", "name": "weather", "tool_call_id": "call00001", "content": "{\"sun\": true}"},
            {"role": "assistant", "content": "Sunny."},
        ],
        "tools": [_TOOL],
    },
    "calls prompt": {
        "messages": [
            {"role": "user", "content": "Weather in Zürich?"},
            {"role": "assistant", "content": None, "tool_calls": _CALLS},
            {"role": "tool", "name": "weather", "tool_call_id": "call00001", "content": "{\"sun\": true}"},
        ],
        "tools": [_TOOL],
        "add_generation_prompt": True,
    },
    "no thinking": {"messages": [_USER], "add_generation_prompt": True, "variables": {"enable_thinking": False}},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "you"}]}, _ANSWER]},
    "odd turns": {"messages": [_ANSWER, _USER, _USER]},
}

# Named special tokens, as most tokenizers have them.
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
