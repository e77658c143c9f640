"""Golden numbers for the metrics of src/evaluation, made with the reference programs on random text.

  python make_metrics.py OUTPUT.json

Needs sacrebleu, rouge_score, scikit-learn, scipy, nltk, transformers (for SQuAD's functions, no PyTorch) and lm_eval (for
DROP's official functions; the file is loaded by itself, so its dependencies need not be there). CoNaLa's and ConCode's
BLEU are written out below from their definition; without smoothing, sacreBLEU must agree.
"""
import importlib.metadata, importlib.util, json, math, os, random, re, sys
from collections import Counter
import numpy as np
import rouge_score
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from rouge_score.tokenize import tokenize
from sacrebleu.metrics import BLEU
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from transformers.data.metrics.squad_metrics import compute_exact, compute_f1

rng = random.Random(20240607)
WORDS = """the a an river Rivers running ran runs easily organisation relational happily dying skies conditional bank clerk counts
coins 12 3.5 1,000 -7 2024 5 U.S.A. don't it's naïve café Straße über 数字 你好 世界 привет 😀 foo_bar x=1 f(x) [3] {k:v}
e-mail well-known state-of-the-art $9.99 50% &amp; &lt;b&gt; &quot;yes&quot; <skipped> ¿qué? “quoted” — … ٣٤ １２ ½ a/b C++ #1
@home A.B 3. .5 1.e 10,5,2 x,y end. what? no! (maybe) to of and in on is was""".split()
SPACES = [" "] * 30 + ["  ", "\t", "\n", "\n", " \n", "-\n", "\u00a0", "\u2003", "\x1c", "\x85"]


def text(low, high):
    words = [rng.choice(WORDS) for _ in range(rng.randint(low, high))]
    if words and rng.random() < 0.3:  # repeated n-grams
        i = rng.randrange(len(words))
        words[i:i] = words[i : i + 4] * rng.randint(1, 3)
    return "".join(w + rng.choice(SPACES) for w in words)


def near(source, change=0.3):
    """A text like another: words dropped, replaced, swapped."""
    words = source.split(" ")
    out = []
    for word in words:
        r = rng.random()
        if r < change / 3: continue
        out.append(rng.choice(WORDS) if r < 2 * change / 3 else word)
    if len(out) > 3 and rng.random() < 0.5:
        i = rng.randrange(len(out) - 2)
        out[i], out[i + 2] = out[i + 2], out[i]
    return " ".join(out)


def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def bleu():
    corpora = []
    for segments, references, low, high in [(12, 1, 0, 25), (10, 3, 3, 30), (6, 2, 0, 3), (1, 1, 2, 3), (5, 1, 8, 8), (3, 2, 0, 0)]:
        truth = [[text(low, high) for _ in range(references)] for _ in range(segments)]
        hypotheses = [near(r[0], 0.25) if rng.random() < 0.8 else text(low, high) for r in truth]
        if segments == 5: hypotheses = ["zz yy " + " ".join(str(i) for i in range(5))] * 5  # nothing in common
        cases = []
        for options in [{}, dict(tokenizer="intl"), dict(tokenizer="none"), dict(lowercase=True), dict(smoothing="floor"),
                        dict(smoothing="add-k"), dict(smoothing="none"), dict(effectiveOrder=True), dict(effectiveOrder=True, smoothing="none")]:
            metric = BLEU(tokenize=options.get("tokenizer", "13a"), lowercase=options.get("lowercase", False),
                          smooth_method=options.get("smoothing", "exp"), effective_order=options.get("effectiveOrder", False))
            s = metric.corpus_score(hypotheses, [list(column) for column in zip(*truth)])
            sentences = [metric.sentence_score(h, r).score for h, r in zip(hypotheses, truth)]
            cases.append(dict(options=options, score=s.score, precisions=s.precisions, brevityPenalty=s.bp,
                              hypothesisLength=s.sys_len, referenceLength=s.ref_len, sentences=sentences))
        corpora.append(dict(hypotheses=hypotheses, references=truth, cases=cases))
    return corpora


def compute_bleu(references, hypotheses, add_one):
    """BLEU-4 as Google's NMT repository defined it; one reference."""
    match, total = [0] * 4, [0] * 4
    for reference, hypothesis in zip(references, hypotheses):
        for n in range(1, 5):
            grams = lambda t: Counter(tuple(t[i : i + n]) for i in range(len(t) - n + 1))
            match[n - 1] += (grams(hypothesis) & grams(reference)).total()
            total[n - 1] += max(0, len(hypothesis) - n + 1)
    k = 1 if add_one else 0
    p = [(m + k) / (t + k) if t + k > 0 else 0 for m, t in zip(match, total)]
    if min(p) == 0: return 0.0
    ratio = sum(map(len, hypotheses)) / sum(map(len, references))
    return 100 * math.exp(sum(map(math.log, p)) / 4) * (1 if ratio > 1 else math.exp(1 - 1 / ratio))


