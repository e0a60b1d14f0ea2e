"""HDF5 weights, read without Keras and without trust.

HDF5 can point at other files (external links, external storage, virtual datasets), run filter plug-ins, and declare
sizes that it does not have. So every link and every dataset's layout is looked at before a number is read, and packed
chunks are unpacked here, with a cap, not by HDF5.
"""

import io
import zlib

import h5py
import numpy as np

from music.refusal import Refusal

MAX_BYTES = 256 * 2**20
MAX_OBJECTS = 5_000
MAX_DEPTH = 12
MAX_ATTRIBUTE_BYTES = 4_096
MAX_MAGNITUDE = 1e4  # no trained weight comes near; beyond it the first product overflows
SIGNATURE = b"\x89HDF\r\n\x1a\n"
DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3  # HDF5's numbers of the filters that are let in
MOST_TEXTS = 64  # in one attribute
WHOLE_MODEL = b"model_config"  # the attribute in which Keras' old .h5 files keep an architecture
# What h5py raises for files that were cut, flipped or written to deceive.
DAMAGED = (OSError, RuntimeError, ValueError, KeyError, TypeError, ArithmeticError, MemoryError, zlib.error)
OPTIMIZER = "optimizer"  # Keras puts the optimiser's state there; it is looked at and never read


class WeightsError(Refusal):
    """The weights are not those of the family; one sentence."""


def packed(weights, shapes):
    """Return the bytes of an HDF5 file with these weights, in Keras' layout; the same weights give the same bytes.

    weights: {name: array}; float16 is kept as it is, anything else becomes float32
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("earliest", "v110")) as file:
        for name in shapes:
            if name not in weights:
                raise WeightsError(f"The weights lack {name}.", "weights.missing")
            array = np.asarray(weights[name])
            array = array if array.dtype == np.float16 else array.astype(np.float32)
            check_shape(array.shape, name, shapes)
            file.create_dataset(name, data=array)
    return buffer.getvalue()


def read(content, shapes):
    """Return {name: float32 array} in the order of `shapes`.

    content: bytes of an HDF5 file
    shapes: {name: shape}, all that it must hold

    Raises WeightsError for any other name, shape or type, values that are not finite or beyond MAX_MAGNITUDE, links
    to elsewhere, and whatever HDF5 cannot read.
    """
    if content[:8] != SIGNATURE:
        raise WeightsError("The weights are not an HDF5 file.", "h5.signature")
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            if h5py.h5a.exists(file.id, WHOLE_MODEL):
                raise WeightsError(
                    'The file is a whole model, which is never run; save with model.save_weights("x.weights.h5").',
                    "keras.forbidden_class",
                )
            datasets = _datasets(file, shapes)
            arrays = {name: _array(datasets[name], name, shapes[name]) for name in shapes}
    except WeightsError:
        raise
    except DAMAGED as problem:
        raise WeightsError(
            "The weights cannot be read: the HDF5 file is damaged or cut short.", "h5.unreadable"
        ) from problem
    return {name: checked_values(array, name) for name, array in arrays.items()}


def checked_values(array, name):
    """Return the array as float32. Raises WeightsError for values that no trained weight has."""
    if not np.isfinite(array).all():
        raise WeightsError(f"{name} holds values that are not finite.", "weights.non_finite")
    if np.abs(array).max(initial=0) > MAX_MAGNITUDE:
        raise WeightsError(f"{name} holds values beyond {MAX_MAGNITUDE:,.0f}.", "weights.magnitude")
    return array.astype(np.float32)


def check_names(names, shapes):
    """Raise WeightsError unless these are the names that the family's table has."""
    for name in names:
        if name not in shapes:
            raise WeightsError(
                f"The weights hold {_shown(name)}, which this family does not have.", "weights.unexpected"
            )
    for name, shape in shapes.items():
        if name not in names:
            sentence = f"The weights lack {name}, of shape {tuple(shape)}: they are of another family."
            raise WeightsError(sentence, "weights.missing")


def check_shape(shape, name, shapes):
    if tuple(shape) != tuple(shapes[name]):
        raise WeightsError(f"{name} has shape {tuple(shape)}, not {tuple(shapes[name])}.", "weights.shape")


def _datasets(file, shapes):
    """Return {name: dataset} of all that the file must hold, after a look at everything that it does hold."""
    found, seen = {}, 0
    waiting = [("", file.id)]
    while waiting:
        path, group = waiting.pop()
        _check_attributes(group, path)
        for name in group:
            seen += 1
            if seen > MAX_OBJECTS:
                raise WeightsError(f"The weights hold more than {MAX_OBJECTS:,} objects.", "h5.too_many_objects")
            at = f"{path}/{name.decode('utf-8', 'replace')}".lstrip("/")
            item = _object(group, name, at)
            if isinstance(item, h5py.h5g.GroupID):
                waiting.append((at, item))
            elif at.split("/")[0] != OPTIMIZER:
                found[at] = item
    check_names(found, shapes)
    for at, item in found.items():
        _check_dataset(item, at, shapes)
    return found


def _object(group, name, at):
    link = group.links.get_info(name).type
    if link != h5py.h5l.TYPE_HARD:
        problem = "h5.soft_link" if link == h5py.h5l.TYPE_SOFT else "h5.external_link"
        raise WeightsError(f"{_shown(at)} in the weights is a link to elsewhere.", problem)
    if at.count("/") >= MAX_DEPTH:
        raise WeightsError(f"The weights are nested more than {MAX_DEPTH} deep.", "h5.too_deep")
    item = h5py.h5o.open(group, name)
    if not isinstance(item, h5py.h5g.GroupID | h5py.h5d.DatasetID):
        raise WeightsError(f"{_shown(at)} in the weights is neither a group nor an array.", "h5.object_type")
    return item


