"""HDF5 weights, read without Keras and without trust.

HDF5 can point at other files (external links, external storage, virtual datasets), run filter plug-ins, and declare
sizes that it does not have. So every link and every dataset's layout is looked at before a number is read, and packed
chunks are unpacked here, with a cap, not by HDF5.
"""

import io
import zlib

import h5py
import numpy as np

MAX_BYTES = 256 * 2**20
MAX_OBJECTS = 5_000
MAX_DEPTH = 12
MAX_ATTRIBUTE_BYTES = 4_096
MAX_MAGNITUDE = 1e4  # no trained weight comes near; beyond it the first product overflows
SIGNATURE = b"\x89HDF\r\n\x1a\n"
DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3  # HDF5's numbers of the filters that are let in
OPTIMIZER = "optimizer"  # Keras puts the optimiser's state there; it is looked at and never read


class WeightsError(ValueError):
    """The weights are not those of the family; one sentence."""


def packed(weights, shapes):
    """Return the bytes of an HDF5 file with these weights, in Keras' layout; the same weights give the same bytes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("earliest", "v110")) as file:
        for name, shape in shapes.items():
            if name not in weights:
                raise WeightsError(f"The weights lack {name}.")
            array = np.asarray(weights[name], np.float32)
            if array.shape != tuple(shape):
                raise WeightsError(f"{name} has shape {array.shape}, not {tuple(shape)}.")
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
        raise WeightsError("The weights are not an HDF5 file.")
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            datasets = _datasets(file, shapes)
            return {name: _values(datasets[name], name, shapes[name]) for name in shapes}
    except WeightsError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, RecursionError, zlib.error) as problem:
        raise WeightsError("The weights cannot be read: the HDF5 file is damaged or cut short.") from problem


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
                raise WeightsError(f"The weights hold more than {MAX_OBJECTS:,} objects.")
            at = f"{path}/{name.decode('utf-8', 'replace')}".lstrip("/")
            item = _object(group, name, at)
            if isinstance(item, h5py.h5g.GroupID):
                waiting.append((at, item))
            elif at.split("/")[0] != OPTIMIZER:
                found[at] = _checked_dataset(item, at, shapes)
    for name, shape in shapes.items():
        if name not in found:
            raise WeightsError(f"The weights lack {name}, of shape {tuple(shape)}: they are of another family.")
    return found


def _object(group, name, at):
    if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        raise WeightsError(f"{_shown(at)} in the weights is a link to elsewhere.")
    if at.count("/") >= MAX_DEPTH:
        raise WeightsError(f"The weights are nested more than {MAX_DEPTH} deep.")
    item = h5py.h5o.open(group, name)
    if not isinstance(item, h5py.h5g.GroupID | h5py.h5d.DatasetID):
        raise WeightsError(f"{_shown(at)} in the weights is neither a group nor an array.")
    return item


def _check_attributes(item, at):
    for i in range(h5py.h5a.get_num_attrs(item)):
        attribute = h5py.h5a.open(item, index=i)
        size = attribute.get_storage_size()
        if size > MAX_ATTRIBUTE_BYTES:
            raise WeightsError(f"{_shown(at)} in the weights has an attribute of {size:,} bytes.")


def _checked_dataset(item, at, shapes):
    """Return the dataset, if it is one that the family has and its numbers lie in the file itself."""
    if at not in shapes:
        raise WeightsError(f"The weights hold {_shown(at)}, which this family does not have.")
    if item.shape != tuple(shapes[at]):
        raise WeightsError(f"{at} has shape {item.shape}, not {tuple(shapes[at])}.")
    dtype = item.get_type()
    if not isinstance(dtype, h5py.h5t.TypeFloatID) or item.dtype not in (np.float32, np.float16):
        raise WeightsError(f"{at} is not of type float32 or float16.")
    _check_attributes(item, at)
    layout = item.get_create_plist()
    if layout.get_layout() == h5py.h5d.VIRTUAL or layout.get_external_count():
        raise WeightsError(f"{at} lies in another file.")
    filters = {layout.get_filter(i)[0] for i in range(layout.get_nfilters())}
    if filters - {DEFLATE, SHUFFLE, FLETCHER32}:
        raise WeightsError(f"{at} is packed by another filter than deflate.")
    return item


def _values(dataset, name, shape):
    layout = dataset.get_create_plist()
    if layout.get_layout() == h5py.h5d.CHUNKED:
        array = _unpacked(dataset, layout, name)
    else:
        array = np.empty(shape, dataset.dtype)
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise WeightsError(f"{name} holds values that are not finite.")
    if np.abs(array).max(initial=0) > MAX_MAGNITUDE:
        raise WeightsError(f"{name} holds values beyond {MAX_MAGNITUDE:,.0f}.")
    return array


def _unpacked(dataset, layout, name):
    """Return the array of a dataset that is stored in chunks."""
    chunk_shape = layout.get_chunk()
    if np.prod(chunk_shape, dtype=float) > 4 * np.prod(dataset.shape, dtype=float) + 2**16:
        raise WeightsError(f"{name} is stored in chunks far larger than itself.")
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
            content = content[:-4]
        elif code == DEFLATE:
            content = zlib.decompressobj().decompress(content, size + 4 + 1)
        elif code == SHUFFLE and len(content) == size:
            content = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
    if len(content) != size:
        raise WeightsError(f"{name} unpacks to another size than it says.")
    return np.frombuffer(content, dtype).reshape(shape)


def _shown(at):
    return ascii(at[:60])
