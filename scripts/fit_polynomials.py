#!/usr/bin/env python3
"""Prints the coefficients of the functions of lanes (autograd/kernels/lane_*.hpp), lowest power
first, and the error of each fit. Needs mpmath. Method: Remez exchange, weighted."""
from mpmath import (mp, mpf, exp, log, sin, cos, sinh, asin, atan, sqrt, erf, erfc, pi, loggamma,
                    digamma, findroot, matrix, lu_solve)

mp.dps = 60


def remez(f, degree, low, high, weight=lambda x: mpf(1), steps=12):
    """The polynomial p of least max |weight (p - f)| on [low, high]."""
    low, high = mpf(low), mpf(high)
    n = degree + 2
    grid = [(low + high) / 2 - (high - low) / 2 * cos(pi * k / (40 * n)) for k in range(40 * n + 1)]
    values = [(x, f(x), weight(x)) for x in grid]
    points = [values[round(k * 40 * n / (n - 1))] for k in range(n)]
    for _ in range(steps):
        a = matrix(n, n)
        b = matrix(n, 1)
        for i, (x, y, w) in enumerate(points):
            for k in range(n - 1):
                a[i, k] = x**k
            a[i, n - 1] = (-1) ** i / w
            b[i] = y
        solution = lu_solve(a, b)
        p = [solution[k] for k in range(n - 1)]
        error = [w * (sum(c * x**k for k, c in enumerate(p)) - y) for x, y, w in values]
        # The largest error between sign changes.
        extrema, start = [], 0
        for i in range(1, len(error) + 1):
            if i == len(error) or (error[i] > 0) != (error[start] > 0):
                extrema.append(max(range(start, i), key=lambda j: abs(error[j])))
                start = i
        while len(extrema) > n:
            extrema.pop(0 if abs(error[extrema[0]]) < abs(error[extrema[-1]]) else -1)
        if len(extrema) < n:
            break
        points = [values[i] for i in extrema]
    return p, max(abs(e) for e in error)


def show(name, fit):
    coefficients, error = fit
    print(f"{name}: error 2^{mp.nstr(log(error, 2), 4)}")
    print("  {" + ", ".join(mp.nstr(c, 18) for c in coefficients) + "}")


half_ln2 = log(2) / 2 * mpf("1.01")
z_log = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2 * mpf("1.01")
quarter = (pi / 4 * mpf("1.01")) ** 2


def safe(f, limit):
    return lambda x: limit if abs(x) < mpf("1e-20") else f(x)


exp_tail = safe(lambda r: (exp(r) - 1 - r) / r**2, mpf(1) / 2)
log_tail = safe(lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z, mpf(2) / 3)
log_tail2 = safe(lambda z: (log_tail(z) - mpf(2) / 3) / z, mpf(2) / 5)
sin_tail = safe(lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 6)
cos_tail = safe(lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, mpf(1) / 24)
erf_small = safe(lambda z: erf(sqrt(z)) / sqrt(z), 2 / sqrt(pi))
scaled_erfc = lambda t: exp((1 / t - 2) ** 2) * erfc(1 / t - 2)


def erfc_tail(k):
    """(1.5 + 3 x) e^(x^2) erfc(x) as a function of q = (x - k) / (x + k)."""
    x = lambda q: k * (1 + q) / (1 - q)
    return lambda q: (1.5 + 3 * x(q)) * exp(x(q) ** 2) * erfc(x(q))


def odd_tail(f, limit):
    """(f(x) / x - 1) / x^2 of z = x^2 for an odd f with f(x) = x + limit x^3 + ..."""
    return safe(lambda z: (f(sqrt(z)) / sqrt(z) - 1) / z, limit)


exp2_over_r = safe(lambda r: (2**r - 1) / r, log(2))
sin_pi = safe(lambda z: sin(pi * sqrt(z)) / (pi * sqrt(z)), mpf(1))
log_gamma = safe(lambda t: loggamma(2 + t) / t, 1 - mp.euler)
digamma_zero = findroot(digamma, mpf("1.4616"))


def stirling(z):
    """x (ln gamma(x) - (x - 1/2) ln x + x - ln(2 pi) / 2) of z = 1 / x^2."""
    x = 1 / sqrt(z)
    return x * (loggamma(x) - (x - 0.5) * log(x) + x - log(2 * pi) / 2)


