// The real sets of embeddings by their names, where EMBIT_DATA_DIR says in which folder they are.
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/metric.hpp>
#include <embit/io/read_matrix.hpp>

#include <cstdlib>
#include <optional>
#include <string>

namespace support {

struct embedding_set {
  embit::matrix<float> rows;
  embit::metric metric;
};

/// sift, minilm, clip, usps, news20 (cosine), sift_l2, and movie (inner product); none without the data.
inline std::optional<embedding_set> load_embeddings(const std::string& name) {
  const char* const folder = std::getenv("EMBIT_DATA_DIR");
  if (folder == nullptr) return std::nullopt;
  const char* const file = name == "sift" || name == "sift_l2" ? "sift5k/base_u8.npy"
                           : name == "minilm"                  ? "minilm_squad2k/emb_f32.npy"
                           : name == "clip"                    ? "clip_text_detic/emb_f16.npy"
                           : name == "usps"                    ? "usps_11k/images_u8.npy"
                           : name == "news20"                  ? "news20/lsa256_train_f16.npy"
                                                               : "movie_mf59k/emb_f32.npy";
  return embedding_set{embit::read_matrix<float>(std::string(folder) + "/" + file),
                       name == "movie"     ? embit::metric::inner_product
                       : name == "sift_l2" ? embit::metric::l2
                                           : embit::metric::cosine};
}

}  // namespace support
