"""Golden numbers for preference objectives, made with PyTorch, transformers and peft, from the papers' formulas.

  python make_objectives.py GOLDEN_DIR FAMILY...      (after make_golden.py, whose model, adapter and pair.json it reads)

For each family it writes into GOLDEN_DIR/FAMILY/ :
  objectives.json   rated: KTO's answers (token ids), twice, for a z0 above 0 and one held at 0; cases: objective, settings,
                    which items, loss, the loss, log-probabilities and rewards of each item, z0
  objectives_grads.safetensors   gradient of every LoRA tensor in every case, as CASE/PEFT name

Where trl can be imported, its loss functions are run on the same log-probabilities and must agree; made_with says so.
"""
import json, os, sys, types
import peft, torch, transformers as tf
from safetensors.torch import save_file
from torch.nn.functional import logsigmoid

try:
    import trl
    from trl.experimental.cpo import CPOTrainer
    from trl.experimental.orpo import ORPOTrainer
except ImportError:
    trl = None


def load(folder):
    model = tf.AutoModelForCausalLM.from_pretrained(os.path.join(folder, "model"), attn_implementation="eager").float()
    model = peft.PeftModel.from_pretrained(model, os.path.join(folder, "adapter"), is_trainable=True)
    return model.eval(), {n: p for n, p in model.named_parameters() if p.requires_grad}


def logps(model, prompt, answer):
    """Log-probability of every token of the answer."""
    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    return logits[len(prompt) - 1 : -1].gather(1, torch.tensor(answer)[:, None])[:, 0]


def base_logps(model, prompt, answer):
    with torch.no_grad(), model.disable_adapter():
        return logps(model, prompt, answer)


def pair_loss(objective, s, pc, pr, rc, rr):
    """Loss and the two rewards of one pair, from token log-probabilities; rc and rr are the base's."""
    beta = s["beta"]
    if objective in ("dpo", "hinge"):
        chosen, rejected = beta * (pc.sum() - rc.sum()), beta * (pr.sum() - rr.sum())
        h = chosen - rejected
        e = s["labelSmoothing"]
        loss = -(1 - e) * logsigmoid(h) - e * logsigmoid(-h) if objective == "dpo" else torch.relu(1 - h)
    elif objective == "ipo":
        chosen, rejected = (pc - rc).mean(), (pr - rr).mean()
        loss = (chosen - rejected - 1 / (2 * beta)) ** 2
        chosen, rejected = beta * chosen, beta * rejected
    elif objective == "simpo":
        chosen, rejected = beta * pc.mean(), beta * pr.mean()
        loss = -logsigmoid(chosen - rejected - s["gamma"])
    elif objective == "orpo":
        odds = lambda u: torch.log(u.exp() / (1 - u.exp()))
        loss = -pc.mean() - beta * logsigmoid(odds(pc.mean()) - odds(pr.mean()))
        chosen, rejected = beta * pc.mean(), beta * pr.mean()
    return loss, chosen, rejected


def trl_pair_loss(objective, s, pc, pr, rc, rr):
    """The same by trl: its reference-free losses given log-ratios are those with a reference."""
    me = types.SimpleNamespace(beta=s["beta"], label_smoothing=s["labelSmoothing"], alpha=0.0, simpo_gamma=s["gamma"],
                               loss_type={"dpo": "sigmoid"}.get(objective, objective),
                               accelerator=types.SimpleNamespace(device=torch.device("cpu")))
    if objective == "orpo":
        return -pc.mean() - ORPOTrainer.odds_ratio_loss(me, pc.mean()[None], pr.mean()[None])[0][0]
    score = {"dpo": lambda p, r: (p - r).sum(), "hinge": lambda p, r: (p - r).sum(), "ipo": lambda p, r: (p - r).mean(),
             "simpo": lambda p, r: p.mean()}[objective]
    if objective != "dpo":
        me.label_smoothing = 0.0
    return CPOTrainer.cpo_loss(me, score(pc, rc)[None], score(pr, rr)[None])[0][0]


def trl_orpo(model, pairs, beta):
    """TRL's ORPO of a whole batch, by its own forward: the likelihood covers prompt and answer, token by token."""
    me = types.SimpleNamespace(beta=beta, is_encoder_decoder=False, padding_value=0, aux_loss_enabled=False,
                               accelerator=types.SimpleNamespace(device=torch.device("cpu")),
                               concatenated_inputs=ORPOTrainer.concatenated_inputs, get_batch_logps=ORPOTrainer.get_batch_logps)
    batch = {}
    for which, at in (("chosen", 1), ("rejected", 2)):
        whole = [p[0] + p[at] for p in pairs]
        longest = max(map(len, whole))
        pad = lambda rows, fill: torch.tensor([row + [fill] * (longest - len(row)) for row in rows])
        batch[f"{which}_input_ids"] = pad(whole, 0)
        batch[f"{which}_attention_mask"] = pad([[1] * len(row) for row in whole], 0)
        batch[f"{which}_labels"] = pad([[-100] * len(p[0]) + p[at] for p in pairs], -100)
    chosen, rejected, _, _, nll = ORPOTrainer.concatenated_forward(me, model, batch)
    return nll - ORPOTrainer.odds_ratio_loss(me, chosen, rejected)[0].mean()