def digamma_middle(t):
    """x (x + 1) digamma(x) / (x - its zero), x = 2 + t."""
    x = 2 + t
    return x * (x + 1) * digamma(x) / (x - digamma_zero)


def digamma_tail(z):
    """x^2 (ln x - 1 / (2 x) - digamma(x)) of z = 1 / x^2."""
    x = 1 / sqrt(z)
    return (log(x) - 1 / (2 * x) - digamma(x)) / z


if __name__ == "__main__":
    # e^r = 1 + r + r^2 P(r), |r| <= ln(2)/2
    for type_name, degree in (("float", 4), ("double", 9)):
        show(f"exp {type_name}", remez(exp_tail, degree, -half_ln2, half_ln2))
    # ln((1+s)/(1-s)) = 2s + s z P(z), z = s^2; in pow: P(z) = 2/3 + z Q(z)
    for type_name, degree in (("float", 2), ("double", 6)):
        show(f"log {type_name}", remez(log_tail, degree, 0, z_log))
    # The same in pow; for float it is worked out in double.
    show("pow float, log", remez(log_tail, 4, 0, z_log))
    show("pow float, exp", remez(exp_tail, 5, -half_ln2, half_ln2))
    show("pow double, log", remez(log_tail2, 7, 0, z_log))
    # sin r = r + r z P(z), cos r = 1 - z/2 + z^2 Q(z), z = r^2, |r| <= pi/4
    for type_name, degree in (("float", 2), ("double", 5)):
        show(f"sin {type_name}", remez(sin_tail, degree, 0, quarter))
        show(f"cos {type_name}", remez(cos_tail, degree, 0, quarter))
    # erf x = x P(x^2), x <= 1; 1 - e^(-x^2) Q(1/(x+2)), x > 1
    for type_name, small, large, end in (("float", 6, 4, 4), ("double", 11, 11, 6)):
        show(f"erf {type_name} below 1", remez(erf_small, small, 0, 1))
        weight = lambda t: exp(-((1 / t - 2) ** 2))
        fit = remez(scaled_erfc, large, 1 / mpf(end + 2), mpf(1) / 3, weight)
        show(f"erf {type_name} above 1", fit)
    # erfc x = e^(-x^2) R(q) / (1.5 + 3 x), q = (x - k) / (x + k), x >= 0
    for type_name, k, degree, end in (("float", mpf(3), 10, 11), ("double", mpf("3.5"), 22, 28)):
        f = erfc_tail(k)
        fit = remez(f, degree, -1, (end - k) / (end + k), lambda q: 1 / f(q))
        show(f"erfc {type_name}", fit)
    # 2^r = 1 + r P(r), |r| <= 1/2
    for type_name, degree in (("float", 5), ("double", 10)):
        show(f"exp2 {type_name}", remez(exp2_over_r, degree, -0.505, 0.505))
    # sinh x = x + x z P(z), z = x^2, x <= 1
    for type_name, degree in (("float", 3), ("double", 6)):
        show(f"sinh {type_name}", remez(odd_tail(sinh, mpf(1) / 6), degree, 0, 1))
    # asin x = x + x z P(z), atan x = x + x z P(z), z = x^2, x <= 1/2
    for type_name, degree in (("float", 4), ("double", 11)):
        show(f"asin {type_name}", remez(odd_tail(asin, mpf(1) / 6), degree, 0, 0.25))
    for type_name, degree in (("float", 4), ("double", 11)):
        show(f"atan {type_name}", remez(odd_tail(atan, -mpf(1) / 3), degree, 0, 0.25))
    # sin(pi r) / (pi r) = P(r^2), |r| <= 1/2
    show("sin(pi r)", remez(sin_pi, 8, 0, 0.25))
    # ln gamma(2 + t) = t P(t), -3/4 <= t <= 1/4; Stirling's remainder for x >= 6.25
    show("lgamma", remez(log_gamma, 19, -0.75, 0.25))
    show("lgamma, Stirling", remez(stirling, 8, mpf("1e-12"), 1 / mpf("6.25") ** 2))
    # digamma(x) = (x - zero) P(x - 2) / (x (x + 1)) for 1 <= x <= 3; what remains for x >= 6
    print("zero of digamma:", mp.nstr(digamma_zero, 45))
    show("digamma", remez(digamma_middle, 18, -1, 1))
    show("digamma, large", remez(digamma_tail, 7, mpf("1e-12"), 1 / mpf(36)))
