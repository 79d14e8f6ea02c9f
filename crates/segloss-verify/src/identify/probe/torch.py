

def ask(z, y, form):
    leaf = torch.tensor(prediction(z), dtype=FLOAT, requires_grad=True)
    z = leaf.clone()  # as of a net: it may be changed in place
    y = torch.tensor(target(y, form), dtype=FLOAT if form == "one_hot" else torch.int64)
    given = leaf.detach().numpy().copy(), y.numpy().copy()
    value = LOSS(z, y) if ORDER == "prediction, target" else LOSS(y, z)
    value = torch.as_tensor(value[0] if isinstance(value, (tuple, list)) else value)
    gradient = np.zeros(0)
    if value.requires_grad:
        value.sum().backward()
        gradient = np.zeros(0) if leaf.grad is None else leaf.grad.numpy()
    compare(given, (z.detach().numpy(), y.numpy()))
    return *given, value.detach().numpy(), gradient


FLOATS = [torch.float64, torch.float32]
