"""Golden vectors for federated-LoRA rules. Python 3, numpy, torch, peft; no network. Writes JSON files into a folder.

    python scripts/golden/make_golden_lora.py test/golden/lora

Matrices are lists of rows, float64. A [rank, in], B [out, rank], as PEFT has them; an adapter's effect is scale * B @ A.
Every expected value comes from a definition (a dense matrix, numpy's SVD, torch, PEFT), not from the fast route that it judges.
"""
import json, math, os, sys
import numpy as np, torch

HERE = sys.argv[1]
rng = np.random.default_rng(20261128)


def L(x):
    return np.asarray(x, dtype=np.float64).tolist()


def save(name, value):
    with open(os.path.join(HERE, name), "w") as f:
        json.dump(value, f, indent=1)
        f.write("\n")


def rand(*shape, s=1.0):
    return np.round(rng.standard_normal(shape) * s, 6)


def canonical(U, S, V):
    """Sign rule: in each column of U the element of largest magnitude (the first of equals) is positive; V's row follows."""
    U, V = U.copy(), V.copy()
    for k in range(len(S)):
        if U[np.argmax(np.abs(U[:, k])), k] < 0:
            U[:, k] *= -1
            V[k] *= -1
    return U, S, V


def svd(M):
    return canonical(*np.linalg.svd(M, full_matrices=False))


def fro(x):
    return float(np.linalg.norm(x))


