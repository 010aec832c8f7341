// What FAISS's four characters stand for.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// The class that FAISS writes under this tag; empty for an unknown one.
constexpr std::string_view faiss_name(std::string_view tag) noexcept {
  using pair = std::pair<std::string_view, std::string_view>;
  constexpr pair names[] = {{"IxF2", "IndexFlatL2"},
                            {"IxFI", "IndexFlatIP"},
                            {"IxFl", "IndexFlat"},
                            {"IxMp", "IndexIDMap"},
                            {"IxM2", "IndexIDMap2"},
                            {"IxHe", "IndexLSH"},
                            {"IxPT", "IndexPreTransform"},
                            {"IxPq", "IndexPQ"},
                            {"IxPQ", "IndexPQ, old form"},
                            {"IPfs", "IndexPQFastScan"},
                            {"IxSQ", "IndexScalarQuantizer"},
                            {"IxRF", "IndexRefine"},
                            {"IxRq", "IndexResidualQuantizer"},
                            {"IxLS", "IndexLocalSearchQuantizer"},
                            {"IxPR", "IndexProductResidualQuantizer"},
                            {"IxPL", "IndexProductLocalSearchQuantizer"},
                            {"Ixrq", "IndexRaBitQ"},
                            {"IxLa", "IndexLattice"},
                            {"Ix2L", "Index2Layer"},
                            {"ImRQ", "ResidualCoarseQuantizer"},
                            {"Imiq", "MultiIndexQuantizer"},
                            {"IRMf", "IndexRowwiseMinMax"},
                            {"IRMh", "IndexRowwiseMinMaxFP16"},
                            {"IHNf", "IndexHNSWFlat"},
                            {"IHNp", "IndexHNSWPQ"},
                            {"IHNs", "IndexHNSWSQ"},
                            {"IHN2", "IndexHNSW2Level"},
                            {"IHc2", "IndexHNSWCagra"},
                            {"INSf", "IndexNSGFlat"},
                            {"INSp", "IndexNSGPQ"},
                            {"INSs", "IndexNSGSQ"},
                            {"INNf", "IndexNNDescentFlat"},
                            {"IwFl", "IndexIVFFlat"},
                            {"IwFd", "IndexIVFFlatDedup"},
                            {"IwSq", "IndexIVFScalarQuantizer"},
                            {"IwSh", "IndexIVFSpectralHash"},
                            {"IwPQ", "IndexIVFPQ"},
                            {"IwQR", "IndexIVFPQR"},
                            {"IwPf", "IndexIVFPQFastScan"},
                            {"IwRQ", "IndexIVFResidualQuantizer"},
                            {"IwLS", "IndexIVFLocalSearchQuantizer"},
                            {"Iwrq", "IndexIVFRaBitQ"},
                            {"IwIQ", "IndexIVFIndependentQuantizer"},
                            {"IBxF", "IndexBinaryFlat"},
                            {"IBwF", "IndexBinaryIVF"},
                            {"IBHf", "IndexBinaryHNSW"},
                            {"IBHh", "IndexBinaryHash"},
                            {"IBHm", "IndexBinaryMultiHash"},
                            {"IBFf", "IndexBinaryFromFloat"},
                            {"IBMp", "IndexBinaryIDMap"},
                            {"IBM2", "IndexBinaryIDMap2"},
                            {"ilar", "ArrayInvertedLists"},
                            {"ilod", "OnDiskInvertedLists"},
                            {"il00", "no inverted lists"},
                            {"null", "no index"},
                            {"rrot", "RandomRotationMatrix"},
                            {"Pcam", "PCAMatrix"},
                            {"PcAm", "PCAMatrix, old form"},
                            {"PCAm", "PCAMatrix, old form"},
                            {"LTra", "LinearTransform"},
                            {"Viqm", "ITQMatrix"},
                            {"Viqt", "ITQTransform"},
                            {"RmDT", "RemapDimensionsTransform"},
                            {"VNrm", "NormalizationTransform"},
                            {"VCnt", "CenteringTransform"}};
  for (const pair& known : names)
    if (known.first == tag) return known.second;
  return {};
}

}  // namespace embit::inline EMBIT_ABI::detail
