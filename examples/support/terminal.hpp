// What a program shows to a person: colour and a progress bar on a terminal, plain text elsewhere.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <unistd.h>

namespace example {

/// Text set off from the rest where stdout is a terminal that understands it; NO_COLOR (no-color.org) turns it off.
class style {
 public:
  std::string bold(std::string_view text) const { return set("\033[1m", text); }
  std::string faint(std::string_view text) const { return set("\033[2m", text); }
  std::string accent(std::string_view text) const { return set("\033[36m", text); }

 private:
  static bool wanted() {
    const char* off = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    return (off == nullptr || *off == '\0') && terminal != nullptr && std::string_view(terminal) != "dumb" &&
           isatty(STDOUT_FILENO) != 0;
  }
  std::string set(std::string_view code, std::string_view text) const {
    return on_ ? std::string(code).append(text).append("\033[0m") : std::string(text);
  }

  bool on_ = wanted();
};

/// A bar that shows how far the work is, on stderr while it is a terminal. It leaves nothing behind.
class progress_bar {
 public:
  progress_bar() = default;
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  ~progress_bar() { clear(); }

  void operator()(std::string_view stage, std::size_t done, std::size_t total) {
    if (!on_ || total == 0) return;
    const auto percent = static_cast<int>(100 * done / total);
    if (percent == shown_ && stage == stage_) return;
    shown_ = percent;
    stage_ = stage;
    const std::string filled(static_cast<std::size_t>(percent / 4), '=');
    std::fprintf(stderr, "\r\033[K%-12s [%-25s] %3d %%", stage_.c_str(), filled.c_str(), percent);
    std::fflush(stderr);
  }

  void clear() {
    if (shown_ >= 0) std::fputs("\r\033[K", stderr);
    shown_ = -1;
  }

 private:
  bool on_ = isatty(STDERR_FILENO) != 0;
  int shown_ = -1;
  std::string stage_;
};

}  // namespace example