def _check_attributes(item, at):
    for i in range(h5py.h5a.get_num_attrs(item)):
        size = _attribute_bytes(h5py.h5a.open(item, index=i))
        if size > MAX_ATTRIBUTE_BYTES:
            raise WeightsError(f"{_shown(at)} in the weights has an attribute of {size:,} bytes.", "h5.attribute")


def _attribute_bytes(attribute):
    """Texts of any length lie elsewhere in the file, and the attribute alone does not say how long they are."""
    kind = attribute.get_type()
    n_texts = attribute.get_space().get_simple_extent_npoints()
    if not isinstance(kind, h5py.h5t.TypeStringID) or not kind.is_variable_str() or n_texts > MOST_TEXTS:
        return max(attribute.get_storage_size(), n_texts)
    texts = np.empty(attribute.shape, object)
    attribute.read(texts)
    return sum(len(text or b"") for text in texts.flat)


def _check_dataset(item, at, shapes):
    """Raise WeightsError unless the dataset is as the family has it and its numbers lie in the file itself."""
    layout = item.get_create_plist()
    if layout.get_layout() == h5py.h5d.VIRTUAL:
        raise WeightsError(f"{at} lies in another file.", "h5.virtual_dataset")
    if layout.get_external_count():
        raise WeightsError(f"{at} lies in another file.", "h5.external_storage")
    dtype = item.get_type()
    if not isinstance(dtype, h5py.h5t.TypeFloatID) or item.dtype not in (np.float32, np.float16):
        raise WeightsError(f"{at} is not of type float32 or float16.", "h5.dtype")
    if np.prod(item.shape, dtype=float) * dtype.get_size() > MAX_BYTES:
        raise WeightsError(f"{at} has shape {item.shape}, more than any checkpoint.", "h5.shape")
    check_shape(item.shape, at, shapes)
    _check_attributes(item, at)
    filters = {code: values for code, _, values, _ in map(layout.get_filter, range(layout.get_nfilters()))}
    if filters.keys() - {DEFLATE, SHUFFLE, FLETCHER32} or filters.get(SHUFFLE) not in (None, (dtype.get_size(),)):
        raise WeightsError(f"{at} is packed by another filter than deflate.", "h5.filter")


def _array(dataset, name, shape):
    layout = dataset.get_create_plist()
    if layout.get_layout() == h5py.h5d.CHUNKED:
        return _unpacked(dataset, layout, name)
    array = np.empty(shape, dataset.dtype)
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
    return array


def _unpacked(dataset, layout, name):
    """Return the array of a dataset that is stored in chunks."""
    chunk_shape = layout.get_chunk()
    if np.prod(chunk_shape, dtype=float) > 4 * np.prod(dataset.shape, dtype=float) + 2**16:
        raise WeightsError(f"{name} is stored in chunks far larger than itself.", "h5.chunk")
    array = np.zeros(dataset.shape, dataset.dtype)
    for i in range(dataset.get_num_chunks()):
        offset = dataset.get_chunk_info(i).chunk_offset
        skipped, content = dataset.read_direct_chunk(offset)
        chunk = _chunk(content, skipped, layout, dataset.dtype, chunk_shape, name)
        inside = tuple(slice(at, at + n) for at, n in zip(offset, chunk_shape, strict=True))
        target = array[inside]
        target[...] = chunk[tuple(slice(n) for n in target.shape)]
    return array


def _chunk(content, skipped, layout, dtype, shape, name):
    """Return one chunk, its filters undone in turn; `skipped` has a bit for each filter that was not applied to it."""
    size = int(np.prod(shape)) * dtype.itemsize
    for i in reversed(range(layout.get_nfilters())):
        if skipped >> i & 1:
            continue
        code = layout.get_filter(i)[0]
        if code == FLETCHER32:
            content = _without_checksum(content, name)
        elif code == DEFLATE:
            content = _inflated(content, size + 4, name)
        elif code == SHUFFLE and len(content) == size:
            content = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
    if len(content) != size:
        raise WeightsError(f"{name} unpacks to another size than it says.", "h5.chunk")
    return np.frombuffer(content, dtype).reshape(shape)


def _inflated(content, most_bytes, name):
    inflater = zlib.decompressobj()
    unpacked = inflater.decompress(content, most_bytes + 1)
    if len(unpacked) <= most_bytes and not inflater.eof:
        raise WeightsError(f"{name} is damaged: its stream does not end.", "h5.chunk")
    return unpacked


def _without_checksum(content, name):
    """Return what Fletcher's checksum stands behind: two sums of the 16-bit words, as HDF5 writes them."""
    content, checksum = content[:-4], int.from_bytes(content[-4:], "little")
    words = np.frombuffer(content + bytes(len(content) % 2), ">u2").astype(np.uint64)
    sums = np.cumsum(words) % 0xFFFF  # a chunk has far fewer than the 2**48 words that would overflow
    first, second = int(sums[-1]) if len(sums) else 0, int(sums.sum()) % 0xFFFF
    if (checksum & 0xFFFF) % 0xFFFF != first or (checksum >> 16) % 0xFFFF != second:
        raise WeightsError(f"{name} is damaged: its checksum differs.", "h5.chunk")
    return content


def _shown(at):
    return ascii(at[:60])
