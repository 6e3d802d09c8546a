#define SKMIXED_SWEEPS baseline_sweeps
#include "sweeps.ipp"

namespace skmixed {
extern constexpr Sweeps baseline = baseline_sweeps::table("baseline");
}
