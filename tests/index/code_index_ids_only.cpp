// A multi_index behind the interface of the tests.
#include <embit/index/multi_index.hpp>

#include "code_index.hpp"

std::unique_ptr<support::code_index> support::make_ids_only(embit::code_view<> codes, multi_options options,
                                                            embit::thread_pool pool) {
  using index = embit::multi_index<embit::ids_only, embit::thread_pool>;
  return std::make_unique<code_index_of<index, embit::multi_index_statistics>>(index(
      codes, {.substrings = options.substrings, .reorder_bits = options.reorder_bits, .bail_out = options.bail_out},
      std::move(pool)));
}