# ---------------------------------------------------------------- 1 equal ranks
def equal_ranks():
    out_, in_, r = 6, 5, 2
    records = [3, 1, 2]
    p = np.array(records) / sum(records)
    A0, B0 = rand(r, in_, s=0.5), rand(out_, r, s=0.3)
    A = [np.round(A0 + rand(r, in_, s=0.2), 6) for _ in p]
    B = [np.round(B0 + rand(out_, r, s=0.2), 6) for _ in p]
    Am, Bm = sum(w * a for w, a in zip(p, A)), sum(w * b for w, b in zip(p, B))
    M = sum(w * b @ a for w, a, b in zip(p, A, B))
    cov = sum(w * (b - Bm) @ (a - Am) for w, a, b in zip(p, A, B))
    assert np.allclose(M - Bm @ Am, cov, atol=1e-14)
    U, S, V = svd(M)
    c = 1 / math.sqrt(3)
    Ur, Sr, Vr = U[:, :r], S[:r], V[:r]
    G = Am @ Vr.T  # r x r
    gaugeA, gaugeB = G @ Vr, (Ur * Sr) @ np.linalg.inv(G)
    best = (Ur * Sr) @ Vr
    assert np.allclose(gaugeB @ gaugeA, best)
    # of all A whose rows span V_r's row space, gaugeA is the nearest to Am
    for _ in range(100):
        assert fro(gaugeA - Am) <= fro((G + 0.1 * rng.standard_normal((r, r))) @ Vr - Am) + 1e-12
    lam = 0.01
    dB = (M - Bm @ Am) @ Am.T @ np.linalg.inv(Am @ Am.T + lam * np.eye(r))
    # FFA, RoLoRA: one factor common
    Bf = sum(w * b for w, b in zip(p, B))
    ffa = sum(w * b @ A0 for w, b in zip(p, B))
    assert np.allclose(Bf @ A0, ffa)
    # FedSVD: refactorise mean(B) @ A
    u, s, v = svd(Bf @ A0)
    # PEFT as the judge
    import torch.nn as nn
    from peft import LoraConfig, get_peft_model

    class Net(nn.Module):
        def __init__(s):
            super().__init__()
            s.proj = nn.Linear(in_, out_, bias=False, dtype=torch.float64)

        def forward(s, x):
            return s.proj(x)

    alpha = 4
    cfg = lambda rank, al, rs=False: LoraConfig(r=rank, lora_alpha=al, target_modules=["proj"], use_rslora=rs, lora_dropout=0.0)
    torch.manual_seed(0)
    net = Net()
    model = get_peft_model(net, cfg(r, alpha), adapter_name="c0", autocast_adapter_dtype=False)
    for i in (1, 2):
        model.add_adapter(f"c{i}", cfg(r, alpha), autocast_adapter_dtype=False)
    layer = model.base_model.model.proj
    with torch.no_grad():
        for i in range(3):
            layer.lora_A[f"c{i}"].weight.data = torch.tensor(A[i])
            layer.lora_B[f"c{i}"].weight.data = torch.tensor(B[i])
    scale = alpha / r
    peft = {}
    for kind, rank in (("cat", None), ("svd", r), ("linear", None)):
        kw = {"svd_rank": rank} if kind == "svd" else {}
        model.add_weighted_adapter(["c0", "c1", "c2"], p.tolist(), f"m_{kind}", combination_type=kind, **kw)
        peft[kind] = layer.get_delta_weight(f"m_{kind}").detach().numpy()
    assert np.allclose(peft["cat"], scale * M, atol=1e-7)
    assert np.allclose(peft["svd"], scale * best, atol=1e-7)
    assert not np.allclose(peft["linear"], scale * M, atol=1e-3)
    # a stack as one standard adapter: rank 6; alpha = rank makes PEFT's scale 1, so the scale goes into B
    stackA, stackB = np.vstack([w * a for w, a in zip(p, A)]), np.hstack([scale * b for b in B])
    assert np.allclose(stackB @ stackA, scale * M)
    save("equal-ranks.json", {
        "what": "three clients, rank 2, out 6, in 5; weights are records / sum; alpha 4, scale 2 (not applied unless said)",
        "records": records, "alpha": alpha, "scale": scale, "A0": L(A0), "B0": L(B0), "A": [L(a) for a in A], "B": [L(b) for b in B],
        "fedit": {"A": L(Am), "B": L(Bm), "product": L(Bm @ Am)},
        "meanOfProducts": L(M), "crossTerm": L(cov), "deviation": fro(M - Bm @ Am) / fro(M),
        "fedex": {"residualOfWeights": L(scale * (M - Bm @ Am)), "note": "added to the base weight [out, in]; scale included"},
        "flora": {"A": L(stackA), "B": L(stackB), "note": "one adapter of rank 6 and scale 1 (lora_alpha 6): weights in A, scale in B"},
        "svd": {"singularValues": L(S), "U": L(U), "V": L(V), "note": "M = U diag(S) V, V holds rows; sign rule of the reference"},
        "rank2": {"product": L(best), "truncationError": fro(M - best), "energyKept": float((Sr ** 2).sum() / (S ** 2).sum()),
                  "us": {"A": L(Vr), "B": L(Ur * Sr)}, "usc": {"c": c, "A": L(c * Vr), "B": L(Ur * Sr / c)},
                  "sqrt": {"A": L(np.sqrt(Sr)[:, None] * Vr), "B": L(Ur * np.sqrt(Sr))},
                  "gauge": {"G": L(G), "A": L(gaugeA), "B": L(gaugeB), "conditionOfG": float(np.linalg.cond(G))}},
        "ridge": {"lambda": lam, "deltaB": L(dB), "B": L(Bm + dB), "product": L((Bm + dB) @ Am),
                  "note": "argmin |M - (Bm + dB) Am|^2 + lambda |dB|^2, LoRA-FAIR's aim with a closed form"},
        "ffa": {"B": L(Bf), "product": L(ffa)}, "fedsvd": {"B": L((u * s)[:, :r]), "A": L(v[:r])},
        "peft": {"cat": L(peft["cat"]), "svd": L(peft["svd"]), "linear": L(peft["linear"]),
                 "note": "delta weights of add_weighted_adapter (scale included); linear has cross-terms and equals neither"},
    })
    return A, B, p


