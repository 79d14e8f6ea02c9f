

def ask(z, y, form):
    z = prediction(z).astype(FLOAT)
    y = target(y, form).astype(FLOAT if form == "one_hot" else np.int64)
    given = z.copy(), y.copy()

    def loss(z):
        own = z.copy(), given[1].copy()
        value = np.asarray(LOSS(*own) if ORDER == "prediction, target" else LOSS(*own[::-1]))
        compare((z, given[1]), own)
        return value

    gradient, h = np.zeros_like(z), 1e-5
    for at in np.ndindex(z.shape if z.size < 2000 else (0,)):  # central differences: no framework derives it
        step = np.zeros_like(z)
        step[at] = h
        gradient[at] = (loss(z + step).sum() - loss(z - step).sum()) / (2 * h)
    return *given, loss(z), gradient if z.size < 2000 else np.zeros(0)


FLOATS = [np.float64]
