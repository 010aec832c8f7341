// A wrong argument reaches the error handler, which ends the process; with exceptions, the exception is caught.
#include <embit/core/error.hpp>
#include <embit/core/matrix_view.hpp>

#include <cstdio>
#include <cstdlib>

int main() {
  embit::set_error_handler([](embit::errc code, const char* message) {
    std::printf("handled: %s\n", message);
    std::exit(code == embit::errc::out_of_range ? 0 : 1);
  });
  const float numbers[6]{};
  const embit::matrix_view<const float> rows(numbers, 2, 3);
#if EMBIT_EXCEPTIONS
  try {
    rows.middle_rows(1, 2);
  } catch (const embit::error& e) {
    return e.code() == embit::errc::out_of_range ? 0 : 1;
  }
#else
  rows.middle_rows(1, 2);
#endif
  return 1;
}
