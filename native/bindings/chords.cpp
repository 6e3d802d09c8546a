#include "bindings.hpp"
#include "grouped.hpp"

namespace skmixed {
namespace {

// Lengths and indices of a factorisation that belongs to some rows
Eliminated eliminated(const Described &found, Index stage, const Integers &indptr, const Integers &columns,
                      const Matrix &C, const Matrix &M, const Matrix &A, const Matrix &L, const Integers &first,
                      const Vector &roots, const Vector &inverse_roots) {
    const Grouped &rows = found.rows;
    require(stage >= 0 && stage < rows.factors, "stage is none of the factors");
    const Index q = rows.sizes[stage], levels = rows.levels[stage], entries = length(columns, 0), side = length(L, 0);
    require(length(indptr, 0) == levels + 1 && indptr.data()[0] == 0 && indptr.data()[levels] == entries,
            "indptr is not that of the levels of the stage");
    for (Index l = 0; l < levels; ++l) require(indptr.data()[l] <= indptr.data()[l + 1], "indptr decreases");
    require(length(L, 1) == side, "L is not square");
    require(is_within(columns, side), "columns of C are not those of L");
    require(length(C, 0) == q && length(C, 1) == entries, "C has not the entries of its pattern");
    require(length(M, 0) == packed_size(q) && length(M, 1) == levels, "M is not packed by the levels of the stage");
    require(length(A, 0) == packed_size(q) && length(A, 1) == levels, "A is not packed by the levels of the stage");
    require(length(first, 0) == rows.factors, "first has not one entry per factor");
    Index matrices = 0;
    for (Index f = 0; f < rows.factors; ++f) {
        const Index size = rows.sizes[f], start = first.data()[f];
        matrices += size * size;
        require(f == stage || (start >= 0 && start + size * rows.levels[f] <= side), "a factor is not within L");
    }
    check(roots, matrices, "roots has not the matrices of all factors");
    check(inverse_roots, matrices, "inverse_roots has not the matrices of all factors");
    return {stage, indptr.data(), columns.data(), C.data(),     M.data(),     A.data(),
            entries, side, L.data(), first.data(), roots.data(), inverse_roots.data()};
}

int chords(Integers sizes, Integers levels, Integers columns, Codes codes, Matrix z, Vector fixed, Vector y, Vector m,
           int stage, Integers indptr, Integers entry_columns, Matrix C, Matrix M, Matrix A, Matrix L, Integers first,
           Vector roots, Vector inverse_roots, Vector T, Vector rules, bool is_fresh, Out c, Out scores, Out eta,
           Out mean, Out weight, Out totals) {
    const Described found = grouped(sizes, levels, columns, codes, z);
    const Index effects = found.sizes.effects;
    const PerRow per_row = outcomes(found, fixed, y, m, eta, mean, weight);
    check(c, effects, "c has not the effects of all levels");
    check(scores, effects, "scores has not the effects of all levels");
    check(totals, 2, "totals are two numbers");
    check(T, length(roots, 0), "T has not the matrices of all factors");
    check(rules, 6, "rules are six numbers");
    const double *rule = rules.data();
    require(rule[5] >= 0.0 && rule[5] <= 1e6, "the last rule is a number of steps");
    const Eliminated E =
        eliminated(found, stage, indptr, entry_columns, C, M, A, L, first, roots, inverse_roots);
    const Rules own{rule[0], rule[1], rule[2], rule[3], rule[4], static_cast<Index>(rule[5])};
    Standing at{c.data(), scores.data(), eta.data(), mean.data(), weight.data(), totals.data()[0], 0};
    const auto scratch = room(3 * effects + 2 * E.side);
    Ending ending;
    {
        nb::gil_scoped_release unlocked;
        ending = active->chords.search(found.rows, E, T.data(), fixed.data(), y.data(), per_row, own, is_fresh,
                                       scratch.get(), at);
    }
    totals.data()[0] = at.penalised;
    totals.data()[1] = static_cast<double>(at.steps);
    return ending;
}

}  // namespace

void bind_chords(nb::module_ &module) {
    define(module, "chords", chords, "sizes", "levels", "columns", "codes", "z", "fixed", "y", "m", "stage", "indptr",
           "entry_columns", "C", "M", "A", "L", "first", "roots", "inverse_roots", "T", "rules", "is_fresh", "c",
           "scores", "eta", "mean", "weight", "totals");
}

}  // namespace skmixed
