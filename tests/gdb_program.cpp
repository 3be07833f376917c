// What check_gdb.sh looks at in the debugger.

#include <cadena/cadena.hpp>

namespace cd = cadena;

int stop_here = 0;

int main() {
  const cd::Tensor undefined;
  const cd::Tensor matrix = cd::tensor({{1.0, 2.5}, {3.0, -4.0}, {5.0, 6.0}});
  const cd::Tensor turned = cd::transpose(matrix);
  const cd::Tensor leaf = cd::arange(12).to(cd::float64).requires_grad_leaf();
  const cd::Tensor truths = matrix > 2.0;
  const cd::Tensor number = cd::full({}, 7, {.dtype = cd::int64});
  const cd::Parameter weight(cd::full({2}, 0.5));
  const cd::Buffer buffer(cd::zeros({1}));
  const cd::Parameter absent;
  const cd::Shape shape{3, 2};
  const cd::Tensors several{matrix, undefined};
  stop_here = static_cast<int>(several.size());  // the breakpoint
  return 0;
}
