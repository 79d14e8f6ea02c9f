

def ask(z, y, form):
    z = torch.tensor(prediction(z), dtype=FLOAT, requires_grad=True)
    y = torch.tensor(target(y, form), dtype=FLOAT if form == "one_hot" else torch.int64)
    value = LOSS(z, y) if ORDER == "prediction, target" else LOSS(y, z)
    value = torch.as_tensor(value[0] if isinstance(value, (tuple, list)) else value)
    gradient = np.zeros(0)
    if value.requires_grad:
        value.sum().backward()
        gradient = np.zeros(0) if z.grad is None else z.grad.numpy()
    return z.detach().numpy(), y.numpy(), value.detach().numpy(), gradient


FLOATS = [torch.float64, torch.float32]
