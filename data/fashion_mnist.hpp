#pragma once

#include <cadena/data/dataset.hpp>

#include <array>
#include <string>

namespace cadena::data {

/// Names of the ten labels.
inline constexpr std::array<const char*, 10> fashion_mnist_classes{
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/// 60,000 images to train with, 10,000 to test with: inputs float32 [n, 784] in [0, 1], rows of
/// 28×28 pixels one after another; targets int64 [n] in [0, 10).
struct FashionMnist {
  TensorDataset train, test;
};

/// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) from the four IDX files
/// {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte in a directory, with or
/// without .gz. Without a directory: datasets/fashion-mnist in the system's share directories
/// (Debian's dataset-fashion-mnist puts them there). Error if there are none, or if they are not
/// what their names say.
FashionMnist load_fashion_mnist(const std::string& directory = "");

}  // namespace cadena::data