def rated_items(model, pair):
    """Answers, rated, with the mismatched answer of the largest or the smallest log-ratio to the base among some."""
    torch.manual_seed(0)
    strays = [torch.randint(3, model.config.vocab_size, (k,)).tolist() + [2] for k in (3, 4, 5, 6) * 5]
    answers = [(i, side, pair[side][i]) for i in range(len(pair["prompt"])) for side in ("chosen", "rejected")]
    sets = {"apart": [], "held": []}
    for i, side, answer in answers:
        prompt = pair["prompt"][i]
        others = [a for j, _, a in answers if j != i] + strays
        with torch.no_grad():
            others.sort(key=lambda a: (logps(model, prompt, a) - base_logps(model, prompt, a)).sum().item())
        for name, mismatched in (("apart", others[-1]), ("held", others[0])):
            sets[name].append(dict(prompt=prompt, answer=answer, mismatched=mismatched, desirable=side == "chosen"))
    # Unequal sides and an odd number of items: weights and means must not lean on balance.
    return {name: items[:-1] for name, items in sets.items()}


def main(folder, families):
    for family in families:
        d = os.path.join(folder, family)
        model, lora = load(d)
        pair = json.load(open(os.path.join(d, "pair.json")))
        pairs = list(zip(pair["prompt"], pair["chosen"], pair["rejected"]))
        rated = rated_items(model, pair)
        with torch.no_grad():
            ratios = [((logps(model, p, c) - base_logps(model, p, c)).sum() - (logps(model, p, r) - base_logps(model, p, r)).sum()).item()
                      for p, c, r in pairs]
        # One pair's margin above 1 and the other's below: the hinge is off for one of them.
        between = round(2 / (max(ratios) + max(min(ratios), 0)), 3)
        defaults = dict(beta=0.1, labelSmoothing=0.0, gamma=0.5, desirableWeight=1.0, undesirableWeight=1.0)
        cases = [
            ("dpo-smoothed", "dpo", dict(labelSmoothing=0.2), "pairs"),
            ("dpo-steep", "dpo", dict(beta=between), "pairs"),
            ("ipo", "ipo", {}, "pairs"),
            ("hinge", "hinge", {}, "pairs"),
            ("hinge-half", "hinge", dict(beta=between), "pairs"),
            ("simpo", "simpo", dict(beta=2.0), "pairs"),
            ("orpo", "orpo", dict(beta=0.25), "pairs"),
            ("kto", "kto", {}, "apart"),
            ("kto-weighted", "kto", dict(beta=0.5, desirableWeight=0.7, undesirableWeight=1.4), "held"),
        ]
        made, grads = [], {}
        for title, objective, settings, which in cases:
            s = {**defaults, **settings}
            model.zero_grad()
            items, losses, z0 = [], [], 0.0
            if which == "pairs":
                for p, c, r in pairs:
                    tokens = logps(model, p, c), logps(model, p, r), base_logps(model, p, c), base_logps(model, p, r)
                    loss, chosen, rejected = pair_loss(objective, s, *tokens)
                    if trl:
                        assert abs(loss.item() - trl_pair_loss(objective, s, *tokens).item()) < 1e-5, (title, loss)
                    losses.append(loss)
                    items.append(dict(loss=loss.item(), chosen_logp=tokens[0].sum().item(), rejected_logp=tokens[1].sum().item(),
                                      chosen_reward=chosen.item(), rejected_reward=rejected.item()))
            else:
                with torch.no_grad():
                    apart = [(logps(model, i["prompt"], i["mismatched"]) - base_logps(model, i["prompt"], i["mismatched"])).sum()
                             for i in rated[which]]
                    z0 = max(0.0, torch.stack(apart).mean().item())
                for i in rated[which]:
                    ratio = (logps(model, i["prompt"], i["answer"]) - base_logps(model, i["prompt"], i["answer"])).sum()
                    good = 1 - torch.sigmoid(s["beta"] * (ratio - z0))
                    bad = 1 - torch.sigmoid(s["beta"] * (z0 - ratio))
                    loss = s["desirableWeight"] * good if i["desirable"] else s["undesirableWeight"] * bad
                    losses.append(loss)
                    items.append(dict(loss=loss.item(), reward=(s["beta"] * ratio).item()))
            total = torch.stack(losses).mean()
            total.backward()
            for n, p in lora.items():
                grads[f"{title}/{n.replace('.default', '')}"] = p.grad.clone()
            made.append(dict(title=title, objective=objective, settings=s, items=which, loss=total.item(), z0=z0, values=items))
            print(family, title, total.item(), "z0", z0, [round(i["loss"], 4) for i in items])
        if trl:
            model.zero_grad()
            loss = trl_orpo(model, pairs, 0.25)
            loss.backward()
            for n, p in lora.items():
                grads[f"orpo-trl/{n.replace('.default', '')}"] = p.grad.clone()
            single = [trl_orpo(model, [p], 0.25).item() for p in pairs]
            by_trl = dict(beta=0.25, loss=loss.item(), single=single)
        else:
            raise SystemExit("trl is missing: ORPO with likelihood sequence is its own")
        save_file(grads, os.path.join(d, "objectives_grads.safetensors"))
        versions = dict(torch=torch.__version__, transformers=tf.__version__, peft=peft.__version__)
        if trl:
            versions["checked_with_trl"] = trl.__version__
        json.dump(dict(rated=rated, cases=made, orpo_trl=by_trl, made_with=versions), open(os.path.join(d, "objectives.json"), "w"), indent=1)


main(sys.argv[1], sys.argv[2:])
