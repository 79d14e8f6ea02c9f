

def compare(given, left):
    """Remembers whether the function changed what it was given."""
    for what, old, new in zip(("prediction", "target"), given, left):
        if not np.array_equal(old, new, equal_nan=True):
            changed.add(what)


def value_of(form, kind):
    global FLOAT
    FLOAT = kind
    try:
        return ask(*next(batches())[1:], form)[2].sum()
    except Exception as error:
        refusals.append(f"{form}, {kind}: {type(error).__name__}: {error}")


def order():
    """As the parameters are called, where their names say it."""
    called = next((getattr(LOSS, name) for name in ("forward", "call") if hasattr(LOSS, name)), LOSS)
    try:
        first, second = [name.lower() for name in inspect.signature(called).parameters if name != "self"][:2]
    except (ValueError, TypeError):
        return DEFAULT
    is_target = [any(word in name for word in ("target", "label", "true", "truth", "mask", "gt")) for name in (first, second)]
    is_prediction = [any(word in name for word in ("pred", "logit", "output", "prob", "score")) for name in (first, second)]
    said = {(True, False): "target, prediction", (False, True): "prediction, target"}.get(tuple(is_target))
    if said is None or is_prediction[is_target.index(True)] or said == DEFAULT:
        return DEFAULT
    print(f"ORDER: {said}, as the parameters are called ({first}, {second})")
    return said


refusals, changed = [], set()
ORDER = ORDER or order()
taken = [(form, kind, value) for form in FORMS for kind in FLOATS if (value := value_of(form, kind)) is not None]
for form, kind, value in taken:
    if form != taken[0][0] and not abs(value - taken[0][2]) <= 1e-5 * abs(value):
        print(f"{FUNCTION} takes a target as {taken[0][0]} and as {form}, with other values; asked is the first of FORMS")
        break
if taken:
    form, FLOAT, _ = taken[0]
else:
    sys.exit("{FUNCTION} takes none of these targets; set FORMS, CLASSES, LAYOUT or ORDER above\n" + "\n".join(refusals))
saved = {}
for name, z, y in batches():
    if name == "soft" and form != "one_hot":
        continue
    try:
        answer = dict(zip([INPUT, "target", "value", "gradient"], ask(z, y, form)))
        answer = {key: array for key, array in answer.items() if key != "gradient" or array.size}
    except Exception as error:
        answer = {"error": np.frombuffer(f"{type(error).__name__}: {error}".encode()[:2000], np.uint8)}
    saved.update({f"{name}/{key}": array for key, array in answer.items()})
about = "function = '{MODULE}:{FUNCTION}'\nframework = '{FRAMEWORK}'\n" + f"classes = {CLASSES:}\n"
about += "" if LAYOUT == "no_channels" else f"layout = '{LAYOUT:}'\n"
about += "" if IGNORED is None else f"ignore_index = {IGNORED:}\n"
about += f"order = '{ORDER:}'\n"
about += f"changes = '{' and '.join(sorted(changed))}'\n" if changed else ""
saved["about"] = np.frombuffer(about.encode(), np.uint8)
np.savez_compressed("answers.npz", **saved)
print(f"answers.npz: {len({name.split('/')[0] for name in saved}) - 1} batches, target as {form}; now: segloss check answers.npz")