# ---------------------------------------------------------------- 2 mixed ranks
def mixed_ranks():
    out_, in_ = 7, 6
    ranks, records, alpha = [1, 2, 4], [2, 5, 3], 8
    p = np.array(records) / sum(records)
    A, B = [rand(r, in_, s=0.5) for r in ranks], [rand(out_, r, s=0.3) for r in ranks]
    result = {"what": "three clients of ranks 1, 2, 4; out 7, in 6; alpha 8 for all", "ranks": ranks, "records": records, "alpha": alpha,
              "A": [L(a) for a in A], "B": [L(b) for b in B]}
    for rule, scale_of in (("alphaOverRank", lambda r: alpha / r), ("rsLora", lambda r: alpha / math.sqrt(r)), ("fixedScale", lambda r: 2.0)):
        s = [scale_of(r) for r in ranks]
        M = sum(w * k * b @ a for w, k, a, b in zip(p, s, A, B))
        U, S, V = svd(M)
        back = []
        for r, k in zip(ranks, s):
            back.append({"rank": r, "scale": k, "A": L(V[:r]), "B": L(U[:, :r] * S[:r] / k)})
            best = (U[:, :r] * S[:r]) @ V[:r]
            assert np.allclose(k * (U[:, :r] * S[:r] / k) @ V[:r], best)
        result[rule] = {"scales": s, "deltaWeight": L(M), "singularValues": L(S), "back": back}
    # HetLoRA: pad to 4, weights by |B_k A_k|_F (one module here; with several the squares are summed over modules first)
    norms = [fro(b @ a) for a, b in zip(A, B)]
    w = np.array(norms) / sum(norms)
    R = max(ranks)
    padA = [np.vstack([a, np.zeros((R - len(a), in_))]) for a in A]
    padB = [np.hstack([b, np.zeros((out_, R - b.shape[1]))]) for b in B]
    result["hetlora"] = {"norms": norms, "weights": L(w), "A": L(sum(k * a for k, a in zip(w, padA))), "B": L(sum(k * b for k, b in zip(w, padB)))}
    # by trace, without the product
    for a, b, n in zip(A, B, norms):
        assert abs(math.sqrt(np.trace((b.T @ b) @ (a @ a.T))) - n) < 1e-12
    # raFLoRA: rank slices, each averaged over those who have it (records)
    parts, lo, total = [], 0, np.zeros((out_, in_))
    for hi in sorted(set(ranks)):
        who = [i for i, r in enumerate(ranks) if r >= hi]
        n = sum(records[i] for i in who)
        slice_ = sum(records[i] / n * B[i][:, lo:hi] @ A[i][lo:hi] for i in who)
        parts.append({"from": lo, "to": hi, "clients": who})
        total = total + slice_
        lo = hi
    result["raflora"] = {"parts": parts, "product": L(total), "note": "scale not applied"}
    # dead directions: one client of rank 1, redistributed to rank 3
    M = 2.0 * B[0] @ A[0]
    U, S, V = svd(M)
    result["dead"] = {"what": "only the client of rank 1 answered; redistribution to rank 3: singular values 2 and 3 are zero",
                      "singularValues": L(S[:1]), "rule": "rows of A beyond the numerical rank are taken from a fresh adapter, columns of B are zero",
                      "product": L(M)}
    # rank collapse: nobody trains, everybody gets the best cut of its rank and sends it back
    W = rand(out_, 4) @ rand(4, in_)
    U, S, V = svd(W)
    U, S, V = U[:, :4], S[:4], V[:4]
    pi = np.array([sum(w for w, r in zip(p, ranks) if r > j) for j in range(4)])  # weight of those who hold direction j
    plain, carry, rounds = S.copy(), S.copy(), []
    for _ in range(3):
        M1 = sum(w * (U[:, :r] * plain[:r]) @ V[:r] for w, r in zip(p, ranks))
        plain = np.linalg.svd(M1, compute_uv=False)[:4]
        M2 = (U * ((1 - pi) * carry)) @ V + sum(w * (U[:, :r] * carry[:r]) @ V[:r] for w, r in zip(p, ranks))
        carry = np.linalg.svd(M2, compute_uv=False)[:4]
        rounds.append({"plain": L(plain), "carry": L(carry)})
    assert np.allclose(carry, S)
    # a real round: the clients move away from their cuts
    sent = [((U[:, :r] * S[:r] + rand(out_, r, s=0.1)), V[:r] + rand(r, in_, s=0.1)) for r in ranks]
    delta = W + sum(w * (b @ a - (U[:, :r] * S[:r]) @ V[:r]) for w, r, (b, a) in zip(p, ranks, sent))
    stackB = np.hstack([U * ((1 - pi) * S)] + [w * b for w, (b, _) in zip(p, sent)])
    stackA = np.vstack([V] + [a for _, a in sent])
    assert np.allclose(stackB @ stackA, delta)
    result["collapse"] = {"what": "global of rank 4; clients get the best cut of their rank and change nothing. plain: the mean of what comes back (FlexLoRA); carry: direction j of the global stays with weight 1 - pi_j, pi_j the weight of those whose rank holds it",
                          "U": L(U), "singularValues": L(S), "V": L(V), "pi": L(pi), "rounds": rounds,
                          "oneRound": {"B": [L(b) for b, _ in sent], "A": [L(a) for _, a in sent], "carryProduct": L(delta), "note": "= W + sum p_k (B_k A_k - cut_k(W)), as the stack [U (1-pi) S, p_k B_k] [V; A_k]"}}
    # inner products of products, without the products
    ip = [[float(np.sum((B[i].T @ B[j]) * (A[i] @ A[j].T))) for j in range(3)] for i in range(3)]
    for i in range(3):
        for j in range(3):
            assert abs(ip[i][j] - float(np.sum((B[i] @ A[i]) * (B[j] @ A[j])))) < 1e-12
    result["innerProducts"] = {"value": ip, "note": "<B_i A_i, B_j A_j> = sum of (B_i' B_j) * (A_i A_j'), element by element; no choice of factors changes it"}
    save("mixed-ranks.json", result)


