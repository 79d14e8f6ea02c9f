

def ask(z, y, form):
    z = tf.constant(prediction(z), dtype=FLOAT)
    y = tf.constant(target(y, form), dtype=FLOAT if form == "one_hot" else tf.int64)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = tf.convert_to_tensor(LOSS(z, y) if ORDER == "prediction, target" else LOSS(y, z))
    gradient = tape.gradient(value, z)
    return z.numpy(), y.numpy(), value.numpy(), np.zeros(0) if gradient is None else gradient.numpy()


FLOATS = [tf.float64, tf.float32]
