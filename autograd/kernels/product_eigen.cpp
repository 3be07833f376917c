#include <cadena/autograd/kernels/arch.hpp>
#include <cadena/autograd/kernels/product_kernels.hpp>

#include <Eigen/Core>

namespace cadena::kernels {
namespace {

template <class T> using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;
template <class T> using Constant = Eigen::Map<const Rows<T>, Eigen::Unaligned, Stride>;
template <class T> using Variable = Eigen::Map<Rows<T>, Eigen::Unaligned, Stride>;

}  // namespace

template <class Arch, class T>
void product_by_blocks(const ProductShape& s, MatrixView<const T> a, MatrixView<const T> b,
                       MatrixView<T> c) {
  const bool ta = s.a == Transpose::yes, tb = s.b == Transpose::yes;
  const Constant<T> left(a.data, ta ? s.inner : s.rows, ta ? s.rows : s.inner, Stride(a.stride));
  const Constant<T> right(b.data, tb ? s.columns : s.inner, tb ? s.inner : s.columns,
                          Stride(b.stride));
  Variable<T> out(c.data, s.rows, s.columns, Stride(c.stride));
  if (ta && tb) {
    out.noalias() = left.transpose() * right.transpose();
  } else if (ta) {
    out.noalias() = left.transpose() * right;
  } else if (tb) {
    out.noalias() = left * right.transpose();
  } else {
    out.noalias() = left * right;
  }
}

template void product_by_blocks<Arch>(const ProductShape&, MatrixView<const float>,
                                      MatrixView<const float>, MatrixView<float>);
template void product_by_blocks<Arch>(const ProductShape&, MatrixView<const double>,
                                      MatrixView<const double>, MatrixView<double>);

}  // namespace cadena::kernels