# ---------------------------------------------------------------- 3 the product's SVD without the product
def factored_svd():
    cases = []
    def case(name, Bs, As, weights, r, note=""):
        Lf, Rf = np.hstack(Bs), np.vstack([w * a for w, a in zip(weights, As)])
        M = Lf @ Rf
        # the route: QR of both stacks, SVD of the small core
        Ql, Rl = np.linalg.qr(Lf)
        Qr, Rr = np.linalg.qr(Rf.T)
        for Q, T in ((Ql, Rl), (Qr, Rr)):  # diagonal of R >= 0 makes a full-rank QR unique
            d = np.where(np.diag(T) < 0, -1.0, 1.0)
            Q *= d
            T *= d[:, None]
        core = Rl @ Rr.T
        u, s, v = np.linalg.svd(core)
        U, V = Ql @ u, v @ Qr.T
        U, s, V = canonical(U, s, V)
        dense = svd(M)
        k = min(len(s), len(dense[1]))
        assert np.allclose(s[:k], dense[1][:k], atol=1e-12)
        cases.append({"name": name, "note": note, "rank": r, "weights": list(weights), "A": [L(a) for a in As], "B": [L(b) for b in Bs],
                      "R_left": L(Rl), "R_right": L(Rr), "core": L(core), "singularValues": L(s), "product": L((U[:, :r] * s[:r]) @ V[:r]),
                      "U": L(U[:, :r]), "V": L(V[:r]), "truncationError": float(math.sqrt((s[r:] ** 2).sum()))})
    o, i = 8, 7
    case("general", [rand(o, 2), rand(o, 2)], [rand(2, i), rand(2, i)], [0.25, 0.75], 2)
    b, a = rand(o, 2), rand(2, i)
    case("twins", [b, b.copy()], [a, a.copy()], [0.5, 0.5], 2, "equal clients: the stack has rank 2, not 4; the product is the client's own; U and V are free beyond rank 2")
    # equal singular values: U and V are not unique, the product is
    q1, q2 = np.linalg.qr(rand(o, 2))[0], np.linalg.qr(rand(i, 2))[0]
    case("equalSingularValues", [q1], [q2.T.copy()], [1.0], 2, "both singular values are 1: compare the product only")
    case("zero", [np.zeros((o, 2)), np.zeros((o, 2))], [rand(2, i), rand(2, i)], [0.5, 0.5], 2, "round 1 before anybody trained: all zero; nothing may be NaN")
    save("factored-svd.json", {"what": "sum_i w_i B_i A_i = L R with L = [B_1 ...], R = [w_1 A_1; ...]; QR of L and of R', SVD of R_left R_right'", "cases": cases})


