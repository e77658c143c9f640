"""Golden numbers for compressed updates. Writes test/golden/compression.json. Needs numpy."""
import json, math
import numpy as np
L = lambda a: np.asarray(a).tolist()

def uniforms(n, a=7, c=3, m=16): return np.array([((i * a + c) % m) / m for i in range(n)])

def quantise_rows(X, bits, u):
    """Symmetric, a scale a group: q = floor(x/s + u) in [-Q, Q], s = max|x|/Q, Q = 2^(bits-1)-1. A group of zeros has scale 0."""
    Q = 2 ** (bits - 1) - 1; s = (np.abs(X).max(1) / Q).astype(np.float32).astype(float)
    q = np.array([np.clip(np.floor(x / si + ui), -Q, Q) if si > 0 else np.zeros(len(x)) for x, si, ui in zip(X, s, u)]).astype(int)
    return s, q, q * s[:, None]

def pack4(q): b = [int(v) & 15 for v in q.ravel()]; b += [0] * (len(b) % 2); return bytes(b[i] | b[i + 1] << 4 for i in range(0, len(b), 2))

def qsgd(x, s, u):
    n = float(np.linalg.norm(x)); t = np.abs(x) / n * s; lev = np.floor(t) + (u < t - np.floor(t)); return n, (np.sign(x) * lev).astype(int), np.sign(x) * lev * n / s

def varint(v):
    out = bytearray()
    while True:
        b = v & 127; v >>= 7; out.append(b | (128 if v else 0))
        if not v: return bytes(out)

def topk(x, k):
    """Largest magnitudes; of equals the lower index; indices ascending."""
    o = sorted(sorted(range(len(x)), key=lambda i: (-abs(x[i]), i))[:k]); y = np.zeros(len(x)); y[o] = x[o]; return o, y

