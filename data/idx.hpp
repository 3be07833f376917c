#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <string>

namespace cadena::data {

/// The array in an IDX file (LeCun's format of MNIST), plain or compressed by gzip, told by its
/// first bytes. uint8 stays, int8, int16 and int32 become int64, float and double float32 and
/// float64. Error, with file, offset (after decompression), what was expected and what was got, if
/// the file cannot be read, is no regular file, no IDX file, is damaged, or is longer or shorter
/// than its header says (of a gzip file the checksum is compared, not the length in its last four
/// bytes). Never takes more memory than a few times what the file really holds.
Tensor read_idx(const std::string& path);

}  // namespace cadena::data