# ---------------------------------------------------------------- a smaller rank inside a larger one
def padding():
    o, i, r, R, n = 4, 3, 1, 3, 6
    X, Y = torch.tensor(rand(n, i)), torch.tensor(rand(n, o))
    A0, B0 = rand(r, i, s=0.5), rand(o, r, s=0.3)
    def train(A, B):
        A, B = torch.nn.Parameter(torch.tensor(A)), torch.nn.Parameter(torch.tensor(B))
        opt = torch.optim.AdamW([A, B], lr=0.05, weight_decay=0.1)
        for _ in range(5):
            opt.zero_grad()
            ((X @ A.T @ B.T * 2.0 - Y) ** 2).mean().backward()
            torch.nn.utils.clip_grad_norm_([A, B], 1.0)
            opt.step()
        return A.detach().numpy(), B.detach().numpy()
    a, b = train(A0, B0)
    pa, pb = train(np.vstack([A0, np.zeros((R - r, i))]), np.hstack([B0, np.zeros((o, R - r))]))
    assert np.allclose(pa[:r], a, atol=1e-14) and np.allclose(pb[:, :r], b, atol=1e-14) and not pa[r:].any() and not pb[:, r:].any()
    save("padding.json", {"what": "five AdamW steps (lr 0.05, decay 0.1, clip 1, scale 2, mean squared error) at rank 1; the same inside rank 3 with zero rows and columns gives the same and leaves the zeros zero",
         "X": L(X), "Y": L(Y), "A0": L(A0), "B0": L(B0), "A": L(a), "B": L(b)})


# ---------------------------------------------------------------- 4 server step in the space of products
def server_momentum():
    o, i, r = 6, 5, 2
    W0 = rand(o, r, s=0.4) @ rand(r, i, s=0.4)
    means = [W0 + rand(o, r, s=0.2) @ rand(r, i, s=0.2) for _ in range(3)]
    lr, mu = 0.7, 0.9
    w = torch.nn.Parameter(torch.tensor(W0))
    opt = torch.optim.SGD([w], lr=lr, momentum=mu, nesterov=True)
    states = []
    drift = torch.zeros_like(w)
    for m in means:
        # the round's mean is around where the server stands: w + (m - W0)
        delta = torch.tensor(m - W0)
        opt.zero_grad()
        w.grad = -delta
        opt.step()
        states.append(L(w.detach().numpy()))
    save("outer-nesterov.json", {"what": "w <- SGD(lr 0.7, momentum 0.9, nesterov) on the outer gradient -(mean - w); torch's order: buf = mu*buf + g; w -= lr*(g + mu*buf); the first buf is g",
         "learningRate": lr, "momentum": mu, "W0": L(W0), "deltas": [L(m - W0) for m in means], "states": states})


# ---------------------------------------------------------------- 5 personalisation and fairness
def personal():
    # Ditto on a quadratic: F_k(v) = 1/2 |v - c|^2, SGD; v <- v - lr (v - c + lambda (v - w))
    v, w, c, lam, lr = np.array([0.0, 1.0]), np.array([1.0, 1.0]), np.array([2.0, -1.0]), 0.5, 0.1
    path = []
    x = v.copy()
    for _ in range(3):
        x = x - lr * ((x - c) + lam * (x - w))
        path.append(L(x))
    # APFL on the same: alpha <- clip(alpha - lr * <v - w, grad F(alpha v + (1-alpha) w)>, 0, 1)
    al = 0.5
    mix = al * v + (1 - al) * w
    g = mix - c
    al2 = min(1.0, max(0.0, al - lr * float((v - w) @ g)))
    v2 = v - lr * al * g
    # IFCA
    losses = [[2.10, 1.90, 2.00], [1.50, 1.70, 1.50], [3.00, 2.99, 2.98]]
    # q-FFL (Li et al. 2020, q-FedAvg): dW_k = (1/lr)(w - w_k); D_k = F^q dW_k; h_k = q F^(q-1) |dW_k|^2 + (1/lr) F^q; w <- w - sum D / sum h
    F = np.array([1.2, 2.0, 3.5])
    wk = rand(3, 4, s=0.3)
    w0 = np.round(rng.standard_normal(4) * 0.3, 6)
    qffl = {}
    for q in (0.0, 1.0, 2.0):
        Lc = 1 / 0.5
        dW = Lc * (w0 - wk)
        D = (F ** q)[:, None] * dW
        h = q * F ** (q - 1) * (dW ** 2).sum(1) + Lc * F ** q
        qffl[str(q)] = L(w0 - D.sum(0) / h.sum())
    assert np.allclose(qffl["0.0"], wk.mean(0))
    # AFL: lambda <- projection on the simplex of lambda + gamma F
    def simplex(y):
        u = np.sort(y)[::-1]
        css = np.cumsum(u) - 1
        k = np.nonzero(u - css / np.arange(1, len(y) + 1) > 0)[0][-1]
        return np.maximum(y - css[k] / (k + 1), 0)
    lam0 = np.ones(3) / 3
    afl = simplex(lam0 + 0.1 * F)
    # TERM / tilted: weights proportional to exp(t F)
    t = 0.5
    tilt = np.exp(t * (F - F.max()))
    # fairness of a table of losses
    table = {"local": [2.40, 2.10, 3.00, 2.75, 1.90], "global": [2.30, 2.20, 2.60, 2.70, 2.05], "personal": [2.25, 2.05, 2.62, 2.58, 1.88]}
    fair = {}
    for k, vals in table.items():
        x = np.array(vals)
        fair[k] = {"mean": float(x.mean()), "worst": float(x.max()), "variance": float(x.var()), "worstDecile": float(np.percentile(x, 90)), "gap": float(x.max() - x.min())}
    g, pz = np.array(table["global"]), np.array(table["personal"])
    save("personal.json", {
        "ditto": {"v": L(v), "w": L(w), "optimum": L(c), "lambda": lam, "learningRate": lr, "steps": path, "note": "F = |v - c|^2 / 2"},
        "apfl": {"alpha": al, "mix": L(mix), "gradient": L(g), "nextAlpha": al2, "nextV": L(v2), "note": "gradient here is of F at the mix: mix - c", "gradientAtMix": L(mix - c)},
        "ifca": {"losses": losses, "assigned": [int(np.argmin(x)) for x in losses], "note": "ties go to the lower number"},
        "qfedavg": {"F": L(F), "w": L(w0), "wk": L(wk), "learningRate": 0.5, "next": qffl, "note": "q = 0 is the plain mean"},
        "afl": {"F": L(F), "gamma": 0.1, "lambda": L(lam0), "next": L(afl)}, "tilted": {"t": t, "weights": L(tilt / tilt.sum())},
        "fairness": {"losses": table, "expected": fair, "clientsBetterOffPersonal": int((pz < g).sum()),
                     "note": "variance over clients is the population one; the worst decile of a loss is numpy's linear percentile 90 (of an accuracy: percentile 10)"},
    })


