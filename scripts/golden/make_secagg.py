"""Golden numbers for secure aggregation. Writes secagg.json. Standard library only; slow and obvious on purpose:

    cd test/golden && python ../../scripts/golden/make_secagg.py

1. primitives against the RFCs' own vectors; 2. Shamir over GF(2^8); 3. a k-regular graph; 4. a whole round of double
masking with five clients, one lost before it sent its vector and one lost before it sent its shares; 5. headroom.
"""
import hashlib, hmac, json, struct

# ------------------------------------------------------------------ primitives
P = 2 ** 255 - 19

def x25519(k: bytes, u: bytes) -> bytes:                                        # RFC 7748, section 5
    n = bytearray(k); n[0] &= 248; n[31] &= 127; n[31] |= 64
    k, x1 = int.from_bytes(n, "little"), int.from_bytes(u, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = (k >> t) & 1
        if swap ^ bit: x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3, x2, z2 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P, aa * bb % P, e * (aa + 121665 * e) % P
    if swap: x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")

BASE = (9).to_bytes(32, "little")

def hkdf(ikm, salt, info, length):                                              # RFC 5869, SHA-256
    prk = hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()
    out, t, i = b"", b"", 1
    while len(out) < length:
        t = hmac.new(prk, t + info + bytes([i]), hashlib.sha256).digest(); out += t; i += 1
    return out[:length]

def chacha20_block(key, counter, nonce):                                        # RFC 8439
    s = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce)); w = s[:]
    rot = lambda x, n: ((x << n) | (x >> (32 - n))) & 0xffffffff
    def qr(a, b, c, d):
        w[a] = (w[a] + w[b]) & 0xffffffff; w[d] = rot(w[d] ^ w[a], 16); w[c] = (w[c] + w[d]) & 0xffffffff; w[b] = rot(w[b] ^ w[c], 12)
        w[a] = (w[a] + w[b]) & 0xffffffff; w[d] = rot(w[d] ^ w[a], 8); w[c] = (w[c] + w[d]) & 0xffffffff; w[b] = rot(w[b] ^ w[c], 7)
    for _ in range(10):
        for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)): qr(*q)
    return struct.pack("<16I", *((a + b) & 0xffffffff for a, b in zip(s, w)))