def code():
    names = ["camelCase", "snake_case", "getItem2", "x", "np", "HTTPServer", "räksmörgås"]
    parts = [".", "(", ")", "[", "]", " = ", " + ", "'s'", '"t"', ", ", ": ", "\n", "\t", "0", "12", "==", "->", "λ", "😀"]
    return "".join(rng.choice(names) + rng.choice(parts) for _ in range(rng.randint(0, 14)))


def snippets():
    def tokens(s):
        s = re.sub(r"([a-z])([A-Z])", r"\1 \2", re.sub(r"([^A-Za-z0-9_])", r" \1 ", s))
        return s.replace('"', "`").replace("'", "`").split()
    out = []
    for n, change in [(20, 0.3), (8, 0.05), (4, 0.9)]:
        references = [code() for _ in range(n)]
        predictions = [r if rng.random() < 0.3 else near(r.replace(".", " . "), change) if rng.random() < 0.8 else code() for r in references]
        result = {}
        for name, split, add_one in [("conala", tokens, False), ("concode", str.split, True)]:
            r, p = [split(x) for x in references], [split(x) for x in predictions]
            result[name] = dict(bleu=compute_bleu(r, p, add_one), exactMatch=np.mean([a == b for a, b in zip(r, p)]))
            if not add_one and result[name]["bleu"] > 0:
                plain = BLEU(tokenize="none", smooth_method="none").corpus_score([" ".join(x) for x in p], [[" ".join(x) for x in r]])
                assert abs(plain.score - result[name]["bleu"]) < 1e-9
        out.append(dict(references=references, predictions=predictions, tokens=[tokens(x) for x in references[:3]], **result))
    return out


def rouge():
    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    plain, stemmed = (rouge_scorer.RougeScorer(kinds, use_stemmer=s) for s in (False, True))
    stemmer, stems, cases = PorterStemmer(), {}, []
    for i in range(40):
        reference = text(0, 1 if i % 8 == 0 else 40)
        prediction = near(reference, 0.5) if i % 4 else text(0, 30)
        if i % 2:  # other forms of the same words
            prediction = prediction.replace("running", "runs").replace("skies", "sky").replace("counts", "count").replace("clerk", "clerks")
        row = lambda scorer: {k: [s.precision, s.recall, s.fmeasure] for k, s in scorer.score(reference, prediction).items()}
        cases.append(dict(reference=reference, prediction=prediction, plain=row(plain), stemmed=row(stemmed)))
        for word in tokenize(reference + " " + prediction, None): stems[word] = stemmer.stem(word)
    return dict(cases=cases, stems={k: v for k, v in stems.items() if k != v})


def answer():
    units = ["yards", "points", "the Bears", "John Smith", "a dog", "Feb", "30-yard", "well-known", "field goal", "“the” end", "ÉCOLE"]
    numbers = ["3", "3.0", "1,000", "1000", "$5", "5%", "-2", "1e3", "1e16", "0.00001", "1_000", "inf", "nan", "three", "12.5.", ".5", "5.", "１２", "٣", "²"]
    return " ".join(rng.choice(units + numbers) for _ in range(rng.randint(0, 4)))


