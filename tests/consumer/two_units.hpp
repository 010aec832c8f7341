#pragma once

#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/store/code_store.hpp>

/// Codes of 100 bits, the same for the same seed.
embit::code_store<> random_codes(std::size_t size, embit::rng engine);

/// The three nearest of all codes to each of them.
embit::knn_result<std::uint32_t> nearest(const embit::code_store<>& codes, const embit::thread_pool& pool);
