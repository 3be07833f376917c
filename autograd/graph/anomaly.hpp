#pragma once

#include <memory>
#include <string>
#include <vector>

namespace cadena {

struct AnomalyOptions {
  bool nan = true;       ///< A NaN is an error.
  bool infinity = true;  ///< So is an infinity.
  /// Names of operators that may make infinities of finite numbers. If there are any, infinities
  /// from elsewhere (data, a mask made before) may pass as well. NaN stay errors.
  std::vector<std::string> allowed = {};
};

/// While it lives, the first NaN or infinity that an operator of this thread makes, or its
/// derivative in backward, is an Error. It tells operator, attributes, dtypes and shapes; where the
/// first bad element is and how many there are; minimum, maximum, mean and more of each input; the
/// calls that led to the operator, and for a derivative to the operator that it belongs to, if an
/// AnomalyMode was on then. An input that was bad already came from elsewhere, and the Error says
/// so. Views, which move no data, are not looked at; what is made inside of a derivative is judged
/// by the gradients that the derivative gives.
///
/// An infinity is meant where a C++ number states it (`masked_fill(x, mask, -infinity)`) or an
/// operator of `allowed` makes it. After the first of them, in this mode, infinities may pass from
/// an operator's inputs into its results: an element is an Error only where the operator makes it
/// infinite by itself, whatever other elements are (exp(1000), log(0), 1/0, a sum that overflows).
/// That is found by applying the operator again with 1 in place of the infinities given. An
/// infinite gradient passes where upstream gradient, input or output is infinite: the same element
/// if shapes agree, else any.
///
/// It is for the calling thread and the loops it starts, as NoGrad. Of several the innermost
/// counts: with other options for a while, or with both false for none, as `gradcheck` does. Modes
/// end in any order, but in the thread that they began in and not inside of an operator. Each
/// result is read once more and the calls of each operator are noted, which takes some
/// microseconds; while none lives nothing is.
class AnomalyMode {
 public:
  explicit AnomalyMode(AnomalyOptions options = {});
  ~AnomalyMode();
  AnomalyMode(const AnomalyMode&) = delete;
  AnomalyMode& operator=(const AnomalyMode&) = delete;

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

}  // namespace cadena
