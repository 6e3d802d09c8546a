// C with its pattern, checked.
#pragma once

#include "checks.hpp"

namespace skmixed {

// The pattern of C is checked with its values: columns increase within a level.
Coupling coupling(const Integers &indptr, const Integers &columns, const Matrix &data);
void check_columns(const Coupling &C, Index side);
void check_levels(const Coupling &C, Index size, Index levels);

}  // namespace skmixed
