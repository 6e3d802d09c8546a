// Parts of a piece of work, each on a thread of its own.  Threads end with the work and never wait by spinning.
#pragma once

#include <memory>
#include <thread>

#include "loops/common.hpp"

namespace skmixed {

// Calls work(part) for every part; a thread that the system refuses leaves its part to this one.
template <class Work>
void in_parts(Index parts, const Work &work) {
    if (parts <= 1) return work(Index(0));
    const std::unique_ptr<std::thread[]> others(new std::thread[static_cast<std::size_t>(parts - 1)]);
    Index started = 0;
    try {
        for (; started < parts - 1; ++started) others[started] = std::thread(work, started + 1);
    } catch (...) {  // no thread, or no memory for one
    }
    work(Index(0));
    for (Index part = started + 1; part < parts; ++part) work(part);
    for (Index k = 0; k < started; ++k) others[k].join();
}

// As many parts as threads, but none smaller than that.
inline Index parts_of(Index size, Index least, Index threads) {
    const Index most = size / least;
    const Index parts = threads < most ? threads : most;
    return parts < 1 ? 1 : parts;
}

}  // namespace skmixed
