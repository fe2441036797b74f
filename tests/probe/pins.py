# SPDX-License-Identifier: Apache-2.0
"""What root can do to kernel programs behind the daemon's back: through its pins, with bpf(2)."""
import contextlib
import ctypes
import os
import platform
import struct

BPF = {"x86_64": 321, "aarch64": 280}
MAP_UPDATE, MAP_DELETE, OBJ_GET, LINK_DETACH = 2, 3, 7, 34


def bpf(command, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    r = libc.syscall(BPF[platform.machine()], command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if r < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return r


class ObjGet(ctypes.Structure):
    _fields_ = [("path", ctypes.c_uint64), ("fd", ctypes.c_uint32), ("flags", ctypes.c_uint32)]


class LinkDetach(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_uint32)]


class MapElem(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_uint32), ("pad", ctypes.c_uint32), ("key", ctypes.c_uint64), ("value", ctypes.c_uint64),
                ("flags", ctypes.c_uint64)]


def path(run_dir, *below):
    """Of a pin in force."""
    top = os.path.join(run_dir, "bpf")
    version = [v for v in os.listdir(top) if v.startswith("v") and v[1:].isdigit()]
    return os.path.join(top, version[0], *below)


def get(pin):
    name = ctypes.create_string_buffer(pin.encode())
    return bpf(OBJ_GET, ObjGet(path=ctypes.addressof(name)))


def detach(pin):
    """The link goes; its pin stays and looks as before."""
    fd = get(pin)
    try:
        bpf(LINK_DETACH, LinkDetach(fd=fd))
    finally:
        os.close(fd)


@contextlib.contextmanager
def filled(pin, key_size, value_size):
    """A map that takes no more, until the end of the context; entries that were there stay."""
    fd = get(pin)
    key, value = ctypes.create_string_buffer(key_size), ctypes.create_string_buffer(value_size)
    ours = 0
    elem = MapElem(fd=fd, key=ctypes.addressof(key), value=ctypes.addressof(value))
    try:
        with contextlib.suppress(OSError):
            while True:
                struct.pack_into("<QQ", key, key_size - 16, ours, 0xffffffffffffffff)
                bpf(MAP_UPDATE, elem)
                ours += 1
        yield ours
    finally:
        elem.value = 0  # what is deleted has none
        for i in range(ours):
            struct.pack_into("<QQ", key, key_size - 16, i, 0xffffffffffffffff)
            bpf(MAP_DELETE, elem)
        os.close(fd)
