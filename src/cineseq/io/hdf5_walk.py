"""Read everything in an HDF5 file, as a program of its own: ``python hdf5_walk.py FILE SECONDS BYTES``.

A damaged file can make libhdf5 loop for ever, crash, or fill the memory; here that ends this process only. It prints
why the file is refused, or nothing. Where the system cannot limit a process, as Windows cannot, only the time that
the caller waits is limited.
"""

import math
import sys

import h5py

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

MOST_PER_STORED_BYTE = 100_000
SMALL = 1 << 28
"""Bytes that a data set may always unpack to."""


def refusal(path: str, most: int) -> str:
    """Return why a file is refused; empty where everything in it can be read."""
    with h5py.File(path) as file:
        seen: set[int] = set()
        todo: list[h5py.Group] = [file]
        while todo:
            group = todo.pop()
            for name in group:
                if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                    return f"'{group.name}/{name}' is a link to another file; write everything into one file"
                item = group[name]
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    continue
                seen.add(address)
                for key in item.attrs:
                    item.attrs[key]
                if isinstance(item, h5py.Group):
                    todo.append(item)
                elif isinstance(item, h5py.Dataset) and (why := _of_data(item, most)):
                    return f"'{item.name}' {why}"
    return ""


def _of_data(data: h5py.Dataset, most: int) -> str:
    """Read a data set piece by piece and return why it is refused."""
    if data.id.get_create_plist().get_external_count():
        return "is stored in another file; write everything into one file"
    if data.is_virtual:
        return "takes its values from other files; write everything into one file"
    if not data.size:  # no space, or a side of length 0, as of a sparse matrix of zeros
        return ""
    size, stored = math.prod(data.shape) * data.dtype.itemsize, data.id.get_storage_size()
    if size > max(SMALL, min(most, MOST_PER_STORED_BYTE * stored)):
        return f"states {size} bytes, which {stored} bytes cannot hold, or this machine cannot; write the file again"
    if data.chunks is None:
        data[()]
    else:
        for part in data.iter_chunks():
            data[part]
    return ""


def limit_this_process(seconds: int) -> None:
    """Limit the time of one core that this process may take, and leave no image of its memory if it crashes."""
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = seconds if hard == resource.RLIM_INFINITY else min(seconds, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


if __name__ == "__main__":
    limit_this_process(int(sys.argv[2]))
    sys.stdout.write(refusal(sys.argv[1], int(sys.argv[3])))