def chacha20(key, counter, nonce, data):
    stream = b"".join(chacha20_block(key, counter + i, nonce) for i in range((len(data) + 63) // 64))
    return bytes(a ^ b for a, b in zip(data, stream))

def gmul(a, b):                                                                 # GF(2^8), x^8+x^4+x^3+x+1
    r = 0
    while b:
        if b & 1: r ^= a
        a = (a << 1) ^ (0x11b if a & 0x80 else 0); b >>= 1
    return r

def ginv(a):
    r = 1
    for _ in range(254): r = gmul(r, a)
    return r

SBOX = []
for i in range(256):
    b = ginv(i) if i else 0; x = b
    for s in range(1, 5): x ^= ((b << s) | (b >> (8 - s))) & 0xff
    SBOX.append(x ^ 0x63)

def aes_block(key, block):                                                      # AES-256, FIPS 197
    w = [list(key[4 * i:4 * i + 4]) for i in range(8)]; rcon = 1
    for i in range(8, 60):
        t = w[i - 1][:]
        if i % 8 == 0: t = [SBOX[v] for v in t[1:] + t[:1]]; t[0] ^= rcon; rcon = gmul(rcon, 2)
        elif i % 8 == 4: t = [SBOX[v] for v in t]
        w.append([a ^ b for a, b in zip(w[i - 8], t)])
    rk = lambda r: [v for word in w[4 * r:4 * r + 4] for v in word]
    s = [a ^ b for a, b in zip(block, rk(0))]
    for r in range(1, 15):
        s = [SBOX[v] for v in s]; s = [s[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if r < 14:
            m = []
            for c in range(4):
                a = s[4 * c:4 * c + 4]
                m += [gmul(a[i], 2) ^ gmul(a[(i + 1) % 4], 3) ^ a[(i + 2) % 4] ^ a[(i + 3) % 4] for i in range(4)]
            s = m
        s = [a ^ b for a, b in zip(s, rk(r))]
    return bytes(s)

def aes_ctr(key, counter16, data):                                              # the whole 16-byte block counts, big-endian
    c, out = int.from_bytes(counter16, "big"), b""
    for i in range(0, len(data), 16):
        ks = aes_block(key, ((c + i // 16) % 2 ** 128).to_bytes(16, "big")); out += bytes(a ^ b for a, b in zip(data[i:i + 16], ks))
    return out

def aes_gcm(key, iv12, data, aad):
    h = int.from_bytes(aes_block(key, bytes(16)), "big")
    def mul(x, y):
        z = 0
        for i in range(127, -1, -1):
            if (x >> i) & 1: z ^= y
            y = (y >> 1) ^ (0xe1 << 120 if y & 1 else 0)
        return z
    pad = lambda b: b + bytes(-len(b) % 16)
    j0 = iv12 + b"\0\0\0\1"; ct = aes_ctr(key, iv12 + b"\0\0\0\2", data); g = 0
    for blk in [*(pad(aad)[i:i + 16] for i in range(0, len(pad(aad)), 16)), *(pad(ct)[i:i + 16] for i in range(0, len(pad(ct)), 16)), struct.pack(">QQ", len(aad) * 8, len(ct) * 8)]:
        g = mul(g ^ int.from_bytes(blk, "big"), h)
    return ct + bytes(a ^ b for a, b in zip(g.to_bytes(16, "big"), aes_block(key, j0)))

# Ed25519, RFC 8032 section 5.1
L = 2 ** 252 + 27742317777372353535851937790883648493; D = -121665 * pow(121666, P - 2, P) % P; I = pow(2, (P - 1) // 4, P)
def xrec(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P; x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P: x = x * I % P
    return P - x if x & 1 != sign else x
B = (xrec(4 * pow(5, P - 2, P) % P, 0), 4 * pow(5, P - 2, P) % P)
def add(p, q):
    (x1, y1), (x2, y2) = p, q; t = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P
def mul(p, n):
    r = (0, 1)
    while n:
        if n & 1: r = add(r, p)
        p = add(p, p); n >>= 1
    return r
enc = lambda p: (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")
def ed_keys(seed):
    h = hashlib.sha512(seed).digest(); a = bytearray(h[:32]); a[0] &= 248; a[31] &= 127; a[31] |= 64; a = int.from_bytes(a, "little")
    return a, h[32:], enc(mul(B, a))
def ed_sign(seed, m):
    a, prefix, pk = ed_keys(seed); H = lambda *b: int.from_bytes(hashlib.sha512(b"".join(b)).digest(), "little") % L
    r = H(prefix, m); R = enc(mul(B, r)); return R + ((r + H(R, pk, m) * a) % L).to_bytes(32, "little")

# ------------------------------------------------------------------ Shamir, a byte at a time over GF(2^8)
def shamir_split(secret, threshold, xs, stream):
    """Coefficients of byte i: stream[i*(t-1) : (i+1)*(t-1)], lowest degree first. x is 1 to 255."""
    out = []
    for x in xs:
        share = bytearray()
        for i, s in enumerate(secret):
            y, power = s, 1
            for c in stream[i * (threshold - 1):(i + 1) * (threshold - 1)]: power = gmul(power, x); y ^= gmul(c, power)
            share.append(y)
        out.append(bytes(share))
    return out

def shamir_combine(shares):
    xs = list(shares); out = bytearray(len(shares[xs[0]]))
    for x in xs:
        l = 1
        for o in xs:
            if o != x: l = gmul(l, gmul(o, ginv(o ^ x)))
        for i, y in enumerate(shares[x]): out[i] ^= gmul(l, y)
    return bytes(out)

# ------------------------------------------------------------------ fixed point with headroom
def quantise(x, scale, uniform):
    """floor(x*scale + u), u uniform in [0, 1): unbiased."""
    import math
    return [math.floor(v * scale + u) for v, u in zip(x, uniform)]

def toy():
    run, rnd, n, t, k, d = b"toy-run", 7, 5, 3, 32, 8
    ids = [f"client-{i}" for i in range(1, n + 1)]
    MOD, clip, weight_max = 1 << k, 1.0, 16
    label = lambda what: b"openfedllm/secagg/1 " + what
    salt = hashlib.sha256(run + b"|" + struct.pack("<I", rnd)).digest()
    C = {}
    for i, cid in enumerate(ids):
        master = hashlib.sha256(f"toy master {cid}".encode()).digest()          # in life: 32 random bytes, kept before phase 0
        identity = hashlib.sha256(f"toy identity {cid}".encode()).digest()
        c = {"id": cid, "x": i + 1, "master": master, "identity": identity, "identity_pk": ed_keys(identity)[2]}
        for name in ("channel_sk", "mask_sk", "self_seed"): c[name] = hkdf(master, salt, label(name.encode()), 32)
        c["channel_pk"], c["mask_pk"] = x25519(c["channel_sk"], BASE), x25519(c["mask_sk"], BASE)
        c["signed"] = run + b"|" + struct.pack("<I", rnd) + b"|" + cid.encode() + b"|" + c["channel_pk"] + c["mask_pk"]
        c["signature"] = ed_sign(identity, c["signed"])
        c["coeff_mask_sk"] = hkdf(master, salt, label(b"shamir mask_sk"), 32 * (t - 1))
        c["coeff_self"] = hkdf(master, salt, label(b"shamir self_seed"), 32 * (t - 1))
        c["shares_mask_sk"] = shamir_split(c["mask_sk"], t, range(1, n + 1), c["coeff_mask_sk"])
        c["shares_self"] = shamir_split(c["self_seed"], t, range(1, n + 1), c["coeff_self"])
        C[cid] = c
    # phase 1: shares to each neighbour, AES-256-GCM, key from X25519, associated data says who to whom in which round
    for u in C.values():
        u["sealed"] = {}
        for v in C.values():
            if u is v: continue
            key = hkdf(x25519(u["channel_sk"], v["channel_pk"]), salt, label(b"channel ") + u["id"].encode() + b">" + v["id"].encode(), 44)
            aad = run + b"|" + struct.pack("<I", rnd) + b"|" + u["id"].encode() + b">" + v["id"].encode()
            u["sealed"][v["id"]] = aes_gcm(key[:32], key[32:], u["shares_mask_sk"][v["x"] - 1] + u["shares_self"][v["x"] - 1], aad)
    # phase 2: vectors
    words = lambda seed: list(struct.unpack(f"<{d}I", aes_ctr(seed, bytes(16), bytes(4 * d))))
    def pair_seed(sk, pk, a, b): return hkdf(x25519(sk, pk), salt, label(b"mask ") + min(a, b).encode() + b"|" + max(a, b).encode(), 32)
    scale = (2 ** (k - 1) - 1) // (n * weight_max) - 1                          # sum over n clients of weight <= 16 never wraps
    for i, u in enumerate(C.values()):
        u["records"] = [3, 16, 5, 1, 8][i]
        u["delta"] = [round(((j * 37 + i * 101) % 41 - 20) / 20, 4) for j in range(d)]
        u["uniform"] = [((j * 7 + i * 3) % 16) / 16 for j in range(d)]
        u["integers"] = quantise([u["records"] * v for v in u["delta"]], scale, u["uniform"])
        u["vector"] = [v % MOD for v in u["integers"]]
        y = [(a + b) % MOD for a, b in zip(u["vector"], words(u["self_seed"]))]
        for v in C.values():
            if v is u: continue
            s = pair_seed(u["mask_sk"], v["mask_pk"], u["id"], v["id"]); sign = 1 if u["id"] < v["id"] else -1
            y = [(a + sign * m) % MOD for a, m in zip(y, words(s))]
        u["masked"] = y
    # client-4 is lost after phase 1 (no vector); client-5 after phase 2 (vector, no shares)
    survivors = [c for c in ids if c != "client-4"]; unmaskers = ["client-1", "client-2", "client-3"]
    total = [sum(C[c]["masked"][j] for c in survivors) % MOD for j in range(d)]
    for c in survivors:
        seed = shamir_combine({C[h]["x"]: C[c]["shares_self"][C[h]["x"] - 1] for h in unmaskers}); assert seed == C[c]["self_seed"]
        total = [(a - m) % MOD for a, m in zip(total, words(seed))]
    lost = "client-4"; sk = shamir_combine({C[h]["x"]: C[lost]["shares_mask_sk"][C[h]["x"] - 1] for h in unmaskers}); assert sk == C[lost]["mask_sk"]
    for c in survivors:                                                          # take out what survivors masked towards the lost one
        m = words(pair_seed(sk, C[c]["mask_pk"], lost, c)); sign = 1 if c < lost else -1
        total = [(a - sign * v) % MOD for a, v in zip(total, m)]
    signed = [v - MOD if v >= MOD // 2 else v for v in total]
    assert signed == [sum(C[c]["integers"][j] for c in survivors) for j in range(d)]
    W = sum(C[c]["records"] for c in survivors)
    hx = lambda v: v.hex() if isinstance(v, bytes) else [hx(a) for a in v] if isinstance(v, list) and v and isinstance(v[0], bytes) else {a: hx(b) for a, b in v.items()} if isinstance(v, dict) else v
    return {"run": run.decode(), "round": rnd, "threshold": t, "bits": k, "length": d, "scale": scale, "salt": salt.hex(), "label": "openfedllm/secagg/1 ",
            "clients": [hx({a: b for a, b in c.items()}) for c in C.values()],
            "pair_seeds": {f"{a}|{b}": pair_seed(C[a]["mask_sk"], C[b]["mask_pk"], a, b).hex() for a in ids for b in ids if a < b},
            "self_masks": {c: words(C[c]["self_seed"]) for c in ids},
            "survivors": survivors, "unmaskers": unmaskers, "sum_mod": total, "sum": signed, "weighted_mean": [v / scale / W for v in signed],
            "plain_weighted_mean": [sum(C[c]["records"] * C[c]["delta"][j] for c in survivors) / W for j in range(d)]}

def graph(n, k, order):
    """Circulant graph on a shuffled ring: neighbours are those at most k/2 places away."""
    place = {c: i for i, c in enumerate(order)}
    return {str(c): sorted(order[(place[c] + s) % n] for s in [*range(-(k // 2), 0), *range(1, k // 2 + 1)]) for c in range(n)}

def graph_table():
    """Smallest even k with P(some client's neighbourhood is bad) < 2^-40 (hypergeometric, union bound): all of k corrupt or
    lost beyond t. t = floor(2k/3)+1; corrupt fraction gamma, dropout fraction delta. Both must hold:
    at most t-1 corrupt among the k+1 holders (secrecy) and at least t of them alive (recovery, 2^-20)."""
    from math import lgamma, exp
    lc = lambda a, b: lgamma(a + 1) - lgamma(b + 1) - lgamma(a - b + 1)
    def tail(N, K, m, x):  # P(Hypergeom(N, K, m) >= x)
        return sum(exp(lc(K, i) + lc(N - K, m - i) - lc(N, m)) for i in range(max(x, m - (N - K)), min(m, K) + 1))
    rows = []
    for n in (100, 300, 1000, 10000):
        for gamma, delta in ((0.05, 0.05), (0.1, 0.1), (0.2, 0.1), (0.33, 0.05)):
            for k in range(4, n, 2):
                best = None
                for t in range(k // 2 + 1, k + 1):
                    secret = n * tail(n - 1, int(gamma * n), k, t); lost = n * tail(n - 1, int(delta * n), k, k - t + 1)
                    if secret < 2 ** -40 and lost < 2 ** -20: best = t; break
                if best: rows.append({"clients": n, "corrupt": gamma, "dropout": delta, "neighbours": k, "threshold": best}); break
            else: rows.append({"clients": n, "corrupt": gamma, "dropout": delta, "neighbours": None, "threshold": None})
    return rows

def costs():
    """Bytes by formula. Per neighbour: 2 keys of 32 + signature 64 + id 16 read; sealed shares 64+16 sent and read; unmask share 32+4."""
    rows = []
    for n, k in ((10, 9), (100, 99), (1000, 999), (1000, 100)):
        for d in (10 ** 6, 10 ** 7):
            up = 144 + 80 * k + 64 + 36 * (k + 1); down = 144 * k + 80 * k + 80 * k
            for bits in (32, 16):
                vec = d * bits // 8
                rows.append({"clients": n, "neighbours": k, "length": d, "bits": bits, "client_up": vec + up, "client_up_beyond_vector": up, "client_down_beyond_model": down,
                             "client_prg_bytes": (k + 1) * vec, "server_in": n * (vec + up), "server_prg_bytes_no_dropout": n * vec, "server_prg_bytes_10pct_dropout": (n - n // 10) * vec + (n // 10) * k * vec,
                             "client_x25519": 2 + 2 * k, "server_x25519_10pct_dropout": (n // 10) * k})
    return rows

def main():
    h = bytes.fromhex; vec = []
    def check(name, got, want): assert got == want, (name, got, want); vec.append({"name": name, "value": got})
    check("RFC 7748 5.2 vector 1", x25519(h("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"), h("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")).hex(), "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    check("RFC 7748 5.2 vector 2", x25519(h("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"), h("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493")).hex(), "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")
    k = u = BASE
    for i in range(1000):
        k, u = x25519(k, u), k
        if i == 0: check("RFC 7748 5.2 after 1 iteration", k.hex(), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
    check("RFC 7748 5.2 after 1000 iterations", k.hex(), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
    alice, bob = h("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"), h("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    check("RFC 7748 6.1 Alice's public key", x25519(alice, BASE).hex(), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    check("RFC 7748 6.1 Bob's public key", x25519(bob, BASE).hex(), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    check("RFC 7748 6.1 shared secret", x25519(alice, x25519(bob, BASE)).hex(), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    check("X25519 with the point 0: all zeros, to be refused (RFC 7748 6.1)", x25519(alice, bytes(32)).hex(), "00" * 32)
    check("X25519 with the low-order point 1: all zeros, to be refused", x25519(alice, b"\1" + bytes(31)).hex(), "00" * 32)
    check("RFC 5869 A.1", hkdf(b"\x0b" * 22, h("000102030405060708090a0b0c"), h("f0f1f2f3f4f5f6f7f8f9"), 42).hex(), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    check("RFC 5869 A.2", hkdf(bytes(range(80)), bytes(range(0x60, 0xb0)), bytes(range(0xb0, 0x100)), 82).hex(), "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87")
    check("RFC 5869 A.3", hkdf(b"\x0b" * 22, b"", b"", 42).hex(), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
    check("RFC 8439 2.3.2 block", chacha20_block(bytes(range(32)), 1, h("000000090000004a00000000")).hex(), "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e")
    sun = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    check("RFC 8439 2.4.2 ciphertext, first 32 bytes", chacha20(bytes(range(32)), 1, h("000000000000004a00000000"), sun).hex()[:64], "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b")
    check("SP 800-38A F.5.5 AES-256-CTR, block 1", aes_ctr(h("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"), h("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), h("6bc1bee22e409f96e93d7e117393172a")).hex(), "601ec313775789a5b7a7f504bbf3d228")
    check("GCM test case 14 (AES-256)", aes_gcm(bytes(32), bytes(12), bytes(16), b"").hex(), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
    check("RFC 8032 7.1 test 1, public key", ed_keys(h("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))[2].hex(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    check("RFC 8032 7.1 test 1, signature", ed_sign(h("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), b"").hex(), "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
    s = bytes(range(32)); coeff = hashlib.sha256(b"coefficients").digest() * 2
    shares = shamir_split(s, 3, [1, 2, 3, 7, 255], coeff)
    assert shamir_combine({1: shares[0], 7: shares[3], 255: shares[4]}) == s and shamir_combine({1: shares[0], 2: shares[1]}) != s
    out = {"primitives": vec, "shamir_gf256": {"secret": s.hex(), "threshold": 3, "coefficients": coeff.hex(), "x": [1, 2, 3, 7, 255], "shares": [a.hex() for a in shares], "products": [{"a": a, "b": b, "ab": gmul(a, b)} for a, b in ((2, 128), (0x53, 0xca), (255, 255), (3, 7))]},
           "graph": {"order": [3, 8, 0, 5, 9, 1, 7, 2, 6, 4], "neighbours_of_each": 4, "neighbours": graph(10, 4, [3, 8, 0, 5, 9, 1, 7, 2, 6, 4])},
           "graph_sizes": graph_table(), "costs": costs(), "round": toy()}
    json.dump(out, open("secagg.json", "w"), indent=1)
    print(out["round"]["sum"], out["round"]["weighted_mean"], out["round"]["plain_weighted_mean"]); [print(r) for r in out["graph_sizes"]]; [print(r) for r in out["costs"]]

if __name__ == "__main__":
    main()
