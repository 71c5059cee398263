"""The one order among equal scores: a hash of the ids, the same in Spark's expressions and in the numeric kernels.

The order of ids themselves would favour the same items in every list. The hash is Spark's ``xxhash64`` of the user's
id chained with the 64-bit hash of the item's id, so that a kernel needs two 64-bit numbers and no strings.
"""

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column
from pyspark.sql import functions as F

Hashes = npt.NDArray[np.int64]
Unsigned = npt.NDArray[np.uint64] | np.uint64

_P1, _P2, _P3 = np.uint64(0x9E3779B185EBCA87), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)
_P4, _P5 = np.uint64(0x85EBCA77C2B2AE63), np.uint64(0x27D4EB2F165667C5)
_8, _27, _29, _31, _32, _33, _37 = (np.uint64(number) for number in (8, 27, 29, 31, 32, 33, 37))

#: The seed that Spark's ``xxhash64`` starts from.
SPARK_SEED = 42


def id_hash(id_: str | Column) -> Column:
    """The 64-bit hash of one id, as the kernels take it."""
    return F.xxhash64(id_)


def tie_order(left: str | Column, right: str | Column) -> Column:
    """Where scores are equal, the pair (left id, right id) with the lower value comes first."""
    return F.xxhash64(left, id_hash(right))


def tie_hashes(left: Hashes, right: Hashes) -> Hashes:
    """``tie_order`` from the ``id_hash`` of both ids, element by element.

    It is xxHash64 of the eight bytes of ``right``, seeded with ``left`` (https://github.com/Cyan4973/xxHash).
    """
    with np.errstate(over="ignore"):
        return mixed(left.view(np.uint64), right.view(np.uint64)).view(np.int64)


def mixed(left: Unsigned, right: Unsigned) -> Unsigned:
    """``tie_hashes`` of unsigned numbers: of arrays in numpy, and of single ones within compiled kernels."""
    word = right * _P2
    word = ((word << _31) | (word >> _33)) * _P1
    made = (left + _P5 + _8) ^ word
    made = ((made << _27) | (made >> _37)) * _P1 + _P4
    made = (made ^ (made >> _33)) * _P2
    made = (made ^ (made >> _29)) * _P3
    return made ^ (made >> _32)


def number_hashes(numbers: Hashes) -> Hashes:
    """Spark's ``xxhash64`` of one long each."""
    return tie_hashes(np.full_like(numbers, SPARK_SEED), numbers)


def signs(numbers: npt.NDArray[np.integer], width: int, seed: int) -> npt.NDArray[np.float32]:
    """Rows of +1 and -1 [numbers, width] for users or items, by hash: the same wherever one is looked at."""
    hashes = number_hashes(numbers.astype(np.int64))
    words = [tie_hashes(hashes, np.full_like(hashes, seed + word)) for word in range(-(-width // 64))]
    bits = np.unpackbits(np.stack(words, axis=1).view(np.uint8), axis=1)
    return bits[:, :width].astype(np.float32) * 2 - 1
