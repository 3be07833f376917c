#include <cadena/autograd/ops/list.hpp>

namespace cadena {

const OpList& operators() {
  static const OpList all = [] {
    OpList list;
    ops::list_arithmetic(list);
    ops::list_functions(list);
    ops::list_activations(list);
    ops::list_comparisons(list);
    ops::list_logic(list);
    ops::list_rounding(list);
    ops::list_special_values(list);
    ops::list_layout(list);
    ops::list_broadcast(list);
    ops::list_variance(list);
    ops::list_extremes(list);
    ops::list_counts(list);
    ops::list_prod(list);
    ops::list_norms(list);
    ops::list_scans(list);
    ops::list_sorting(list);
    ops::list_searches(list);
    ops::list_slices(list);
    ops::list_gather(list);
    ops::list_index(list);
    ops::list_rearrange(list);
    ops::list_triangles(list);
    ops::list_embedding(list);
    ops::list_joins(list);
    ops::list_products(list);
    ops::list_contractions(list);
    ops::list_einsum(list);
    ops::list_determinants(list);
    ops::list_solvers(list);
    ops::list_factorizations(list);
    ops::list_spectra(list);
    ops::list_softmax(list);
    ops::list_cross_entropy(list);
    ops::list_dropout(list);
    ops::list_normalize(list);
    ops::list_batch_norm(list);
    return list;
  }();
  return all;
}

}  // namespace cadena
