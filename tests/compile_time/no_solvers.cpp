// Eigen's decompositions cost whoever instantiates them seconds to compile, so that including the library must not:
// for dense matrices they are declared here and defined nowhere, and the compiler stops at the first that is meant.
// With TAKE_ONE it has to.
#include <Eigen/Dense>

namespace Eigen {

#define EMBIT_TEST_FORBID(solver)                                        \
  template <class Scalar, int Rows, int Cols, int Options, int R, int C> \
  class solver<Matrix<Scalar, Rows, Cols, Options, R, C>>
EMBIT_TEST_FORBID(SelfAdjointEigenSolver);
EMBIT_TEST_FORBID(Tridiagonalization);
EMBIT_TEST_FORBID(EigenSolver);
EMBIT_TEST_FORBID(HouseholderQR);
EMBIT_TEST_FORBID(HessenbergDecomposition);

#undef EMBIT_TEST_FORBID
template <class Scalar, int Rows, int Cols, int Options, int R, int C, int Way>
class JacobiSVD<Matrix<Scalar, Rows, Cols, Options, R, C>, Way>;
template <class Scalar, int Rows, int Cols, int Options, int R, int C, int Triangle>
class LLT<Matrix<Scalar, Rows, Cols, Options, R, C>, Triangle>;
template <class Scalar, int Rows, int Cols, int Options, int R, int C, int Triangle>
class LDLT<Matrix<Scalar, Rows, Cols, Options, R, C>, Triangle>;

}  // namespace Eigen

#include <embit/embit.hpp>

#ifdef TAKE_ONE
embit::matrix<double> taken(embit::matrix_view<const double> m) { return embit::nearest_rotation(m); }
#endif

int main() {}