def encode_topk(idx, n):
    """Gaps as varints, or a bitmap where that is shorter. Gap of the first is the index itself, then difference - 1."""
    gaps = [idx[0]] + [b - a - 1 for a, b in zip(idx, idx[1:])] if idx else []
    v = b"".join(map(varint, gaps)); bitmap = bytearray((n + 7) // 8)
    for i in idx: bitmap[i >> 3] |= 1 << (i & 7)
    return {"gaps": gaps, "varint": v.hex(), "bitmap": bytes(bitmap).hex(), "chosen": "varint" if len(v) <= len(bitmap) else "bitmap"}

def terngrad(x, u): s = float(np.abs(x).max()); b = (u < np.abs(x) / s).astype(int); return s, (np.sign(x) * b).astype(int), np.sign(x) * b * s
def pack3(t): d = [int(v) + 1 for v in t] + [1] * (-len(t) % 5); return bytes(sum(d[i + j] * 3 ** j for j in range(5)) for i in range(0, len(d), 5))
def scaled_sign(x): return float(np.abs(x).mean()) * np.where(x < 0, -1.0, 1.0)

def ef14(deltas, C, accepted):
    """e kept by the client: p = delta + e; send C(p); e' = p - C(p), which counts only where the round accepted the update."""
    e = np.zeros(len(deltas[0])); out = []
    for d, ok in zip(deltas, accepted):
        p = d + e; s = C(p); nxt = p - s
        out.append({"delta": L(d), "error_before": L(e), "sent": L(s), "accepted": ok, "error_after": L(nxt if ok else e)}); e = nxt if ok else e
    return out

def ef21(deltas, C):
    """g on both sides: send c = C(delta - g); g <- g + c; the server averages the g."""
    g = np.zeros(len(deltas[0])); out = []
    for d in deltas: c = C(d - g); g = g + c; out.append({"delta": L(d), "sent": L(c), "g": L(g)})
    return out

def downlink(globals_, C):
    """Server keeps what clients hold, h: sends C(w - h); both h <- h + C(w - h). The error feeds back by itself."""
    h = globals_[0]; out = []
    for w in globals_[1:]: c = C(w - h); h = h + c; out.append({"global": L(w), "sent": L(c), "clients_hold": L(h)})
    return out

def sizes():
    """Bytes of one update, LoRA rank r on modules (d x k): A [r,k], B [d,r]; header is the safetensors JSON, about 90 bytes a tensor."""
    rows = []
    for name, mods, r in (("Qwen2.5-0.5B-like q,v of 24 layers", [(896, 896), (128, 896)] * 24, 8), ("same, all linear", [(896, 896), (128, 896), (128, 896), (896, 896), (4864, 896), (4864, 896), (896, 4864)] * 24, 16)):
        n = sum(r * (d + k) for d, k in mods); T = 2 * len(mods); head = 8 + 90 * T; groups_rank = T * r; groups_row = sum(r + d for d, k in mods)
        row = {"what": name, "rank": r, "parameters": n, "tensors": T, "float32": 4 * n + head, "float16": 2 * n + head}
        for b in (8, 4): row[f"int{b}_scale_per_rank_component"] = math.ceil(n * b / 8) + 4 * groups_rank + head; row[f"int{b}_scale_per_row"] = math.ceil(n * b / 8) + 4 * groups_row + head
        row["int4_blocks_of_64"] = math.ceil(n * 4 / 8) + 4 * math.ceil(n / 64) + head; row["ternary_5_per_byte"] = math.ceil(n / 5) + 4 * T + head
        k = n // 100; row["top1pct_int8_values_varint_gaps"] = k + round(k * 1.55) + 8 * T + head; row["top1pct_entropy_of_positions_bytes"] = round(n * (-(0.01 * math.log2(0.01) + 0.99 * math.log2(0.99))) / 8)
        row["secagg_uint32"] = 4 * n; row["secagg_uint16"] = 2 * n; row["ratio_to_float32"] = {a: round(v / row["float32"], 5) for a, v in row.items() if isinstance(v, int) and a not in ("rank", "parameters", "tensors")}
        rows.append(row)
    return rows

if __name__ == "__main__":
    X = np.array([[((i * 13 + j * 29) % 37 - 18) / 32 for j in range(8)] for i in range(3)] + [[0.0] * 8]); u = uniforms(32).reshape(4, 8); x = X.ravel()[:16]
    out = {"x": L(X), "uniforms": L(u)}
    for b in (8, 4): s, q, y = quantise_rows(X, b, u); out[f"int{b}"] = {"scales_float32": L(s), "q": L(q), "decoded": L(y), **({"packed_low_nibble_first": pack4(q).hex()} if b == 4 else {})}
    n, q, y = qsgd(x, 4, u.ravel()[:16]); out["qsgd"] = {"levels": 4, "norm": n, "q": L(q), "decoded": L(y)}
    s, t, y = terngrad(x, u.ravel()[:16]); out["terngrad"] = {"scale": s, "t": L(t), "packed_5_per_byte": pack3(t).hex(), "decoded": L(y)}
    out["scaled_sign"] = L(scaled_sign(x)); o, y = topk(x, 5); out["topk"] = {"k": 5, "indices": o, "decoded": L(y), **encode_topk(o, 16)}; out["topk_far"] = {"n": 5000, "indices": [0, 1, 200, 4999], **{k: v for k, v in encode_topk([0, 1, 200, 4999], 5000).items() if k != "bitmap"}}
    D = [np.array(v, float) for v in ([1, -0.5, 0.25, 0], [0.25, -0.5, 0.25, 0.125], [0, -0.25, 0.5, 0.125], [0.5, 0, 0.5, 0])]; C1 = lambda p: topk(p, 1)[1]
    out["ef14_top1"] = ef14(D, C1, [True, False, True, True]); out["ef14_scaled_sign"] = ef14(D, scaled_sign, [True] * 4); out["ef21_top1"] = ef21(D, C1)
    out["downlink_top1"] = downlink([np.zeros(4)] + [np.cumsum(D, 0)[i] for i in range(4)], C1)
    out["sizes"] = sizes(); out["published"] = {"nvflare_gpt_neo_1.3B_MB": {"float32": 5411.16, "float16": 2705.58, "8bit": [1352.79, 1.63], "4bit": [676.39, 84.57]}, "nvflare_ratio": {"8bit": (1352.79 + 1.63) / 5411.16, "4bit": (676.39 + 84.57) / 5411.16}, "four_bits_and_a_float32_per_64": 4.5 / 32}
    json.dump(out, open("test/golden/compression.json", "w"), indent=1)
