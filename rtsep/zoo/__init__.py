"""Models: cards, name -> verified local folder, import of Spleeter's checkpoints.

::

    find(name)        what a person wrote after -m -> ModelFolder          find.py
    default_model()   the model for whoever named none, and the notice     store.py
    load_network()    ModelFolder -> SeparationNet, checksum verified      weights.py
    list_models(), info(name), remove(name)                                store.py, find.py
    pull(name)        published archive -> installed model                 pull.py, archive.py
    convert(src, dest, config)   Spleeter checkpoint -> model folder       convert.py
        wire.py -> sstable.py -> bundle.py    a checkpoint's bytes -> named, verified arrays
        spleeter.py                           its JSON -> settings
        mapping.py                            both -> our state dict
    write_folder()    card and weights -> model folder, whole or not       weights.py

A model folder holds ``card.yaml`` and ``model.safetensors``. Nothing here reads a pickle.
"""

from rtsep.zoo.card import ModelCard, ModelFolder, NetworkCard, read_folder
from rtsep.zoo.convert import convert
from rtsep.zoo.find import find, info
from rtsep.zoo.pull import ARCHIVES, Archive, pull
from rtsep.zoo.spleeter import CONFIGS, SpleeterConfig, read_config
from rtsep.zoo.store import ModelEntry, default_model, list_models, remove, store_folder
from rtsep.zoo.weights import load_network, write_folder

__all__ = [
    "ARCHIVES",
    "CONFIGS",
    "Archive",
    "ModelCard",
    "ModelEntry",
    "ModelFolder",
    "NetworkCard",
    "SpleeterConfig",
    "convert",
    "default_model",
    "find",
    "info",
    "list_models",
    "load_network",
    "pull",
    "read_config",
    "read_folder",
    "remove",
    "store_folder",
    "write_folder",
]
