#include <embit/adapt/tbb_executor.hpp>

#include <peers/executors.hpp>

TEST_CASE("TBB's threads run every item once and find what one thread finds", "[tbb]") {
  support::check_executor([](std::size_t workers) { return embit::tbb_executor(workers); });
}
