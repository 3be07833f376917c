#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Linear algebra of matrices [..., n, n] or [..., m, n]; leading dimensions are batches. float32 or
// float64. An Error about a value says which matrix of the batch it is. "Symmetric" operators work
// on (A + Aᵀ)/2, which is A itself where A is symmetric; so their gradients are symmetric too. G is
// the upstream gradient below, Ḡ_X that of a result X. Gradients have any order.

/// The determinant, [...]; 1 for n = 0, and no overflow on the way. The gradient is G times the
/// matrix of cofactors, det(A)·A^-T where A has an inverse (Giles 2008, "Collected matrix
/// derivative results for forward and reverse mode algorithmic differentiation", 2.2.4). Of a
/// singular matrix, or one close to it, whatever its rank: with A = U S Vᵀ, det A = det U · det V ·
/// det(Uᵀ A V) for fixed U and V, where those of the smallest singular values are eliminated last,
/// as a Schur complement whose determinant is a polynomial without a division (Bird 2011). All
/// derivatives of that are exact.
Tensor det(const Tensor& x);

/// What `slogdet` gives: det = sign · e^logabsdet.
struct SignLogDet {
  Tensor sign;       ///< [...]; -1, 0 or 1, derivative 0.
  Tensor logabsdet;  ///< [...]; -∞ for a singular matrix.
};
/// Sign and logarithm of |det|, which has no overflow. The gradient of the logarithm is G·A^-T
/// (Giles 2008, 2.2.4 divided by det A); an Error for a singular matrix.
SignLogDet slogdet(const Tensor& x);
/// ln det, [...]; NaN where the determinant is negative, -∞ where it is 0. Gradient as of slogdet.
Tensor logdet(const Tensor& x);

/// A^-1. Error for a singular matrix: a pivot of the LU factorisation that is exactly 0. Gradient
/// -A^-T G A^-T (Giles 2008, 2.2.3).
Tensor inverse(const Tensor& x);

/// The X of A·X = B, by LU: A [..., n, n] and B [..., n, k], or one vector B [n] for all matrices,
/// which gives [..., n]. Leading dimensions broadcast. Error for a singular A. Gradients: Ḡ_B =
/// A^-T G, Ḡ_A = -Ḡ_B Xᵀ (Giles 2008, 2.3.1).
Tensor solve(const Tensor& a, const Tensor& b);

struct SolveTriangularOptions {
  bool upper = false;          ///< Which triangle of A is read; the other one counts as 0.
  bool left = true;            ///< A·X = B; otherwise X·A = B with B [..., k, n].
  bool unitriangular = false;  ///< The diagonal counts as ones and is not read.
};
/// The X of A·X = B for a triangular A, by substitution; shapes and gradients as of solve, that of
/// A being 0 outside of the triangle that is read. Error where the diagonal has a 0.
Tensor solve_triangular(const Tensor& a, const Tensor& b, SolveTriangularOptions options = {});

/// The lower triangular L with L·Lᵀ = (A + Aᵀ)/2. Error if that is not positive definite, with the
/// first pivot that is not positive. Gradient (S + Sᵀ)/2 with S = L^-T Φ(Lᵀ G) L^-1, Φ the lower
/// triangle with half of the diagonal (Murray 2016, "Differentiation of the Cholesky
/// decomposition", section 4).
Tensor cholesky(const Tensor& x);

/// What `qr` gives, k being min(m, n).
struct Qr {
  Tensor q;  ///< [..., m, k], QᵀQ = 1.
  Tensor r;  ///< [..., k, n], upper triangular, no negative number on its diagonal.
};
/// The reduced QR factorisation of A [..., m, n]. It is unique where the first k columns are
/// independent, as LAPACK's is only after a choice of signs. For m >= n the gradient is
/// (Ḡ_Q + Q·C) R^-T, where C is the symmetric matrix with the lower triangle of R Ḡ_Rᵀ - Ḡ_Qᵀ Q
/// (Walter and Lehmann 2018, "Algorithmic differentiation of linear algebra functions with
/// application in optimum experimental design"); for m < n, A = [A₁ A₂] and R = [R₁ QᵀA₂], with the
/// QR factorisation of A₁. Where R has a 0 on its diagonal there is no derivative: Error.
Qr qr(const Tensor& x);

/// What `eigh` gives.
struct Eigh {
  Tensor eigenvalues;   ///< [..., n], ascending.
  Tensor eigenvectors;  ///< [..., n, n], in columns; their signs are arbitrary.
};
/// Eigenvalues and eigenvectors of the symmetric (A + Aᵀ)/2 = V diag(λ) Vᵀ. Gradient
/// V (diag(Ḡ_λ) + F∘(VᵀḠ_V - Ḡ_Vᵀ V)/2) Vᵀ with F_ij = 1/(λ_j - λ_i) (Giles 2008, 3.1). That of the
/// eigenvalues alone is always finite and, for functions that treat equal eigenvalues alike, the
/// gradient. Eigenvectors of equal eigenvalues have no derivative: the gradient is infinite or NaN
/// if any flows to them, inexact where eigenvalues nearly agree, and wrong for a function that
/// depends on their signs. Error for infinite or NaN elements.
Eigh eigh(const Tensor& x);
/// The eigenvalues of `eigh`. Second derivatives need all of them to differ.
Tensor eigvalsh(const Tensor& x);

/// What `svd` gives, k being min(m, n).
struct Svd {
  Tensor u;   ///< [..., m, k], UᵀU = 1.
  Tensor s;   ///< [..., k], descending, at least 0.
  Tensor vh;  ///< [..., k, n], Vᵀ with VᵀV = 1.
};
/// The reduced singular value decomposition A = U diag(S) Vᵀ of A [..., m, n]. Gradient (Townsend
/// 2016, "Differentiating the singular value decomposition"): U I Vᵀ + (1 - UUᵀ) Ḡ_U S^-1 Vᵀ +
/// U S^-1 Ḡ_Vᵀ (1 - VVᵀ), where I is Ḡ_S on the diagonal and elsewhere F∘((UᵀḠ_U - Ḡ_Uᵀ U) S +
/// S (VᵀḠ_V - Ḡ_Vᵀ V)), F_ij = 1/(s_j² - s_i²). That of the singular values alone is always finite
/// and right where they are smooth (a singular value of 0 is a kink: U diag(Ḡ_S) Vᵀ is one of its
/// subgradients). Vectors of equal singular values, or of 0 when A is not square, have no
/// derivative: the gradient is infinite or NaN if any flows to them, inexact where singular values
/// nearly agree, and wrong for a function that depends on the signs of the pairs of vectors. Error
/// for infinite or NaN elements.
Svd svd(const Tensor& x);
/// The singular values of `svd`. Second derivatives need them to differ, and not to be 0 if A is
/// not square.
Tensor svdvals(const Tensor& x);

}  // namespace cadena