# ---------------------------------------------------------------- 6 preferences
def preferences():
    beta = 0.1
    # pairs: (group, policy chosen, policy rejected, reference chosen, reference rejected) log-probabilities
    pairs = [[0, -20.0, -25.0, -22.0, -24.0], [0, -30.0, -29.0, -31.0, -31.0], [1, -18.0, -15.0, -17.0, -16.0], [1, -40.0, -44.0, -41.0, -42.0], [2, -12.0, -12.5, -12.0, -12.0]]
    h = [beta * ((a - c) - (b - d)) for _, a, b, c, d in pairs]
    loss = [math.log1p(math.exp(-x)) for x in h]
    ng = 3
    count = [sum(1 for x in pairs if x[0] == g) for g in range(ng)]
    mean = [sum(l for x, l in zip(pairs, loss) if x[0] == g) / count[g] for g in range(ng)]
    acc = [sum(1.0 if m > 0 else 0.5 if m == 0 else 0.0 for x, m in zip(pairs, h) if x[0] == g) / count[g] for g in range(ng)]
    eta, q = 0.5, np.ones(ng) / ng
    steps = []
    for _ in range(3):
        q = q * np.exp(eta * np.array(mean))
        q = q / q.sum()
        steps.append(L(q))
    # balanced assignment of six clients to three selectors (deterministic variant: regret order)
    T = np.array([[.60, .70, .71], [.50, .69, .72], [.55, .56, .70], [.68, .52, .60], [.66, .65, .58], [.59, .61, .62]])
    cap = math.ceil(len(T) / T.shape[1])
    order = sorted(range(len(T)), key=lambda i: (-(np.sort(T[i])[1] - np.sort(T[i])[0]), i))
    load, assigned = [0] * T.shape[1], [None] * len(T)
    for i in order:
        for k in np.argsort(T[i], kind="stable"):
            if load[k] < cap:
                assigned[i] = int(k)
                load[k] += 1
                break
    save("preferences.json", {
        "beta": beta, "pairs": pairs, "margins": h, "losses": loss, "groupLoss": mean, "groupAccuracy": acc, "worstGroup": int(np.argmin(acc)),
        "grdpo": {"eta": eta, "weights": steps, "robustLoss": float(np.dot(steps[-1], mean)), "note": "q_g <- q_g exp(eta * mean loss of g), normalised; three steps at fixed losses"},
        "balanced": {"losses": L(T), "capacity": cap, "order": order, "assigned": assigned, "note": "clients in order of how much they lose by their second choice, greatest first; ties by number"},
    })


