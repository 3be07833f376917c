#!/usr/bin/env python3
"""Prints the coefficients of the functions of lanes (autograd/kernels/lane_*.hpp), lowest power
first, and the error of each fit. Needs mpmath. Method: Remez exchange, weighted."""
from mpmath import mp, mpf, exp, log, sin, cos, sqrt, erf, erfc, pi, matrix, lu_solve, linspace

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
