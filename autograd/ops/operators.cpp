#include <cadena/autograd/ops/list.hpp>

namespace cadena {
namespace {

struct Family {
  const char* name;
  void (*list)(OpList&);
};

/// In the order of the manual.
constexpr Family families[] = {
    {"Arithmetic", ops::list_arithmetic},
    {"Functions", ops::list_functions},
    {"Angles and hyperbolas", ops::list_trigonometric},
    {"Gamma function", ops::list_gamma},
    {"Activations", ops::list_activations},
    {"Rounding", ops::list_rounding},
    {"Comparison and choice", ops::list_comparisons},
    {"Logic and bits", ops::list_logic},
    {"Special values", ops::list_special_values},
    {"Shapes", ops::list_layout},
    {"Broadcast and sum", ops::list_broadcast},
    {"Variance", ops::list_variance},
    {"Largest and smallest", ops::list_extremes},
    {"Counts", ops::list_counts},
    {"Product over axes", ops::list_prod},
    {"Norms", ops::list_norms},
    {"Scans", ops::list_scans},
    {"Sorting", ops::list_sorting},
    {"Searching", ops::list_searches},
    {"Slices", ops::list_slices},
    {"Gather and scatter", ops::list_gather},
    {"Indexing", ops::list_index},
    {"Rearranging", ops::list_rearrange},
    {"Triangles and diagonals", ops::list_triangles},
    {"Embedding", ops::list_embedding},
    {"Joining and splitting", ops::list_joins},
    {"Matrix products", ops::list_products},
    {"Contractions", ops::list_contractions},
    {"Einsum", ops::list_einsum},
    {"Determinants", ops::list_determinants},
    {"Linear equations", ops::list_solvers},
    {"Factorisations", ops::list_factorizations},
    {"Eigenvalues and singular values", ops::list_spectra},
    {"Normalisation", ops::list_normalize},
    {"Batch normalisation", ops::list_batch_norm},
    {"Softmax", ops::list_softmax},
    {"Cross-entropy", ops::list_cross_entropy},
    {"Dropout", ops::list_dropout},
    {"Random numbers", ops::list_random},
};

}  // namespace

const OpList& operators() {
  static const OpList all = [] {
    OpList list;
    for (const Family& family : families) {
      list.begin(family.name);
      family.list(list);
    }
    return list;
  }();
  return all;
}

}  // namespace cadena