# ---------------------------------------------------------------- 7 data quality
def quality():
    import hashlib, hmac
    cond, alone = [1.2, 0.8, 2.0, 0.4], [2.0, 1.1, 2.6, 1.5]  # nats per answer token, with and without the instruction
    n = len(cond)
    sc, sa = sum(cond) / n, sum(alone) / n
    key = b"federation-42"
    def shingles(text, k=5):
        words = text.lower().split()
        return sorted({" ".join(words[i:i + k]) for i in range(max(1, len(words) - k + 1))})
    def h64(i, s):
        return int.from_bytes(hmac.new(key, f"{i}|{s}".encode(), hashlib.sha256).digest()[:8], "big")
    def sketch(text, size=16):
        sh = shingles(text)
        return [min(h64(i, s) for s in sh) for i in range(size)]
    texts = ["Name three primary colours and say why they are called primary", "name three primary colours and say why they are called that",
             "Write a short poem about the sea in winter"]
    sk = [sketch(t) for t in texts]
    jac = lambda a, b: len(set(a) & set(b)) / len(set(a) | set(b))
    ex = [[jac(shingles(a), shingles(b)) for b in texts] for a in texts]
    est = [[sum(x == y for x, y in zip(a, b)) / 16 for b in sk] for a in sk]
    # a quantile agreed from histograms that clients add up
    edges = [0.0, 0.25, 0.5, 0.75, 1.0]
    hists = [[1, 4, 6, 2], [0, 2, 5, 9], [3, 3, 1, 0]]
    tot = [sum(c) for c in zip(*hists)]
    def quantile(p):
        want, seen = p * sum(tot), 0
        for k, c in enumerate(tot):
            if seen + c >= want and c > 0:
                return edges[k] + (edges[k + 1] - edges[k]) * (want - seen) / c
            seen += c
        return edges[-1]
    save("quality.json", {
        "ifd": {"conditional": cond, "alone": alone, "ratioOfLosses": sc / sa, "ratioOfPerplexities": math.exp(sc) / math.exp(sa),
                "ira": sa - sc, "iraSummed": sum(alone) - sum(cond)},
        "minhash": {"key": key.decode(), "k": 5, "size": 16, "hash": "first 8 bytes, big-endian, of HMAC-SHA256(key, '<i>|<shingle>')", "texts": texts,
                    "shingles": [shingles(t) for t in texts], "sketches": [[str(x) for x in s] for s in sk], "jaccard": ex, "estimate": est},
        "agreedThreshold": {"edges": edges, "histograms": hists, "sum": tot, "quantile30": quantile(0.3), "quantile50": quantile(0.5)},
    })


# ---------------------------------------------------------------- 8 zeroth order
def zeroth():
    c = np.array([1.0, -2.0, 0.5])
    f = lambda x: float(0.5 * ((x - c) ** 2).sum())
    x = np.array([0.2, 0.1, -0.3])
    eps, lr = 1e-3, 0.05
    seeds = {"7": [0.5, -1.0, 0.25], "11": [-0.75, 0.3, 1.5]}
    grads = {}
    for s, z in seeds.items():
        z = np.array(z)
        grads[s] = (f(x + eps * z) - f(x - eps * z)) / (2 * eps)
    pool = {"7": 0.6 * grads["7"] + 0.4 * 0.0, "11": 0.6 * 0.0 + 0.4 * grads["11"]}
    nxt = x - lr * sum(pool[s] * np.array(z) for s, z in seeds.items())
    save("zeroth-order.json", {"what": "f(x) = |x - c|^2 / 2; two clients of weights 0.6 and 0.4, one seed each; z given, since no two generators agree",
         "c": L(c), "x": L(x), "epsilon": eps, "learningRate": lr, "z": seeds, "scalarGradients": grads, "pool": pool, "next": L(nxt)})


equal_ranks()
mixed_ranks()
factored_svd()
padding()
server_momentum()
personal()
preferences()
quality()
zeroth()
print("written to", HERE)