def answers():
    [package] = importlib.util.find_spec("lm_eval").submodule_search_locations
    spec = importlib.util.spec_from_file_location("drop", os.path.join(package, "tasks", "drop", "utils.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drop, squad = [], []
    for i in range(250):
        gold = [[answer() for _ in range(rng.choice([1, 1, 1, 2, 3, 4]))] for _ in range(rng.choice([1, 1, 2, 3]))]
        predicted = [near(x, 0.3) for x in rng.choice(gold)] if rng.random() < 0.7 else [answer() for _ in range(rng.randint(1, 4))]
        rng.shuffle(predicted)
        scores = [module.get_metrics(predicted, g) for g in gold if g[0].strip()]
        drop.append([predicted, gold, max([s[0] for s in scores], default=0), float(max([s[1] for s in scores], default=0))])
        p, g = " ".join(predicted), [" ".join(x) for x in gold]
        if i % 2: g[0] = text(0, 5); p = near(g[0], 0.2)
        squad.append([p, g, max(compute_exact(x, p) for x in g), max(float(compute_f1(x, p)) for x in g)])
    return dict(drop=drop, squad=squad, normalized=[[x, module._normalize(x)] for x in (answer() for _ in range(80))])


def classification():
    out = []
    for n, kinds, share in [(1, 2, 0.5), (30, 3, 0.7), (50, 6, 0.3), (40, 2, 0.9), (25, 5, 0.0)]:
        names = ["positive", "negative", "neutral", "mixed", "none", "other"][:kinds]
        truth = [rng.choice(names[: max(1, kinds - 1)]) for _ in range(n)]
        predicted = [t if rng.random() < share else rng.choice(names) for t in truth]
        for labels in [None, names[:2], names[-1:] + ["absent"]]:
            row = lambda **k: [None if v is None else np.asarray(v).tolist() for v in precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0, **k)]
            order = labels or sorted(set(truth + predicted))
            out.append(dict(truth=truth, predicted=predicted, labels=labels, accuracy=accuracy_score(truth, predicted),
                            **{a: row(average=a)[:3] for a in ("macro", "micro", "weighted")}, each=dict(zip(order, zip(*row())))))
    return out


def assignments():
    out = []
    for rows, columns in [(1, 1), (1, 4), (4, 1), (3, 3), (5, 5), (4, 7), (8, 6)]:
        for _ in range(3):
            scores = [[rng.choice([0, 0.5, round(rng.random(), 3)]) for _ in range(columns)] for _ in range(rows)]
            r, c = linear_sum_assignment(-np.array(scores))
            out.append(dict(scores=scores, best=float(np.array(scores)[r, c].sum())))
    return out


def length_controlled(ridge=0.01):
    """The same model by scikit-learn: each comparison once as won and once as lost, weighted by the preference."""
    out = []
    for n, kind, hard in [(60, "votes", False), (40, "probabilities", True), (12, "all won", False)]:
        rows = [dict(length=rng.randint(20, 900), baselineLength=rng.randint(20, 600), **(dict(difficulty=round(rng.gauss(0, 1), 3)) if hard else {})) for _ in range(n)]
        for row in rows:
            p = 1 / (1 + math.exp(-(row["length"] - row["baselineLength"]) / 300 + 0.4))
            row["preference"] = {"votes": rng.choice([0.5, float(rng.random() < p), float(rng.random() < p)]), "probabilities": round(p * rng.random(), 4), "all won": 1}[kind]
        delta = np.array([row["length"] - row["baselineLength"] for row in rows], float)
        x = np.stack([np.ones(n), np.tanh(delta / delta.std(ddof=1)), [row.get("difficulty", 0) for row in rows]], 1)
        p = np.array([row["preference"] for row in rows])
        model = LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-12, max_iter=10000, solver="newton-cholesky")
        y, w = np.repeat([1, 0], n), np.concatenate([p, 1 - p])
        y, w = (np.append(y, 0), np.append(w, 0)) if p.min() == 1 else (y, w)
        model.fit(np.concatenate([x, x, x[:1]])[: len(y)], y, sample_weight=w)
        x[:, 1] = 0
        out.append(dict(comparisons=rows, ridge=ridge, winRate=float(model.predict_proba(x)[:, 1].mean())))
    return out


def pass_at_k():
    exact = lambda n, c, k: 1 - math.comb(n - c, k) / math.comb(n, k)
    return [[n, c, k, exact(n, c, k)] for n, c, k in [(1, 0, 1), (1, 1, 1), (10, 3, 1), (10, 3, 5), (20, 1, 20), (200, 13, 10), (200, 13, 100), (1000, 2, 17)]]


json.dump(
    dict(bleu=bleu(), snippets=snippets(), rouge=rouge(), **answers(), classification=classification(), assignments=assignments(),
         lengthControlled=length_controlled(), passAtK=pass_at_k(),
         numbers=[[x, repr(float(x))] for x in ["1e15", "1e16", "123456789012345678", "0.0001", "0.00001", "1e-7", "-0", "1.5e300", "1e21", "100", "0.1", "1e400", "-inf", "2.5e-5"]],
         made_with={**{name: version(name) for name in ("sacrebleu", "scikit-learn", "scipy", "nltk", "lm_eval", "transformers")},
                    "rouge_score": version("rouge_score") or rouge_score.__version__}),
    open(sys.argv[1], "w", encoding="utf-8"), ensure_ascii=True, separators=(",", ":"))
