// The functions of every topic.
#pragma once

#include <nanobind/nanobind.h>

namespace skmixed {

void bind_laplace(nanobind::module_ &);
void bind_labels(nanobind::module_ &);
void bind_chords(nanobind::module_ &);
void bind_crossed(nanobind::module_ &);
void bind_levels(nanobind::module_ &);
void bind_level_sums(nanobind::module_ &);
void bind_quadrature(nanobind::module_ &);
void bind_rows(nanobind::module_ &);
void bind_products(nanobind::module_ &);
void bind_dense(nanobind::module_ &);
void bind_schur(nanobind::module_ &);
void bind_stages(nanobind::module_ &);
void bind_search(nanobind::module_ &);

}  // namespace skmixed
