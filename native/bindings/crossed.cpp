#include "bindings.hpp"
#include "grouped.hpp"

namespace skmixed {
namespace {

double crossed_sweep(Integers sizes, Integers levels, Integers columns, Codes codes, Matrix z, Vector fixed, Vector b,
                     Vector y, Vector m, Out eta, Out mean, Out weight, Out scores) {
    const Described found = grouped(sizes, levels, columns, codes, z);
    const PerRow per_row = outcomes(found, fixed, y, m, eta, mean, weight);
    check(b, found.sizes.effects, "b has not the effects of all levels");
    check(scores, found.sizes.effects, "scores has not the effects of all levels");
    nb::gil_scoped_release unlocked;
    return active->crossed.sweep(found.rows, fixed.data(), b.data(), y.data(), per_row, eta.data(), mean.data(),
                                 weight.data(), scores.data());
}

void crossed_weigh(Integers sizes, Integers levels, Integers columns, Codes codes, Matrix z, Codes pair_codes,
                   Integers counts, Vector weight, Out blocks, Out pairs) {
    Described found = grouped(sizes, levels, columns, codes, z);
    const Met tables = met(found, pair_codes, counts);
    check(weight, found.rows.rows, "weight is not one number per row");
    check(blocks, found.sizes.blocks, "blocks has not the packed blocks of all levels");
    check(pairs, found.sizes.pairs, "pairs has not the values of all pairs");
    nb::gil_scoped_release unlocked;
    active->crossed.weigh(found.rows, tables, weight.data(), blocks.data(), pairs.data());
}

void crossed_skewed(Integers sizes, Integers levels, Integers columns, Codes codes, Matrix z, Codes pair_codes,
                    Integers counts, Vector mean, Vector weight, Vector blocks, Vector pairs, Out skewed, Out sums) {
    Described found = grouped(sizes, levels, columns, codes, z);
    const Met tables = met(found, pair_codes, counts);
    const Index n = found.rows.rows;
    check(mean, n, "mean is not one number per row");
    check(weight, n, "weight is not one number per row");
    check(skewed, n, "skewed is not one number per row");
    check(blocks, found.sizes.blocks, "blocks has not the packed blocks of all levels");
    check(pairs, found.sizes.pairs, "pairs has not the values of all pairs");
    check(sums, found.sizes.effects, "sums has not the effects of all levels");
    nb::gil_scoped_release unlocked;
    active->crossed.skewed(found.rows, tables, mean.data(), weight.data(), blocks.data(), pairs.data(), skewed.data(),
                           sums.data());
}

void crossed_spread(Integers sizes, Integers levels, Integers columns, Codes codes, Matrix z, Vector b, Out out) {
    const Described found = grouped(sizes, levels, columns, codes, z);
    check(b, found.sizes.effects, "b has not the effects of all levels");
    check(out, found.rows.rows, "out is not one number per row");
    nb::gil_scoped_release unlocked;
    active->crossed.spread(found.rows, b.data(), out.data());
}

void crossed_gather(Integers sizes, Integers levels, Integers columns, Codes codes, Matrix z, Vector values, Out out) {
    const Described found = grouped(sizes, levels, columns, codes, z);
    check(values, found.rows.rows, "values is not one number per row");
    check(out, found.sizes.effects, "out has not the effects of all levels");
    nb::gil_scoped_release unlocked;
    active->crossed.gather(found.rows, values.data(), out.data());
}

void crossed_with_fixed(Integers sizes, Integers levels, Integers columns, Codes codes, Matrix z, Vector weight,
                        Matrix x, Out sums, Array<double, 2> gram) {
    const Described found = grouped(sizes, levels, columns, codes, z);
    const Index n = found.rows.rows, p = length(x, 1);
    check(weight, n, "weight is not one number per row");
    check(x, n, "x has not one row per row");
    check(sums, found.sizes.effects * p, "sums has not all columns of the effects of all levels");
    require(length(gram, 0) == p && length(gram, 1) == p, "gram is not square in the columns of x");
    nb::gil_scoped_release unlocked;
    active->crossed.with_fixed(found.rows, weight.data(), x.data(), p, sums.data(), gram.data());
}

}  // namespace

void bind_crossed(nb::module_ &module) {
    define(module, "crossed_sweep", crossed_sweep, "sizes", "levels", "columns", "codes", "z", "fixed", "b", "y", "m",
           "eta", "mean", "weight", "scores");
    define(module, "crossed_weigh", crossed_weigh, "sizes", "levels", "columns", "codes", "z", "pair_codes", "counts",
           "weight", "blocks", "pairs");
    define(module, "crossed_skewed", crossed_skewed, "sizes", "levels", "columns", "codes", "z", "pair_codes",
           "counts", "mean", "weight", "blocks", "pairs", "skewed", "sums");
    define(module, "crossed_spread", crossed_spread, "sizes", "levels", "columns", "codes", "z", "b", "out");
    define(module, "crossed_gather", crossed_gather, "sizes", "levels", "columns", "codes", "z", "values", "out");
    define(module, "crossed_with_fixed", crossed_with_fixed, "sizes", "levels", "columns", "codes", "z", "weight", "x",
           "sums", "gram");
}

}  // namespace skmixed
