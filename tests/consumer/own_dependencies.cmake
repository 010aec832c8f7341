# A user who brings Eigen and xsimd as targets, before embit is added.
add_library(users_eigen INTERFACE)
add_library(Eigen3::Eigen ALIAS users_eigen)
target_include_directories(users_eigen SYSTEM INTERFACE "${OWN_EIGEN}")
add_library(xsimd INTERFACE)
target_include_directories(xsimd SYSTEM INTERFACE "${OWN_XSIMD}")
