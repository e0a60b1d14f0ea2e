"""What a machine trains on: every GPU it has, in mixed precision; without one, the processor in single precision."""

import keras
import tensorflow as tf

MIXED = "mixed_bfloat16"  # its range is that of float32, so no loss need be scaled
SINGLE = "float32"


class Devices:
    """The devices of one run, and how a step is taken on all of them.

    mixed: compute in half precision; None where there is a GPU. Weights and the loss stay in single precision.
    names: the devices that share a batch, such as ["GPU:0", "GPU:1"]; None for all GPUs
    """

    def __init__(self, mixed=None, names=None):
        gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
        names = gpus if names is None else names
        self.precision = MIXED if (bool(gpus) if mixed is None else mixed) else SINGLE
        self.strategy = tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.get_strategy()
        self.n_replicas = self.strategy.num_replicas_in_sync

    def built(self, build):
        """Return what build() makes, a network or an optimiser, on these devices and in this precision."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.precision)
        try:
            with self.strategy.scope():
                return build()
        finally:
            keras.config.set_dtype_policy(before)

    def answering(self, model):
        """Return the model as losses want it: its answers in single precision."""
        if self.precision == SINGLE:
            return model
        return lambda *given, **how: tf.nest.map_structure(lambda one: tf.cast(one, tf.float32), model(*given, **how))

    def shared(self, step):
        """Return a function of (music, chance) that takes this step on all devices, each with its part of the batch.

        step: (music, chance) -> loss, which it has divided by n_replicas; gradients are summed over the devices
        """
        if self.n_replicas == 1:
            return tf.function(step, reduce_retracing=True)

        @tf.function(reduce_retracing=True)
        def everywhere(music, chance):
            return self.strategy.reduce("SUM", self.strategy.run(step, args=(music, chance)), axis=None)

        return lambda music, chance: everywhere(self._parts(music), self._parts(chance))

    def _parts(self, batch):
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(batch[context.replica_id_in_sync_group :: self.n_replicas])
        )
