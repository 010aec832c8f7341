#include <embit/adapt/openmp_executor.hpp>

#include <peers/executors.hpp>

TEST_CASE("OpenMP's threads run every item once and find what one thread finds", "[openmp]") {
  support::check_executor([](std::size_t workers) { return embit::openmp_executor(workers); });
}
